package cache

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// project is a directory of the mount.
type project struct {
	making sync.Mutex // one create in the store at a time; held across the call

	// Guarded by Cache.names.
	rec     projectRecord
	tables  map[backends.Kind]map[string]*Table // by shown name without ".csv"
	madeAt  time.Time                           // when it was made or renamed in the store from here
	drops   []time.Time                         // when tables went that others had deleted
	lacks   bool                                // the last list of projects does not have it
	event   time.Time                           // while it is fresh: when something was last made or written in it
	maker   process                             // while it is fresh: who made a directory in it last
	failure string                              // why the store could not be told of it the last time
	busy    bool                                // while it is fresh: a file in it was open at the last look
}

func newProject(rec projectRecord) *project {
	p := &project{rec: rec, tables: map[backends.Kind]map[string]*Table{}}
	for _, k := range backends.Kinds {
		p.tables[k] = map[string]*Table{}
	}
	if p.rec.Shown == nil {
		p.rec.Shown = map[backends.Kind]bool{}
	}
	return p
}

// shows reports whether the folder of the kind is there.
func (p *project) shows(kind backends.Kind) bool {
	return p.rec.Shown[kind] || p.rec.InStore && !p.rec.Hidden[kind] && !p.rec.Fresh
}

// showAll lets both folders be there.
func (p *project) showAll() {
	p.rec.Fresh, p.rec.Hidden = false, nil
	for _, k := range backends.Kinds {
		p.rec.Shown[k] = true
	}
}

// level is what a directory of the mount is.
type level uint8

const (
	rootDir level = iota
	projectDir
	kindDir
	scratchDir
)

// place is a directory, parsed.
type place struct {
	level   level
	path    string // inside: with the project, also where only one is mounted
	project *project
	kind    backends.Kind
}

// full is a path of the mount as it is inside.
func (c *Cache) full(p string) string {
	if c.root == "" {
		return p
	}
	return path.Join(c.root, p)
}

// placeLocked parses a directory path.
func (c *Cache) placeLocked(dir string) place {
	at := place{level: scratchDir, path: c.full(dir)}
	if at.path == "" {
		at.level = rootDir
		return at
	}
	parts := strings.Split(at.path, "/")
	p := c.projects[parts[0]]
	if p == nil || p.rec.Removed {
		return at
	}
	at.project = p
	switch {
	case len(parts) == 1:
		at.level = projectDir
	case len(parts) == 2 && slices.Contains(backends.Kinds[:], backends.Kind(parts[1])) && p.shows(backends.Kind(parts[1])):
		at.level, at.kind = kindDir, backends.Kind(parts[1])
	}
	return at
}

// disk is where scratch of the directory stands.
func (c *Cache) scratchPath(inside string) string { return filepath.Join(c.dir.Scratch(), inside) }

// tableName returns the name without ".csv" if a file of this name in a kind
// directory is a table (design section 4).
func tableName(name string) (string, bool) {
	stem, ok := strings.CutSuffix(name, ".csv")
	if !ok || stem == "" || strings.ContainsRune(".~#", rune(stem[0])) {
		return "", false
	}
	return stem, true
}

// checkName refuses names that a table or project can't have.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
	case len(name) > 255:
		return fmt.Errorf("%q is longer than 255 bytes: %w", name, ErrName)
	case strings.ContainsAny(name, `/\`):
	case name != strings.TrimSpace(name):
	case !utf8.ValidString(name) || strings.IndexFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0:
	default:
		return nil
	}
	return fmt.Errorf("%q can't be the name of a table or project (no / or \\, nothing unprintable, no outer spaces): %w", name, ErrName)
}

// checkCaseLocked refuses a name that is another one but for case.
func checkCase[T any](taken map[string]T, name string, there func(T) bool) error {
	for other, x := range taken {
		if other != name && strings.EqualFold(other, name) && there(x) {
			return fmt.Errorf("%q differs from %q only by case: %w", name, other, fs.ErrExist)
		}
	}
	return nil
}

func (t *Table) visible() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Gone == nil
}

// Lookup finds a name. It never goes to the network.
func (c *Cache) Lookup(_ context.Context, dir, name string) (Node, error) {
	c.names.Lock()
	defer c.names.Unlock()
	return c.lookupLocked(c.placeLocked(dir), name)
}

func (c *Cache) lookupLocked(at place, name string) (Node, error) {
	switch at.level {
	case rootDir:
		if p := c.projects[name]; p != nil && !p.rec.Removed {
			return c.dirNodeLocked(name)
		}
	case projectDir:
		if k := backends.Kind(name); slices.Contains(backends.Kinds[:], k) && at.project.shows(k) {
			return c.dirNodeLocked(path.Join(at.path, name))
		}
	case kindDir:
		if stem, ok := tableName(name); ok {
			if t := at.project.tables[at.kind][stem]; t != nil && t.visible() {
				return t.node()
			}
		}
	}
	node, err := c.scratchNodeLocked(path.Join(at.path, name))
	if err == nil && backs(at, name, node.Attr.Mode&syscall.S_IFMT == syscall.S_IFDIR) {
		return Node{}, &fs.PathError{Op: "lookup", Path: path.Join(at.path, name), Err: fs.ErrNotExist}
	}
	return node, err
}

// dirNodeLocked is a project or kind directory. Its mode and times are those of
// the scratch directory behind it.
func (c *Cache) dirNodeLocked(inside string) (Node, error) {
	p := c.scratchPath(inside)
	if err := c.disk.MkdirAll("scratch:mkdir", p, 0o755); err != nil {
		return Node{}, err
	}
	return c.scratchNodeLocked(inside)
}

// scratchNodeLocked is what stands on the local disk.
func (c *Cache) scratchNodeLocked(inside string) (Node, error) {
	p := c.scratchPath(inside)
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return Node{}, &fs.PathError{Op: "lookup", Path: inside, Err: err}
	}
	attr := attrOf(&st)
	id := diskID{dev: st.Dev, ino: st.Ino}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		attr.Ino = c.scratchIno(id.ino)
		attr.Gen = uint64(st.Mode & syscall.S_IFMT)
		return Node{Attr: attr}, nil
	}
	f := c.scratch[id]
	if f == nil {
		f = &File{c: c, ino: c.scratchIno(id.ino), gen: c.nextGen(), path: p, disk: id}
		f.origin = c.readOrigin(id, &st)
		c.scratch[id] = f
	} else {
		f.mu.Lock()
		f.path = p
		f.mu.Unlock()
	}
	attr.Ino, attr.Gen = f.ino, f.gen
	return Node{Attr: attr, File: f}, nil
}

// scratchBit keeps the inode numbers of scratch, which are those of the local
// disk, apart from those of tables.
const (
	scratchBit   = 1 << 48
	secondBit    = 1 << 49 // where a table still shows the number that a new file has got
	firstTableNo = 1 << 40
)

func (c *Cache) scratchIno(disk uint64) uint64 {
	ino := disk | scratchBit
	if c.inoTaken[ino] {
		return disk | scratchBit | secondBit
	}
	return ino
}

// node is the table's file as it is now.
func (t *Table) node() (Node, error) {
	t.mu.Lock()
	f := t.fileLocked()
	t.mu.Unlock()
	attr, err := f.lookupAttr()
	return Node{Attr: attr, File: f}, err
}

// fileLocked is the File of L.
func (t *Table) fileLocked() *File {
	f := t.files[t.rec.L.Gen]
	if f == nil {
		f = t.c.newTableFile(t, t.rec.L.Gen)
		t.files[t.rec.L.Gen] = f
		t.protectLocked()
	}
	return f
}

// newTableFile makes the File of a generation.
func (c *Cache) newTableFile(t *Table, gen uint64) *File {
	return &File{c: c, ino: t.rec.Ino, gen: c.nextGen(), table: t, tgen: gen}
}

// Attr is what stat shows of a directory, symlink or special file.
func (c *Cache) Attr(_ context.Context, p string) (Attr, error) {
	c.names.Lock()
	defer c.names.Unlock()
	inside := c.full(p)
	at := c.placeLocked(p)
	if at.level != scratchDir {
		node, err := c.dirNodeLocked(inside)
		return node.Attr, err
	}
	node, err := c.scratchNodeLocked(inside)
	return node.Attr, err
}

// SetAttr changes the attributes of a directory.
func (c *Cache) SetAttr(ctx context.Context, p string, set SetAttr) (Attr, error) {
	if c.cfg.ReadOnly {
		return Attr{}, ErrReadOnly
	}
	if err := setDiskAttr(c.scratchPath(c.full(p)), unix.AT_SYMLINK_NOFOLLOW, set); err != nil {
		return Attr{}, err
	}
	return c.Attr(ctx, p)
}

// ReadDir lists a directory: what is bound, and scratch.
func (c *Cache) ReadDir(ctx context.Context, dir string) ([]DirEntry, error) {
	c.freshness.listed(dir)
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	var list []DirEntry
	taken := map[string]bool{}
	add := func(name string, node Node, err error) {
		if err != nil {
			c.log.Warn("entry left out of a listing", "path", path.Join(dir, name), "error", err)
			return
		}
		taken[name] = true
		list = append(list, DirEntry{Name: name, Attr: node.Attr})
	}
	switch at.level {
	case rootDir:
		for name, p := range c.projects {
			if !p.rec.Removed {
				node, err := c.dirNodeLocked(name)
				add(name, node, err)
			}
		}
	case projectDir:
		for _, k := range backends.Kinds {
			if at.project.shows(k) {
				node, err := c.dirNodeLocked(path.Join(at.path, string(k)))
				add(string(k), node, err)
			}
		}
	case kindDir:
		for name, t := range at.project.tables[at.kind] {
			if t.visible() {
				node, err := t.node()
				add(name+".csv", node, err)
			}
		}
	}
	entries, err := os.ReadDir(c.scratchPath(at.path))
	if err != nil && (at.level == scratchDir || !os.IsNotExist(err)) {
		return nil, err
	}
	for _, e := range entries {
		if taken[e.Name()] || backs(at, e.Name(), e.IsDir()) {
			continue
		}
		node, err := c.scratchNodeLocked(path.Join(at.path, e.Name()))
		add(e.Name(), node, err)
	}
	return list, nil
}

// backs reports whether an entry on the local disk is the directory behind a
// project or folder, which is shown only while that is there.
func backs(at place, name string, isDir bool) bool {
	switch at.level {
	case rootDir:
		return isDir && !strings.HasPrefix(name, ".")
	case projectDir:
		return isDir && slices.Contains(backends.Kinds[:], backends.Kind(name))
	}
	return false
}

// saveProjectLocked writes a project down.
func (c *Cache) saveProjectLocked(p *project) error {
	return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put(kindProject, p.rec.Name, &p.rec) })
}

// allTables returns all tables.
func (c *Cache) allTables() []*Table {
	c.names.Lock()
	defer c.names.Unlock()
	var list []*Table
	for _, t := range c.tables {
		list = append(list, t)
	}
	return list
}

// editorMarker reports whether an editor's marker stands beside the file: it has
// the file open and will complain if it changes (facts/saves.md R11).
func (c *Cache) editorMarker(dir, name string) bool {
	base := c.scratchPath(dir)
	for _, marker := range []string{"." + name + ".swp", ".#" + name, ".~lock." + name + "#", "." + name + ".kate-swp"} {
		if _, err := os.Lstat(filepath.Join(base, marker)); err == nil {
			return true
		}
	}
	return false
}
