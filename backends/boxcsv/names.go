package boxcsv

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// What Box refuses in a name, as far as its sources agree. Whether more is
// refused is for Box to say.

// fileName returns the name of the file of a table. The error wraps
// backends.ErrRefused.
func fileName(table string) (string, error) {
	name, err := csvstore.FileName(table)
	if err != nil {
		return "", err
	}
	if reason := badName(table); reason != "" {
		return "", fmt.Errorf("table name %q %s: %w", table, reason, backends.ErrRefused)
	}
	return name, nil
}

// checkProject says whether a project's folder can have this name.
func checkProject(name string) error {
	if err := csvstore.CheckProject(name); err != nil {
		return err
	}
	if reason := badName(name); reason != "" {
		return fmt.Errorf("project name %q %s: %w", name, reason, backends.ErrRefused)
	}
	return nil
}

func badName(name string) string {
	switch {
	case strings.Contains(name, `\`):
		return "contains a backslash"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "contains a control character"
	case strings.TrimSpace(name) != name:
		return "begins or ends with a space"
	}
	return ""
}
