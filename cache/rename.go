package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends/table"
)

// Rename renames. What it means depends on what the names are: see the cases.
func (c *Cache) Rename(ctx context.Context, oldDir, oldName, newDir, newName string, flags RenameFlags, caller Caller) error {
	if flags&^(RenameNoReplace|RenameExchange) != 0 {
		return fmt.Errorf("rename flags %#x: %w", flags, syscall.EINVAL)
	}
	if err := c.loadForRename(ctx, oldDir, oldName, newDir, newName, flags); err != nil {
		return err
	}
	c.names.Lock()
	defer c.names.Unlock()
	r := renaming{c: c, flags: flags, caller: caller,
		from: c.placeLocked(oldDir), to: c.placeLocked(newDir), oldName: oldName, newName: newName}
	if err := c.writable(r.from, oldName); err != nil {
		return err
	}
	if err := c.writable(r.to, newName); err != nil {
		return err
	}
	r.resolve()
	return r.do()
}

// loadForRename loads a table whose bytes a rename is about to move elsewhere.
func (c *Cache) loadForRename(ctx context.Context, oldDir, oldName, newDir, newName string, flags RenameFlags) error {
	c.names.Lock()
	r := renaming{c: c, from: c.placeLocked(oldDir), to: c.placeLocked(newDir), oldName: oldName, newName: newName}
	r.resolve()
	c.names.Unlock()
	need := []*Table{}
	if r.src != nil && (!r.ontoTable || r.dst != nil || !c.canRename() && !r.src.onlyHere()) {
		need = append(need, r.src)
	}
	if r.dst != nil && flags&RenameExchange != 0 {
		need = append(need, r.dst)
	}
	for _, t := range need {
		t.mu.Lock()
		f := t.fileLocked()
		t.mu.Unlock()
		if f.tgenNow() == 0 && t.visible() {
			if err := t.loadFor(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// renaming is one rename under Cache.names.
type renaming struct {
	c                *Cache
	flags            RenameFlags
	caller           Caller
	from, to         place
	oldName, newName string

	src       *Table // the source is a table
	dst       *Table // the target name is or was a table's
	ontoTable bool   // the target name is a table's name
	stem      string // of the target, without ".csv"
}

func (r *renaming) resolve() {
	r.src, r.dst, r.ontoTable, r.stem = nil, nil, false, ""
	if stem, ok := tableName(r.oldName); ok && r.from.level == kindDir {
		if t := r.from.project.tables[r.from.kind][stem]; t != nil && t.visible() {
			r.src = t
		}
	}
	if stem, ok := tableName(r.newName); ok && r.to.level == kindDir {
		r.ontoTable, r.stem = true, stem
		r.dst = r.to.project.tables[r.to.kind][stem]
	}
}

func (r *renaming) do() error {
	source, err := r.c.lookupLocked(r.from, r.oldName)
	if err != nil {
		return err
	}
	target, terr := r.c.lookupLocked(r.to, r.newName)
	exists := terr == nil
	isDir := source.Attr.Mode&syscall.S_IFMT == syscall.S_IFDIR
	switch {
	case exists && r.flags&RenameNoReplace != 0:
		return &fs.PathError{Op: "rename", Path: path.Join(r.to.path, r.newName), Err: fs.ErrExist}
	case !exists && r.flags&RenameExchange != 0:
		return terr
	case exists && source.Attr.Ino == target.Attr.Ino && source.Attr.Gen == target.Attr.Gen:
		return nil
	case r.from.level == rootDir && isDir && !strings.HasPrefix(r.oldName, "."), r.isFolder(r.from, r.oldName, isDir):
		return r.renameProject()
	case r.flags&RenameExchange != 0:
		return r.exchange()
	case r.src != nil && r.ontoTable:
		return r.tableToTable()
	case r.src != nil:
		if exists && target.Attr.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			return fmt.Errorf("%s: %w", r.newName, ErrIsDir)
		}
		return r.away()
	case r.ontoTable && source.File != nil:
		return r.onto(source.File)
	case r.ontoTable && !isDir, r.to.level == rootDir && isDir && !strings.HasPrefix(r.newName, "."):
		return fmt.Errorf("%s: %w", path.Join(r.to.path, r.newName), ErrNotPermitted)
	}
	return r.scratch()
}

// isFolder: datasets or experiments of a project.
func (r *renaming) isFolder(at place, name string, isDir bool) bool {
	return at.level == projectDir && backs(at, name, isDir)
}

// scratch renames among scratch.
func (r *renaming) scratch() error {
	c := r.c
	if err := c.ensureBackingLocked(r.to); err != nil {
		return err
	}
	from := c.scratchPath(path.Join(r.from.path, r.oldName))
	to := c.scratchPath(path.Join(r.to.path, r.newName))
	c.forgetPathLocked(to)
	if err := c.disk.Rename("scratch:rename", from, to); err != nil {
		return err
	}
	c.movePathsLocked(from, to)
	return nil
}

// movePathsLocked follows a rename of a scratch file or directory.
func (c *Cache) movePathsLocked(from, to string) {
	for _, f := range c.scratch {
		f.mu.Lock()
		if f.path == from {
			f.path = to
		} else if rest, ok := strings.CutPrefix(f.path, from+"/"); ok {
			f.path = filepath.Join(to, rest)
		}
		f.mu.Unlock()
	}
}

// forgetPathLocked: the scratch file of this name is about to lose it.
func (c *Cache) forgetPathLocked(p string) {
	var st unix.Stat_t
	if unix.Lstat(p, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return
	}
	id := diskID{dev: st.Dev, ino: st.Ino}
	f := c.scratch[id]
	if f == nil {
		return
	}
	f.mu.Lock()
	if f.path == p {
		f.path = ""
	}
	f.mu.Unlock()
	if st.Nlink <= 1 {
		delete(c.scratch, id)
		c.dropOrigin(id)
	}
}

// onto is a rename of a scratch file onto a table's name: an edit of the table
// as a whole. It is checked and recorded, not sent. If it answers an error
// nothing has changed.
func (r *renaming) onto(f *File) error {
	c := r.c
	known := r.dst != nil
	t, err := c.tableForLocked(r.to, r.stem)
	if err != nil {
		return err
	}
	err = r.adopt(t, f)
	if errors.Is(err, errMoved) {
		r.resolve()
		return r.onto(f)
	}
	if err != nil && !known {
		c.dropTableLocked(t)
	}
	return err
}

// errMoved: while the bytes were checked, which happens without a lock, something
// got another name.
var errMoved = errors.New("renamed meanwhile")

func (r *renaming) adopt(t *Table, f *File) error {
	c := r.c
	if err := t.makeDir(); err != nil {
		return err
	}
	from := f.diskPath()
	t.begin()
	defer t.end()
	t.mu.Lock()
	gen := t.newGenLocked()
	t.mu.Unlock()
	var st unix.Stat_t
	if err := unix.Lstat(from, &st); err != nil {
		return wrapPath("rename", from, err)
	}
	var err error
	linked := st.Nlink > 1
	if linked {
		// It has other names, which stay: what is written there must not be the table's.
		f, err = c.copyOf(f, t, gen, st.Size)
	} else {
		err = c.disk.Link("rename:link", from, t.genPath(gen))
	}
	if err != nil {
		return err
	}
	err = r.check(t, gen, from)
	if err == nil && (c.tables[t.id] != t || !linked && f.diskPath() != from) {
		err = errMoved
	}
	if err != nil {
		return errors.Join(err, c.disk.Remove("rename:undo", t.genPath(gen)))
	}
	t.mu.Lock()
	err = r.bindLocked(t, f, gen)
	t.mu.Unlock()
	if err != nil {
		return errors.Join(err, c.disk.Remove("rename:undo", t.genPath(gen)))
	}
	if linked {
		c.forgetPathLocked(from)
	}
	if err := c.disk.Remove("rename:source", from); err != nil {
		c.log.Warn("the old name of a renamed file is left behind", "path", from, "error", err)
	}
	c.touchDir(r.from)
	c.touchDir(r.to)
	return nil
}

// copyOf makes a file of its own of one that has other names.
func (c *Cache) copyOf(f *File, t *Table, gen uint64, size int64) (*File, error) {
	if _, err := c.disk.Copy("rename:copy", t.genPath(gen), f.diskPath(), size); err != nil {
		return nil, err
	}
	ino, err := c.nextIno()
	if err != nil {
		return nil, errors.Join(err, c.disk.Remove("rename:undo", t.genPath(gen)))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return &File{c: c, ino: ino, gen: c.nextGen(), table: t, tgen: gen, creator: f.creator, created: f.created, origin: f.origin}, nil
}

// check judges the bytes that are about to become the table's. What is refused
// is kept in lost+found.
func (r *renaming) check(t *Table, gen uint64, from string) error {
	info, err := os.Stat(t.genPath(gen))
	if err != nil {
		return err
	}
	if info.Size() > checkMax {
		return nil // judged after the settle time
	}
	problem, err := r.problemOf(t, content{Gen: gen, Len: info.Size()})
	if err != nil {
		r.c.log.Warn("save not checked at rename", "path", t.path(), "error", err)
		return nil
	}
	if problem == nil || problem.Beginning {
		return nil
	}
	kept := filepath.Join(r.c.dir.LostFound(), strings.ReplaceAll(t.path(), "/", "_")+"."+time.Now().UTC().Format("20060102T150405.000000000Z")+".csv")
	if _, err := r.c.disk.Copy("rename:refused", kept, t.genPath(gen), info.Size()); err != nil {
		return err
	}
	r.c.log.Warn("rename refused", "path", t.path(), "reason", problem.Error(), "from", from, "copy", kept)
	return fmt.Errorf("%s: %w: %w", t.path(), ErrInvalid, problem)
}

// problemOf parses and compares, for which no lock may be held. No other change of
// the two names can come in between: the kernel makes one at a time in a directory.
func (r *renaming) problemOf(t *Table, x content) (*table.Problem, error) {
	r.c.names.Unlock()
	defer r.c.names.Lock()
	return t.problemOf(x)
}

// bindLocked makes the file the table's content.
func (r *renaming) bindLocked(t *Table, f *File, gen uint64) error {
	c := r.c
	var st unix.Stat_t
	if err := unix.Stat(t.genPath(gen), &st); err != nil {
		return wrapPath("rename", t.path(), err)
	}
	f.mu.Lock()
	creator, created, origin := f.creator, f.created, f.origin
	f.mu.Unlock()
	s := save{Seq: t.rec.Save.Seq + 1, How: byRename, Time: time.Now(),
		Len: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}
	if origin.Table == t.id {
		s.Known = origin.Arrival
	} else {
		s.Known, s.Doubt = t.knownByLocked(creator, created)
	}
	old := t.rec
	t.rec.Gone = nil
	t.rec.Ino = f.ino
	if err := t.newSaveLocked(s, content{Gen: gen, Len: st.Size, Arrival: s.Known}); err != nil {
		t.rec = old
		return err
	}
	c.inoTaken[f.ino] = true
	if owner, _, _ := f.place(); owner == nil {
		delete(c.scratch, f.disk)
		c.dropOrigin(f.disk)
	}
	f.mu.Lock()
	f.table, f.tgen, f.path = t, gen, ""
	handles := f.handles
	for h := range handles {
		h.opened.Store(true)
		if h.writable {
			t.writers[h] = struct{}{}
		} else {
			t.readers++
		}
	}
	f.mu.Unlock()
	t.files[gen] = f
	t.protectLocked()
	return nil
}
