package cache

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
)

// backLocked makes the directories behind a project and behind the folders that
// it shows: as soon as they are there, so that no look at them changes a time.
func (c *Cache) backLocked(p *project) {
	dirs := []string{p.rec.Name}
	for _, k := range backends.Kinds {
		if p.shows(k) {
			dirs = append(dirs, path.Join(p.rec.Name, string(k)))
		}
	}
	for _, dir := range dirs {
		if _, err := os.Lstat(c.scratchPath(dir)); err == nil {
			continue
		}
		if err := c.disk.MkdirAll("scratch:mkdir", c.scratchPath(dir), 0o755); err != nil {
			c.log.Warn("directory not made", "path", dir, "error", err)
			continue
		}
		up, name := path.Split(dir)
		c.invalidate(strings.TrimSuffix(up, "/"), name)
		c.invalidateDir(strings.TrimSuffix(up, "/"))
	}
}

// unbackLocked removes the directories behind a project that is gone, and reports
// whether that was all: what is only on this machine stays.
func (c *Cache) unbackLocked(name string) bool {
	for _, k := range backends.Kinds {
		_ = os.Remove(c.scratchPath(path.Join(name, string(k)))) // not empty, or not there
	}
	err := os.Remove(c.scratchPath(name))
	return err == nil || errors.Is(err, fs.ErrNotExist)
}
