package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// tableToTable is `mv a.csv b.csv`: a rename of the table, or, where b is there
// (or was, a moment ago), an edit of b that replaces its content.
func (r *renaming) tableToTable() error {
	if r.from.project != r.to.project || r.from.kind != r.to.kind {
		return fmt.Errorf("%s: %w", path.Join(r.to.path, r.newName), ErrCrossKind)
	}
	switch {
	case r.src == nil:
		return &fs.PathError{Op: "rename", Path: path.Join(r.from.path, r.oldName), Err: fs.ErrNotExist}
	case r.dst != nil:
		err := r.replaceTable()
		if errors.Is(err, errMoved) {
			r.resolve()
			return r.tableToTable()
		}
		return err
	case r.c.canRename() || r.src.onlyHere():
		return r.renameTable()
	}
	// A store that can't rename: a new table gets the content, and the old one is
	// deleted when the new one is there.
	b, err := r.c.tableForLocked(r.to, r.stem)
	if err != nil {
		return err
	}
	r.dst = b
	if err := r.replaceTable(); err != nil {
		r.c.dropTableLocked(b)
		return err
	}
	return nil
}

// onlyHere reports whether the store has not been told of the table.
func (t *Table) onlyHere() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.rec.InStore && t.intent == nil
}

// canRename reports whether the store renames tables.
func (c *Cache) canRename() bool {
	_, can := c.store.Backend.(backends.Renamer)
	return can
}

// renameTable gives the table a new name; rows, ids and history stay. The store
// follows after the settle time.
func (r *renaming) renameTable() error {
	c, t := r.c, r.src
	if err := checkName(r.stem); err != nil {
		return err
	}
	tables := r.from.project.tables[r.from.kind]
	other := func(o *Table) bool { return o != t && o.visible() }
	if err := checkCase(tables, r.stem, other); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.rec
	delete(tables, t.rec.Name)
	t.rec.Name = r.stem
	t.movedLocked()
	if t.rec.InStore {
		t.rec.NewName = r.stem
		if t.rec.Ref.Name == r.stem {
			t.rec.NewName = "" // back to the store's name
		}
	} else {
		t.rec.Ref.Name = r.stem
		t.rec.Decision = nil // what was held because of its name is judged again
	}
	t.rec.Renamed = time.Now()
	if err := t.saveLocked(state.Normal); err != nil {
		t.rec = old
		tables[old.Name] = t
		return err
	}
	tables[r.stem] = t
	t.quiet = time.Now()
	t.wakeLocked(c.settle())
	c.touchDir(r.from)
	if t.rec.L.Gen != 0 {
		return t.writeName()
	}
	return nil
}

// replaceTable makes a's file the content of b. a itself is then gone: it is
// deleted in the store later, when everything before has reached it.
func (r *renaming) replaceTable() error {
	c, a, b := r.c, r.src, r.dst
	if err := b.makeDir(); err != nil {
		return err
	}
	ino, err := c.nextIno()
	if err != nil {
		return err
	}
	b.begin()
	defer b.end()
	a.mu.Lock()
	f, gen := a.fileLocked(), a.rec.L.Gen
	err = a.unshareLocked(gen)
	a.mu.Unlock()
	if err != nil {
		return err
	}
	b.mu.Lock()
	to := b.newGenLocked()
	b.mu.Unlock()
	if err := c.disk.Link("replace:link", a.genPath(gen), b.genPath(to)); err != nil {
		return err
	}
	err = r.check(b, to, a.path())
	if err == nil && !r.stillThere(a, b, gen) {
		err = errMoved
	}
	if err != nil {
		return errors.Join(err, c.disk.Remove("replace:undo", b.genPath(to)))
	}
	// First b has the content, then a loses it: at no moment it is nowhere.
	b.mu.Lock()
	var st unix.Stat_t
	if err = unix.Stat(b.genPath(to), &st); err == nil {
		s := save{Seq: b.rec.Save.Seq + 1, How: byRename, Time: time.Now(), Len: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}
		s.Known, s.Doubt = b.knownByLocked("", 0)
		b.rec.Gone = nil
		b.rec.Ino = f.ino
		b.rec.Replaces = a.rec.InStore
		err = b.newSaveLocked(s, content{Gen: to, Len: st.Size, Arrival: s.Known})
	}
	b.mu.Unlock()
	if err != nil {
		return errors.Join(err, c.disk.Remove("replace:undo", b.genPath(to)))
	}
	a.mu.Lock()
	a.unbindLocked(f, gen)
	a.rec.L = content{}
	a.rec.Ino = ino
	a.rec.Gone = &gone{Since: time.Now(), Replaced: true, Heir: b.id}
	err = a.saveLocked(state.Normal)
	a.wakeLocked(c.cfg.DeleteAfter)
	a.mu.Unlock()
	c.inoTaken[ino] = true
	if rerr := c.disk.Remove("replace:source", a.genPath(gen)); rerr != nil {
		c.log.Warn("file left behind", "path", a.genPath(gen), "error", rerr)
	}
	b.mu.Lock()
	f.mu.Lock()
	f.table, f.tgen = b, to
	for h := range f.handles {
		h.opened.Store(true)
		if h.writable {
			b.writers[h] = struct{}{}
		} else {
			b.readers++
		}
	}
	f.mu.Unlock()
	b.files[to] = f
	b.protectLocked()
	b.mu.Unlock()
	c.touchDir(r.from)
	return err
}

// stillThere reports whether a still has that content, and b is still a table.
func (r *renaming) stillThere(a, b *Table, gen uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rec.L.Gen == gen && a.rec.Gone == nil && r.c.tables[a.id] == a && r.c.tables[b.id] == b
}

// exchange swaps two names (RENAME_EXCHANGE).
func (r *renaming) exchange() error {
	c := r.c
	from := c.scratchPath(path.Join(r.from.path, r.oldName))
	to := c.scratchPath(path.Join(r.to.path, r.newName))
	if r.src == nil && !r.ontoTable {
		if err := c.disk.Exchange("scratch:exchange", from, to); err != nil {
			return err
		}
		c.swapPathsLocked(from, to)
		return nil
	}
	if r.src != nil && r.ontoTable {
		return fmt.Errorf("%s: two tables can't be exchanged: %w", path.Join(r.from.path, r.oldName), syscall.EINVAL)
	}
	// A table and a scratch file: by way of a third name.
	inTable, inScratch := r.from, r.to
	tableFile, scratchFile := r.oldName, r.newName
	if r.src == nil {
		inTable, inScratch = r.to, r.from
		tableFile, scratchFile = r.newName, r.oldName
	}
	third := ".exchange-" + randomID()
	steps := []struct {
		from, to         place
		oldName, newName string
	}{
		{inTable, inScratch, tableFile, third},
		{inScratch, inTable, scratchFile, tableFile},
		{inScratch, inScratch, third, scratchFile},
	}
	for i, s := range steps {
		step := renaming{c: c, caller: r.caller, from: s.from, to: s.to, oldName: s.oldName, newName: s.newName}
		step.resolve()
		if err := step.do(); err != nil {
			if i == 1 {
				undo := renaming{c: c, caller: r.caller, from: inScratch, to: inTable, oldName: third, newName: tableFile}
				undo.resolve()
				return errors.Join(err, undo.do())
			}
			return err
		}
	}
	return nil
}

// swapPathsLocked follows an exchange among scratch.
func (c *Cache) swapPathsLocked(a, b string) {
	const third = "\x00"
	c.movePathsLocked(a, third)
	c.movePathsLocked(b, a)
	c.movePathsLocked(third, b)
}
