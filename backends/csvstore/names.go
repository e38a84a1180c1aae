package csvstore

import (
	"fmt"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
)

// Suffix is the end of a table's file name, in exactly this spelling.
const Suffix = ".csv"

// maxFileName is the most bytes of a file name, on every file system that
// matters and at Box.
const maxFileName = 255

// scratchPrefixes begin the names of files that programs leave beside tables.
const scratchPrefixes = ".~#"

// FileName returns the name of the file that holds the table called name.
// The error wraps backends.ErrRefused and says what is wrong with the name.
func FileName(name string) (string, error) {
	if reason := badName(name, len(name)+len(Suffix)); reason != "" {
		return "", fmt.Errorf("table name %q %s: %w", name, reason, backends.ErrRefused)
	}
	if strings.ContainsRune(scratchPrefixes, rune(name[0])) {
		return "", fmt.Errorf("table name %q begins with %q, as temporary files do: %w",
			name, name[0], backends.ErrRefused)
	}
	return name + Suffix, nil
}

// TableName returns the name of the table that a file holds, and false for
// files that are no tables: other suffixes and temporary files.
func TableName(file string) (string, bool) {
	name, isCSV := strings.CutSuffix(file, Suffix)
	if !isCSV || badName(name, len(file)) != "" || strings.ContainsRune(scratchPrefixes, rune(name[0])) {
		return "", false
	}
	return name, true
}

// CheckProject says whether a project's folder can have this name.
// The error wraps backends.ErrRefused.
func CheckProject(name string) error {
	if reason := badName(name, len(name)); reason != "" {
		return fmt.Errorf("project name %q %s: %w", name, reason, backends.ErrRefused)
	}
	if name[0] == '.' {
		return fmt.Errorf("project name %q begins with a dot, as hidden folders do: %w", name, backends.ErrRefused)
	}
	return nil
}

func badName(name string, fileBytes int) string {
	switch {
	case name == "":
		return "is empty"
	case strings.ContainsAny(name, "/\x00"):
		return "contains a slash or a NUL"
	case fileBytes > maxFileName:
		return fmt.Sprintf("is longer than the %d bytes of a file name", maxFileName)
	}
	return ""
}
