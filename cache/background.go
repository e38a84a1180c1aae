package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// syncContents makes the contents of all unsent tables power safe, before the
// facts about them are.
func (c *Cache) syncContents() error {
	var failed error
	for _, t := range c.allTables() {
		t.mu.Lock()
		path := ""
		if t.dirtyLocked() && t.syncedSeq != t.rec.Save.Seq && !t.rec.L.none() {
			path = t.genPath(t.rec.L.Gen)
		}
		seq := t.rec.Save.Seq
		t.mu.Unlock()
		if path == "" {
			continue
		}
		if err := c.syncFile(path); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", t.path(), err))
			continue
		}
		t.mu.Lock()
		t.syncedSeq = seq
		t.mu.Unlock()
	}
	return failed
}

func (c *Cache) syncFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // replaced meanwhile
	}
	if err != nil {
		return err
	}
	err = c.disk.Sync("background:content", f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return c.disk.SyncDir("background:dir", filepath.Dir(path))
}
