package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"github.com/ragasfs/ragasfs/cache/state"
)

// Facts that are power safe must not name bytes that are not. What a table's
// contents are written into is noted, and synced before the next commit at Full
// of the table's record; what no such commit needs is synced in the background,
// before all facts are made power safe.

// unsafeLocked notes that a file of the table has bytes, or is a name, that a
// power cut could take away.
func (t *Table) unsafeLocked(path string) {
	if t.unsafe == nil {
		t.unsafe = map[string]bool{}
	}
	t.unsafe[path] = true
}

func (t *Table) noteUnsafe(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsafeLocked(path)
}

// makeSafe syncs all files of the table that are not power safe. It is called
// without locks before work that ends in a commit at Full, so that little is left
// to do under the lock (saveWithLocked).
func (t *Table) makeSafe() error {
	t.mu.Lock()
	paths := t.unsafe
	t.unsafe = nil
	t.mu.Unlock()
	err := t.c.syncFiles(t.dir, paths)
	if err != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		for path := range paths {
			t.unsafeLocked(path)
		}
	}
	return err
}

// makeSafeLocked is makeSafe with the lock held.
func (t *Table) makeSafeLocked() error {
	err := t.c.syncFiles(t.dir, t.unsafe)
	if err == nil {
		t.unsafe = nil
	}
	return err
}

// recoveredLocked notes that it is not known of any file of the table whether it
// is power safe.
func (t *Table) recoveredLocked() {
	for _, x := range append(t.refsLocked(), &t.rec.L) {
		if x.Gen != 0 {
			t.unsafeLocked(t.genPath(x.Gen))
		}
		if x.Keys != 0 {
			t.unsafeLocked(t.keysPath(x.Keys))
		}
	}
}

// syncContents makes the contents of all tables power safe, before the facts
// about them are.
func (c *Cache) syncContents() error {
	var failed error
	for _, t := range c.allTables() {
		if err := t.makeSafe(); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", t.path(), err))
		}
	}
	return failed
}

// syncFiles syncs files of one directory, and their names.
func (c *Cache) syncFiles(dir string, paths map[string]bool) error {
	if len(paths) == 0 {
		return nil
	}
	for path := range maps.Keys(paths) {
		if err := c.syncFile(path); err != nil {
			return err
		}
	}
	err := c.disk.SyncDir("safe:dir", dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the table is forgotten
	}
	return err
}

func (c *Cache) syncFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // replaced meanwhile
	}
	if err != nil {
		return err
	}
	return errors.Join(c.disk.Sync("safe:content", f), f.Close())
}

// saveAtLocked commits at the level; at Full the contents that the record names
// are made power safe first.
func (t *Table) saveAtLocked(level state.Level, write func(*state.Tx) error) error {
	if level == state.Full {
		if err := t.makeSafeLocked(); err != nil {
			return err
		}
	}
	return t.c.db.Update(level, write)
}
