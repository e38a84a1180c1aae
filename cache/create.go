package cache

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// writable refuses changes of names in a read-only mount and in what is reserved.
func (c *Cache) writable(at place, name string) error {
	if c.cfg.ReadOnly {
		return fmt.Errorf("%s: %w", path.Join(at.path, name), ErrReadOnly)
	}
	if at.level == rootDir && name == ".ragasfs" {
		return fmt.Errorf("%s is reserved: %w", name, ErrNotPermitted)
	}
	if at.project != nil && at.project.rec.Fresh {
		at.project.event = time.Now()
	}
	return nil
}

// Create makes a file and opens it. In a folder of a project a name ending in
// .csv becomes a table of the store once its writers have closed it, it is a
// valid table and the settle time has passed; until then nobody else sees it.
func (c *Cache) Create(ctx context.Context, dir, name string, flags int, mode uint32, caller Caller) (Node, *Handle, error) {
	creator := processOf(caller.TID)
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	if err := c.writable(at, name); err != nil {
		return Node{}, nil, err
	}
	if at.level == kindDir {
		if stem, ok := tableName(name); ok {
			return c.createTableLocked(at, stem, flags, mode, caller, creator)
		}
	}
	inside := path.Join(at.path, name)
	if err := c.ensureBackingLocked(at); err != nil {
		return Node{}, nil, err
	}
	fd, err := c.disk.OpenFile("scratch:create", c.scratchPath(inside), os.O_RDWR|os.O_CREATE|flags&(syscall.O_EXCL|syscall.O_TRUNC|syscall.O_APPEND), fs.FileMode(mode&0o777))
	if err != nil {
		return Node{}, nil, err
	}
	if err := c.ownAs(fd, mode, caller); err != nil {
		_ = fd.Close() // the error that matters is err
		return Node{}, nil, err
	}
	node, err := c.scratchNodeLocked(inside)
	if err != nil {
		_ = fd.Close() // the error that matters is err
		return Node{}, nil, err
	}
	f := node.File
	f.mu.Lock()
	f.creator, f.created = creator, c.know.event()
	f.mu.Unlock()
	return node, f.newHandle(fd, flags, caller), nil
}

// ownAs gives a new file the mode that was asked for (our own umask must not
// count) and, where we may, the owner.
func (c *Cache) ownAs(fd *os.File, mode uint32, caller Caller) error {
	if err := unix.Fchmod(int(fd.Fd()), mode&0o7777); err != nil {
		return &fs.PathError{Op: "chmod", Path: fd.Name(), Err: err}
	}
	if os.Geteuid() == 0 && (caller.UID != 0 || caller.GID != 0) {
		return fd.Chown(int(caller.UID), int(caller.GID))
	}
	return nil
}

// ensureBackingLocked makes the directory behind a project or folder.
func (c *Cache) ensureBackingLocked(at place) error {
	if at.level == scratchDir {
		return nil
	}
	return c.disk.MkdirAll("scratch:mkdir", c.scratchPath(at.path), 0o755)
}

// createTableLocked makes a table, or gives a table whose name had gone a new
// content: then it is an edit of the same table.
func (c *Cache) createTableLocked(at place, stem string, flags int, mode uint32, caller Caller, creator process) (Node, *Handle, error) {
	known := at.project.tables[at.kind][stem] != nil
	t, err := c.tableForLocked(at, stem)
	if err != nil {
		return Node{}, nil, err
	}
	node, h, err := c.newContentLocked(t, flags, mode, caller, creator)
	if err != nil && !known {
		c.dropTableLocked(t)
	}
	if err == nil {
		c.touchDir(at)
	}
	return node, h, err
}

// newContentLocked gives a table whose name is free an empty content.
func (c *Cache) newContentLocked(t *Table, flags int, mode uint32, caller Caller, creator process) (Node, *Handle, error) {
	if err := t.makeDir(); err != nil {
		return Node{}, nil, err
	}
	t.mu.Lock()
	if t.rec.Gone == nil && (t.rec.L.Gen != 0 || t.rec.InStore) {
		t.mu.Unlock()
		return Node{}, nil, &fs.PathError{Op: "create", Path: t.path(), Err: fs.ErrExist}
	}
	gen := t.newGenLocked()
	fd, err := c.disk.OpenFile("table:create", t.genPath(gen), os.O_RDWR|os.O_CREATE|os.O_TRUNC|flags&syscall.O_APPEND, fs.FileMode(mode&0o777))
	if err == nil {
		err = c.ownAs(fd, mode, caller)
	}
	if err != nil {
		t.mu.Unlock()
		return Node{}, nil, err
	}
	f := c.newTableFile(t, gen)
	t.files[gen] = f
	h := f.newHandle(fd, flags, caller)
	h.proc = creator
	h.touch()
	h.opened.Store(true)
	t.writers[h] = struct{}{}
	known, doubt := t.knownByLocked(creator, ^uint64(0))
	s := save{Seq: t.rec.Save.Seq + 1, How: inPlace, Time: time.Now(), Known: known, Doubt: doubt, Open: true}
	var st unix.Stat_t
	if err := unix.Fstat(int(fd.Fd()), &st); err == nil {
		s.Len, s.Mtime, s.Ctime = st.Size, st.Mtim.Nano(), st.Ctim.Nano()
	}
	t.rec.Gone = nil
	err = t.newSaveLocked(s, content{Gen: gen, Arrival: known})
	t.mu.Unlock()
	if err != nil {
		h.Release()
		return Node{}, nil, err
	}
	node, err := t.node()
	return node, h, err
}

// tableForLocked returns the table that a name in a folder is or will be bound to.
func (c *Cache) tableForLocked(at place, stem string) (*Table, error) {
	tables := at.project.tables[at.kind]
	if t := tables[stem]; t != nil {
		return t, nil
	}
	if err := checkName(stem); err != nil {
		return nil, err
	}
	if err := checkCase(tables, stem, (*Table).visible); err != nil {
		return nil, err
	}
	ino, err := c.nextIno()
	if err != nil {
		return nil, err
	}
	t := c.newTable(record{ID: randomID(), Project: at.project.rec.Name, Kind: at.kind, Name: stem,
		Ref:       backends.Ref{Project: at.project.rec.Ref.Project, ProjectID: at.project.rec.Ref.ProjectID, Kind: at.kind, Name: stem},
		StoreSize: -1, StoreRows: -1, Ino: ino})
	tables[stem] = t
	c.tables[t.id] = t
	c.inoTaken[ino] = true
	return t, nil
}

func (c *Cache) nextIno() (uint64, error) {
	var n uint64
	err := c.db.Update(state.Normal, func(tx *state.Tx) (err error) {
		n, err = tx.Next("ino")
		return err
	})
	return firstTableNo + n, err
}

// Mknod makes a special file among scratch, or an empty file of either sort.
func (c *Cache) Mknod(ctx context.Context, dir, name string, mode, dev uint32, caller Caller) (Node, error) {
	if mode&syscall.S_IFMT == syscall.S_IFREG || mode&syscall.S_IFMT == 0 {
		node, h, err := c.Create(ctx, dir, name, syscall.O_WRONLY|syscall.O_EXCL, mode, caller)
		if err == nil {
			h.Release()
		}
		return node, err
	}
	return c.makeScratch(dir, name, caller, func(p string) error {
		return wrapPath("mknod", p, unix.Mknod(p, mode, int(dev)))
	})
}

// Symlink makes a symbolic link among scratch.
func (c *Cache) Symlink(_ context.Context, dir, name, target string, caller Caller) (Node, error) {
	return c.makeScratch(dir, name, caller, func(p string) error { return os.Symlink(target, p) })
}

// Readlink reads a symbolic link.
func (c *Cache) Readlink(_ context.Context, p string) (string, error) {
	return os.Readlink(c.scratchPath(c.full(p)))
}

// makeScratch makes something that is no regular file.
func (c *Cache) makeScratch(dir, name string, caller Caller, make func(path string) error) (Node, error) {
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	if err := c.writable(at, name); err != nil {
		return Node{}, err
	}
	if _, ok := tableName(name); ok && at.level == kindDir {
		return Node{}, fmt.Errorf("%s: a table must be a regular file: %w", path.Join(at.path, name), ErrNotPermitted)
	}
	if _, err := c.lookupLocked(at, name); err == nil {
		return Node{}, &fs.PathError{Op: "create", Path: path.Join(at.path, name), Err: fs.ErrExist}
	}
	if err := c.ensureBackingLocked(at); err != nil {
		return Node{}, err
	}
	inside := path.Join(at.path, name)
	p := c.scratchPath(inside)
	if err := make(p); err != nil {
		return Node{}, err
	}
	if os.Geteuid() == 0 && (caller.UID != 0 || caller.GID != 0) {
		if err := os.Lchown(p, int(caller.UID), int(caller.GID)); err != nil {
			return Node{}, err
		}
	}
	return c.scratchNodeLocked(inside)
}

// Mkdir makes a directory: at the top a project, elsewhere scratch, or a folder
// of a project that is new.
func (c *Cache) Mkdir(_ context.Context, dir, name string, mode uint32, caller Caller) (Node, error) {
	maker := processOf(caller.TID)
	c.names.Lock()
	defer c.names.Unlock()
	at := c.placeLocked(dir)
	if err := c.writable(at, name); err != nil {
		return Node{}, err
	}
	if at.project != nil {
		at.project.maker = maker
	}
	if at.level == rootDir && !strings.HasPrefix(name, ".") {
		return c.mkProjectLocked(name, mode, caller)
	}
	if at.level == projectDir {
		for _, k := range backends.Kinds {
			if name != string(k) {
				continue
			}
			if at.project.shows(k) {
				return Node{}, &fs.PathError{Op: "mkdir", Path: path.Join(at.path, name), Err: fs.ErrExist}
			}
			at.project.rec.Shown[k] = true
			if err := c.saveProjectLocked(at.project); err != nil {
				return Node{}, err
			}
			return c.freshDirLocked(path.Join(at.path, name), mode, caller)
		}
	}
	if at.level == kindDir {
		if _, err := c.lookupLocked(at, name); err == nil {
			return Node{}, &fs.PathError{Op: "mkdir", Path: path.Join(at.path, name), Err: fs.ErrExist}
		}
	}
	if err := c.ensureBackingLocked(at); err != nil {
		return Node{}, err
	}
	inside := path.Join(at.path, name)
	if err := os.Mkdir(c.scratchPath(inside), fs.FileMode(mode&0o777)); err != nil {
		return Node{}, err
	}
	return c.ownDirLocked(inside, mode, caller)
}

// mkProjectLocked makes a project. It is empty, as a new directory is; the store
// gets it after the settle time, or with its first table.
func (c *Cache) mkProjectLocked(name string, mode uint32, caller Caller) (Node, error) {
	if err := checkName(name); err != nil {
		return Node{}, err
	}
	there := func(p *project) bool { return !p.rec.Removed }
	if p := c.projects[name]; p != nil && there(p) {
		return Node{}, &fs.PathError{Op: "mkdir", Path: name, Err: fs.ErrExist}
	}
	if err := checkCase(c.projects, name, there); err != nil {
		return Node{}, err
	}
	p := c.projects[name]
	if p == nil {
		p = newProject(projectRecord{Name: name, Ref: backends.Ref{Project: name}})
		c.projects[name] = p
	}
	p.rec.Removed, p.rec.Gone, p.rec.Fresh = false, nil, true
	p.event, p.maker, p.busy = time.Now(), "", false
	p.rec.Shown = map[backends.Kind]bool{}
	p.rec.Made = time.Now()
	p.rec.Nonce = "ragasfs-" + randomID()
	if err := c.saveProjectLocked(p); err != nil {
		return Node{}, err
	}
	c.projectTimer(p)
	return c.freshDirLocked(name, mode, caller)
}

// freshDirLocked is the new directory behind a project or folder.
func (c *Cache) freshDirLocked(inside string, mode uint32, caller Caller) (Node, error) {
	if err := c.disk.MkdirAll("scratch:mkdir", c.scratchPath(inside), 0o755); err != nil {
		return Node{}, err
	}
	return c.ownDirLocked(inside, mode, caller)
}

func (c *Cache) ownDirLocked(inside string, mode uint32, caller Caller) (Node, error) {
	p := c.scratchPath(inside)
	m := mode & 0o7777
	if err := setDiskAttr(p, unix.AT_SYMLINK_NOFOLLOW, SetAttr{Mode: &m}); err != nil {
		return Node{}, err
	}
	if os.Geteuid() == 0 && (caller.UID != 0 || caller.GID != 0) {
		if err := os.Lchown(p, int(caller.UID), int(caller.GID)); err != nil {
			return Node{}, err
		}
	}
	return c.scratchNodeLocked(inside)
}

func wrapPath(op, p string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: filepath.Base(p), Err: err}
}

// SyncDir is fsync of a directory: what was created or renamed in it survives a
// power cut.
func (c *Cache) SyncDir(_ context.Context, dir string) error {
	if err := c.disk.SyncDir("fsync:dir", c.scratchPath(c.full(dir))); err != nil {
		return err
	}
	return c.db.Update(state.Full, func(*state.Tx) error { return nil })
}

// StatFS is generous.
func (c *Cache) StatFS() (StatFS, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(c.cfg.StateDir, &st); err != nil {
		return StatFS{}, &fs.PathError{Op: "statfs", Path: c.cfg.StateDir, Err: err}
	}
	return StatFS{BlockSize: 4096, Blocks: 1 << 38, Free: 1 << 37, Files: 1 << 32, FreeFiles: 1 << 31, NameLen: 255}, nil
}
