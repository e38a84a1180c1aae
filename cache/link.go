package cache

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// Link makes a second name. Among scratch it is a hard link. A link of a table is
// a file of its own with what the table holds now: programs make one to keep the
// old version before they rename a new one onto the table. A table can't be a link.
func (c *Cache) Link(ctx context.Context, file *File, dir, name string) (Node, error) {
	if t, tgen, _ := file.place(); t != nil && tgen == 0 {
		if err := t.loadFor(ctx, file); err != nil {
			return Node{}, err
		}
	}
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	if err := c.writable(at, name); err != nil {
		return Node{}, err
	}
	inside := path.Join(at.path, name)
	if _, ok := tableName(name); ok && at.level == kindDir {
		return Node{}, fmt.Errorf("%s: a table can't be a hard link; copy it: %w", inside, ErrNotPermitted)
	}
	if _, err := c.lookupLocked(at, name); err == nil {
		return Node{}, &fs.PathError{Op: "link", Path: inside, Err: fs.ErrExist}
	}
	if err := c.ensureBackingLocked(at); err != nil {
		return Node{}, err
	}
	if t, _, _ := file.place(); t != nil {
		return c.keepAsLocked(t, inside)
	}
	if err := os.Link(file.diskPath(), c.scratchPath(inside)); err != nil {
		return Node{}, err
	}
	return c.scratchNodeLocked(inside)
}

// keepAsLocked copies what a table holds to a scratch file.
func (c *Cache) keepAsLocked(t *Table, inside string) (Node, error) {
	to := c.scratchPath(inside)
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.genPath(t.rec.L.Gen)
	var st unix.Stat_t
	if err := unix.Stat(from, &st); err != nil {
		return Node{}, wrapPath("link", t.path(), err)
	}
	if _, err := c.disk.Copy("link:copy", to, from, st.Size); err != nil {
		return Node{}, err
	}
	mode, uid, gid, mtime := st.Mode&0o7777, st.Uid, st.Gid, timeOf(st.Mtim)
	set := SetAttr{Mode: &mode, Mtime: &mtime}
	if os.Geteuid() == 0 {
		set.UID, set.GID = &uid, &gid
	}
	if err := setDiskAttr(to, unix.AT_SYMLINK_NOFOLLOW, set); err != nil {
		return Node{}, err
	}
	if err := unix.Lstat(to, &st); err != nil {
		return Node{}, wrapPath("link", inside, err)
	}
	if err := c.putOrigin(diskID{dev: st.Dev, ino: st.Ino}, &st, origin{Table: t.id, Arrival: t.rec.L.Arrival}); err != nil {
		return Node{}, err
	}
	return c.scratchNodeLocked(inside)
}
