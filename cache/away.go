package cache

import (
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache/state"
)

// away is a rename of a table to a scratch name. The store keeps the table; if
// the name does not come back it is held.
func (r *renaming) away() error {
	c, t := r.c, r.src
	if err := c.ensureBackingLocked(r.to); err != nil {
		return err
	}
	ino, err := c.nextIno()
	if err != nil {
		return err
	}
	to := c.scratchPath(path.Join(r.to.path, r.newName))
	c.forgetPathLocked(to)
	t.mu.Lock()
	defer t.mu.Unlock()
	gen := t.rec.L.Gen
	f := t.fileLocked()
	if err := t.unshareLocked(gen); err != nil {
		return err
	}
	if err := c.disk.Rename("away:move", t.genPath(gen), to); err != nil {
		return err
	}
	held := origin{Table: t.id, Arrival: t.rec.L.Arrival}
	t.rec.L = content{}
	t.rec.Gone = &gone{Since: time.Now(), Renamed: true}
	t.rec.Ino = ino
	c.inoTaken[ino] = true
	t.unbindLocked(f, gen)
	if err := c.scratchFromLocked(f, to, held); err != nil {
		return err
	}
	c.touchDir(r.from)
	c.touchDir(r.to)
	t.wakeLocked(c.settle())
	return t.saveLocked(state.Normal)
}

// unbindLocked: the file is no content of the table any more.
func (t *Table) unbindLocked(f *File, gen uint64) {
	delete(t.files, gen)
	f.mu.Lock()
	defer f.mu.Unlock()
	for h := range f.handles {
		if h.opened.Swap(false) && !h.writable {
			t.readers--
		}
		delete(t.writers, h)
	}
	f.protected.Store(0)
}

// scratchFromLocked makes a table's file a scratch file that stands at p.
func (c *Cache) scratchFromLocked(f *File, p string, from origin) error {
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return wrapPath("rename", p, err)
	}
	id := diskID{dev: st.Dev, ino: st.Ino}
	f.mu.Lock()
	f.table, f.tgen, f.path, f.disk, f.origin = nil, 0, p, id, from
	f.mu.Unlock()
	c.scratch[id] = f
	return c.putOrigin(id, &st, from)
}
