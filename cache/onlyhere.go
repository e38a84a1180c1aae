package cache

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// temporary are the names that tools give to files that do not outlive them.
var temporary = regexp.MustCompile(`^(\..*|.*~|#.*#|.*\.(tmp|bak|swp|part|orig|rej|lock)|sed.{6}|tmp.*|lu\w+\.tmp|4913|~\$.*|\d+)$`)

// namedMost is how many files a notice names.
const namedMost = 20

// onlyHere is the notice of scratch files older than age that look as if somebody
// wanted to keep them: nobody but this machine has them. Empty: there are none.
func (c *Cache) onlyHere(age time.Duration) string {
	var names []string
	n := 0
	old := time.Now().Add(-age)
	_ = filepath.WalkDir(c.dir.Scratch(), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a file that vanishes meanwhile is not counted
		}
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.ModTime().Before(old) || temporary.MatchString(d.Name()) {
			return nil //nolint:nilerr // as above
		}
		if n++; n > namedMost {
			return nil
		}
		inside, err := filepath.Rel(c.dir.Scratch(), p)
		if err == nil {
			names = append(names, c.outside(inside))
		}
		return nil
	})
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("%d files are", n)
	if n == 1 {
		text = "1 file is"
	}
	text += " only on this machine: " + strings.Join(names, ", ")
	if n > namedMost {
		text += fmt.Sprintf(" and %d more", n-namedMost)
	}
	return text
}
