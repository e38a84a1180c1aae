package cache

import "strings"

type invalidatorBox struct{ Invalidator }

// SetInvalidator is called once, before the first file operation.
func (c *Cache) SetInvalidator(inv Invalidator) { c.inv.Store(&invalidatorBox{inv}) }

// invalidate tells the kernel that a name (of a path inside) is bound anew, has
// come or gone. For tables there is nothing to tell (Attr.Rebound).
func (c *Cache) invalidate(dir, name string) {
	if box, at, shown := c.toTell(dir); shown && !strings.Contains(dir, "/") {
		box.Entry(at, name)
	}
}

// invalidateDir tells the kernel that the times of a directory (a path inside)
// have changed.
func (c *Cache) invalidateDir(dir string) {
	if box, at, shown := c.toTell(dir); shown {
		box.Dir(at)
	}
}

func (c *Cache) invalidateAttr(f *File) {
	if box := c.inv.Load(); box != nil {
		box.Attr(f)
	}
}

// toTell is whom to tell about a directory, and what it is called in the mount;
// false if it is not there, or nobody is to be told.
func (c *Cache) toTell(dir string) (box *invalidatorBox, at string, shown bool) {
	box = c.inv.Load()
	if box == nil || c.root != "" && dir == "" {
		return nil, "", false
	}
	if c.root == "" {
		return box, dir, true
	}
	return box, strings.TrimPrefix(strings.TrimPrefix(dir, c.root), "/"), true
}
