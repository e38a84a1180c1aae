package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache/state"
)

// Facts that are power safe must not name bytes that are not. What a table's
// contents are written into is noted, and synced before the next commit at Full
// of the table's record; what no such commit needs is synced in the background,
// before all facts are made power safe.

// unsafeFile is what of a file a power cut could take away.
type unsafeFile struct {
	seq   uint64 // of the note: one that came while the file was being synced stays
	name  bool
	bytes bool
}

// unsafeLocked notes that a power cut could take away what was written to a file of
// the table, and with name also that there is one.
func (t *Table) unsafeLocked(path string, name bool) {
	if t.unsafe == nil {
		t.unsafe = map[string]unsafeFile{}
	}
	t.unsafeSeq++
	t.unsafe[path] = unsafeFile{seq: t.unsafeSeq, name: name || t.unsafe[path].name, bytes: true}
}

// noteUnsafe is unsafeLocked for a new file.
func (t *Table) noteUnsafe(path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsafeLocked(path, true)
}

// makeSafe syncs all files of the table that are not power safe. It is called
// without locks before work that ends in a commit at Full, so that little is left
// to do under the lock (saveAtLocked).
func (t *Table) makeSafe() error {
	t.mu.Lock()
	files := maps.Clone(t.unsafe)
	t.mu.Unlock()
	if err := t.c.syncFiles(t.dir, files); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for path, f := range files {
		if t.unsafe[path].seq == f.seq {
			delete(t.unsafe, path)
		}
	}
	return nil
}

// makeSafeLocked is makeSafe with the lock held.
func (t *Table) makeSafeLocked() error {
	err := t.c.syncFiles(t.dir, t.unsafe)
	if err == nil {
		t.unsafe = nil
	}
	return err
}

// bytesSyncedLocked notes that a program has synced L as it was then. What is noted
// of L must be just that.
func (t *Table) bytesSyncedLocked(f *File, then *unix.Stat_t) {
	last := &t.rec.Save
	if f != t.files[t.rec.L.Gen] || then.Size != last.Len || then.Mtim.Nano() != last.Mtime || then.Ctim.Nano() != last.Ctime {
		return
	}
	path := t.genPath(t.rec.L.Gen)
	switch entry, noted := t.unsafe[path]; {
	case noted && entry.name:
		entry.bytes = false
		t.unsafe[path] = entry
	case noted:
		delete(t.unsafe, path)
	}
}

// recoveredLocked notes that it is not known of any file of the table whether it
// is power safe.
func (t *Table) recoveredLocked() {
	for _, x := range append(t.refsLocked(), &t.rec.L) {
		if x.Gen != 0 {
			t.unsafeLocked(t.genPath(x.Gen), true)
		}
		if x.Keys != 0 {
			t.unsafeLocked(t.keysPath(x.Keys), true)
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

// syncFiles syncs files of one directory, and their names where that is needed.
func (c *Cache) syncFiles(dir string, files map[string]unsafeFile) error {
	names := false
	for path, f := range files {
		names = names || f.name
		if !f.bytes {
			continue
		}
		if err := c.syncFile(path); err != nil {
			return err
		}
	}
	if !names {
		return nil
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
