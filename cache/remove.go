package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// justBefore is how long ago a process must have read a table for its unlink to
// count as the end of a move to another disk.
const justBefore = 10 * time.Second

// Unlink removes a name. A table is hidden; the store is told later, if the name
// has not come back (step in gone.go).
func (c *Cache) Unlink(_ context.Context, dir, name string, caller Caller) error {
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	if err := c.writable(at, name); err != nil {
		return err
	}
	if stem, ok := tableName(name); ok && at.level == kindDir {
		if t := at.project.tables[at.kind][stem]; t != nil && t.visible() {
			return c.unlinkTableLocked(at, t, caller)
		}
	}
	if _, err := c.lookupLocked(at, name); err != nil {
		return err
	}
	p := c.scratchPath(path.Join(at.path, name))
	c.forgetPathLocked(p)
	return wrapPath("unlink", p, unix.Unlink(p))
}

func (c *Cache) unlinkTableLocked(at place, t *Table, caller Caller) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := &gone{Since: time.Now(), Moved: t.rec.InStore && t.readByLocked(caller.TID)}
	t.rec.Gone = g
	t.rec.Unsent = t.rec.Save.Seq > t.rec.CleanSeq
	if err := t.saveLocked(state.Normal); err != nil {
		t.rec.Gone = nil
		return err
	}
	t.wakeLocked(c.settle())
	c.touchDir(at)
	return nil
}

// readByLocked: this thread's process has opened the table for reading just now.
func (t *Table) readByLocked(tid uint32) bool {
	if tid == 0 {
		return false
	}
	proc := process("")
	for _, r := range t.lastReads {
		if time.Since(r.when) > justBefore {
			continue
		}
		if r.tid == tid {
			return true
		}
		if proc == "" {
			proc = processOf(tid)
		}
		if proc != "" && processOf(r.tid) == proc {
			return true
		}
	}
	return false
}

// lastRead is who opened the table for reading.
type lastRead struct {
	tid  uint32
	when time.Time
}

// noteReadLocked remembers the last few readers.
func (t *Table) noteReadLocked(tid uint32) {
	const keep = 4
	t.lastReads = append(t.lastReads, lastRead{tid, time.Now()})
	if len(t.lastReads) > keep {
		t.lastReads = t.lastReads[len(t.lastReads)-keep:]
	}
}

// Rmdir removes a directory. A project is deleted in the store later, after its
// tables; it is not empty while the store holds anything there that is not
// itself waiting to be deleted.
func (c *Cache) Rmdir(_ context.Context, dir, name string) error {
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	if err := c.writable(at, name); err != nil {
		return err
	}
	node, err := c.lookupLocked(at, name)
	if err != nil {
		return err
	}
	inside := path.Join(at.path, name)
	if node.Attr.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return fmt.Errorf("%s: %w", inside, ErrNotDir)
	}
	switch {
	case at.level == rootDir && !strings.HasPrefix(name, "."):
		return c.rmProjectLocked(c.projects[name])
	case at.level == projectDir && backs(at, name, true):
		return c.rmFolderLocked(at.project, backends.Kind(name), inside)
	}
	return wrapPath("rmdir", inside, unix.Rmdir(c.scratchPath(inside)))
}

// emptyLocked reports whether a folder of a project shows nothing.
func (c *Cache) emptyLocked(p *project, kind backends.Kind) bool {
	for _, t := range p.tables[kind] {
		if t.visible() {
			return false
		}
	}
	entries, err := os.ReadDir(c.scratchPath(path.Join(p.rec.Name, string(kind))))
	return err == nil && len(entries) == 0 || os.IsNotExist(err)
}

func (c *Cache) rmFolderLocked(p *project, kind backends.Kind, inside string) error {
	if !c.emptyLocked(p, kind) {
		return fmt.Errorf("%s: %w", inside, ErrNotEmpty)
	}
	p.rec.Shown[kind] = false
	if p.rec.Hidden == nil {
		p.rec.Hidden = map[backends.Kind]bool{}
	}
	p.rec.Hidden[kind] = true
	return c.saveProjectLocked(p)
}

func (c *Cache) rmProjectLocked(p *project) error {
	name := p.rec.Name
	for _, k := range backends.Kinds {
		if !c.emptyLocked(p, k) {
			return fmt.Errorf("%s: %w", name, ErrNotEmpty)
		}
	}
	entries, err := os.ReadDir(c.scratchPath(name))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, e := range entries {
		if !backs(place{level: projectDir}, e.Name(), e.IsDir()) {
			return fmt.Errorf("%s holds %s: %w", name, e.Name(), ErrNotEmpty)
		}
	}
	for _, k := range backends.Kinds {
		// The directories behind: empty, or they would have been refused above.
		if err := os.Remove(c.scratchPath(path.Join(name, string(k)))); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := os.Remove(c.scratchPath(name)); err != nil && !os.IsNotExist(err) {
		return err
	}
	if !p.rec.InStore && len(p.allLocked()) == 0 && p.making.TryLock() {
		p.making.Unlock() // nobody is making it in the store just now
		delete(c.projects, name)
		return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Delete(kindProject, name) })
	}
	p.rec.Removed, p.rec.Gone = true, &gone{Since: time.Now()}
	p.rec.Shown = map[backends.Kind]bool{}
	c.projectTimer(p)
	return c.saveProjectLocked(p)
}

// touchDir gives a directory of tables a new mtime, as a change of names does.
func (c *Cache) touchDir(at place) {
	if at.level == scratchDir {
		return
	}
	now := time.Now()
	if err := setDiskAttr(c.scratchPath(at.path), unix.AT_SYMLINK_NOFOLLOW, SetAttr{Mtime: &now}); err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Warn("directory time not set", "path", at.path, "error", err)
	}
}
