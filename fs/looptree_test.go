package fs

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache"
)

// loopTree is a Tree for tests: names in memory, every content a real file of a
// directory. Names that end in .csv behave as tables do in the cache: a
// truncating OPEN makes a new generation and says ErrStale once.
type loopTree struct {
	store string

	mu      sync.Mutex
	root    *object
	lastIno uint64
	inv     Invalidator
	// opening says what happens when a file made under that name is opened.
	opening map[string]func(context.Context) error
	// virtual says that files made under that name have no descriptor.
	virtual map[string]bool
}

// object is what names are bound to.
type object struct {
	attr     cache.Attr // of all but regular files
	children map[string]*object
	target   string
	file     *loopFile
}

type loopFile struct {
	tree     *loopTree
	name     string // under which it was made
	ino, gen uint64
	content  *os.File

	// guarded by tree.mu
	nlink   uint32
	writers int
	stale   bool
	mode    uint32 // the content file itself can always be opened
	pretend *int64 // the size is not known, this is the last one
}

func newLoopTree(store string) *loopTree {
	t := &loopTree{store: store, opening: map[string]func(context.Context) error{}, virtual: map[string]bool{}, lastIno: 1000}
	t.root = t.newObject(syscall.S_IFDIR|0o755, cache.Caller{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())})
	return t
}

func (t *loopTree) newObject(mode uint32, caller cache.Caller) *object {
	t.lastIno++
	now := time.Now()
	o := &object{attr: cache.Attr{
		Ino: t.lastIno, Gen: 1, Mode: mode, Nlink: 1, UID: caller.UID, GID: caller.GID,
		Atime: now, Mtime: now, Ctime: now,
	}}
	if mode&syscall.S_IFMT == syscall.S_IFDIR {
		o.attr.Nlink, o.children = 2, map[string]*object{}
	}
	return o
}

// newFile makes an empty content file.
func (t *loopTree) newFile(name string, ino, gen uint64, mode uint32, caller cache.Caller) (*loopFile, error) {
	content, err := os.OpenFile(filepath.Join(t.store, fmt.Sprintf("%d.%d", ino, gen)), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		if err := content.Chown(int(caller.UID), int(caller.GID)); err != nil {
			return nil, err
		}
	}
	return &loopFile{tree: t, name: name, ino: ino, gen: gen, content: content, nlink: 1, mode: mode & 0o7777}, nil
}

func (t *loopTree) find(path string) (*object, error) {
	o := t.root
	for name := range strings.SplitSeq(path, "/") {
		if name == "" {
			continue
		}
		if o.children == nil {
			return nil, cache.ErrNotDir
		}
		next, ok := o.children[name]
		if !ok {
			return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
		}
		o = next
	}
	return o, nil
}

func (t *loopTree) dir(path string) (*object, error) {
	o, err := t.find(path)
	if err == nil && o.children == nil {
		err = cache.ErrNotDir
	}
	return o, err
}

func (t *loopTree) node(o *object) (Node, error) {
	if o.file == nil {
		return Node{Attr: o.attr}, nil
	}
	attr, err := o.file.attr()
	return Node{Attr: attr, File: o.file}, err
}

// bind puts a new object under a name that must be free.
func (t *loopTree) bind(dir, name string, make func() (*object, error)) (Node, error) {
	d, err := t.dir(dir)
	if err != nil {
		return Node{}, err
	}
	if d.children[name] != nil {
		return Node{}, fs.ErrExist
	}
	o, err := make()
	if err != nil {
		return Node{}, err
	}
	d.children[name] = o
	d.touch()
	return t.node(o)
}

func (o *object) touch() { o.attr.Mtime, o.attr.Ctime = time.Now(), time.Now() }

func (t *loopTree) SetInvalidator(inv Invalidator) { t.inv = inv }

func (t *loopTree) Lookup(_ context.Context, dir, name string) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, err := t.find(filepath.Join(dir, name))
	if err != nil {
		return Node{}, err
	}
	return t.node(o)
}

func (t *loopTree) Attr(_ context.Context, path string) (cache.Attr, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, err := t.find(path)
	if err != nil {
		return cache.Attr{}, err
	}
	return o.attr, nil
}

func (t *loopTree) SetAttr(_ context.Context, path string, set cache.SetAttr) (cache.Attr, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, err := t.find(path)
	if err != nil {
		return cache.Attr{}, err
	}
	if set.Mode != nil {
		o.attr.Mode = o.attr.Mode&syscall.S_IFMT | *set.Mode
	}
	if set.UID != nil {
		o.attr.UID = *set.UID
	}
	if set.GID != nil {
		o.attr.GID = *set.GID
	}
	if set.Atime != nil {
		o.attr.Atime = *set.Atime
	}
	if set.Mtime != nil {
		o.attr.Mtime = *set.Mtime
	}
	o.attr.Ctime = time.Now()
	return o.attr, nil
}

func (t *loopTree) ReadDir(_ context.Context, dir string) ([]cache.DirEntry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d, err := t.dir(dir)
	if err != nil {
		return nil, err
	}
	var list []cache.DirEntry
	for name, o := range d.children {
		n, err := t.node(o)
		if err != nil {
			return nil, err
		}
		list = append(list, cache.DirEntry{Name: name, Attr: n.Attr})
	}
	// By inode number: the order must not change between two readings.
	for i := range list {
		for j := i; j > 0 && list[j].Attr.Ino < list[j-1].Attr.Ino; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list, nil
}

func (t *loopTree) Readlink(_ context.Context, path string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, err := t.find(path)
	if err != nil {
		return "", err
	}
	if o.target == "" {
		return "", syscall.EINVAL
	}
	return o.target, nil
}

func (t *loopTree) SyncDir(context.Context, string) error { return nil }

func (t *loopTree) StatFS() (cache.StatFS, error) {
	return cache.StatFS{BlockSize: 4096, Blocks: 1 << 30, Free: 1 << 29, Files: 1 << 20, FreeFiles: 1 << 19, NameLen: 255}, nil
}

func (t *loopTree) Create(ctx context.Context, dir, name string, flags int, mode uint32, caller cache.Caller) (Node, Handle, error) {
	n, err := t.Mknod(ctx, dir, name, syscall.S_IFREG|mode, 0, caller)
	if err != nil {
		return Node{}, nil, err
	}
	h, err := n.File.Open(ctx, flags, caller)
	if err != nil {
		return Node{}, nil, err
	}
	n.Attr, err = n.File.Attr(ctx) // O_TRUNC has moved the times
	return n, h, err
}

func (t *loopTree) Mknod(_ context.Context, dir, name string, mode, dev uint32, caller cache.Caller) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bind(dir, name, func() (o *object, err error) {
		if mode&syscall.S_IFMT != syscall.S_IFREG {
			o = t.newObject(mode, caller)
			o.attr.Rdev = dev
			return o, nil
		}
		t.lastIno++
		f, err := t.newFile(name, t.lastIno, 1, mode, caller)
		return &object{file: f}, err
	})
}

func (t *loopTree) Mkdir(_ context.Context, dir, name string, mode uint32, caller cache.Caller) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bind(dir, name, func() (*object, error) { return t.newObject(syscall.S_IFDIR|mode, caller), nil })
}

func (t *loopTree) Symlink(_ context.Context, dir, name, target string, caller cache.Caller) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bind(dir, name, func() (*object, error) {
		o := t.newObject(syscall.S_IFLNK|0o777, caller)
		o.target, o.attr.Size = target, int64(len(target))
		return o, nil
	})
}

func (t *loopTree) Link(_ context.Context, file File, dir, name string) (Node, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := file.(*loopFile)
	return t.bind(dir, name, func() (*object, error) {
		f.nlink++
		return &object{file: f}, nil
	})
}

func (t *loopTree) Unlink(_ context.Context, dir, name string, _ cache.Caller) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unbind(dir, name)
}

func (t *loopTree) Rmdir(_ context.Context, dir, name string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.unbind(dir, name)
}

func (t *loopTree) unbind(dir, name string) error {
	d, err := t.dir(dir)
	if err != nil {
		return err
	}
	o := d.children[name]
	switch {
	case o == nil:
		return fs.ErrNotExist
	case len(o.children) > 0:
		return cache.ErrNotEmpty
	case o.file != nil:
		o.file.nlink--
	}
	delete(d.children, name)
	d.touch()
	return nil
}

func (t *loopTree) Rename(_ context.Context, oldDir, oldName, newDir, newName string, flags cache.RenameFlags, _ cache.Caller) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	from, err := t.dir(oldDir)
	if err != nil {
		return err
	}
	to, err := t.dir(newDir)
	if err != nil {
		return err
	}
	o, target := from.children[oldName], to.children[newName]
	switch {
	case o == nil:
		return fs.ErrNotExist
	case flags&cache.RenameExchange != 0 && target == nil:
		return fs.ErrNotExist
	case flags&cache.RenameExchange != 0:
		from.children[oldName], to.children[newName] = target, o
		return nil
	case flags&cache.RenameNoReplace != 0 && target != nil:
		return fs.ErrExist
	case target != nil:
		if err := t.unbind(newDir, newName); err != nil {
			return err
		}
	}
	delete(from.children, oldName)
	to.children[newName] = o
	from.touch()
	to.touch()
	return nil
}

// attr is called with tree.mu held.
func (f *loopFile) attr() (cache.Attr, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.content.Fd()), &st); err != nil {
		return cache.Attr{}, err
	}
	if f.pretend != nil {
		st.Size = *f.pretend
	}
	return cache.Attr{
		Provisional: f.pretend != nil,
		Ino:         f.ino, Gen: f.gen, Mode: syscall.S_IFREG | f.mode, Nlink: f.nlink, UID: st.Uid, GID: st.Gid,
		Size: st.Size, Blocks: st.Blocks,
		Atime: time.Unix(st.Atim.Unix()), Mtime: time.Unix(st.Mtim.Unix()), Ctime: time.Unix(st.Ctim.Unix()),
	}, nil
}

func (f *loopFile) Attr(context.Context) (cache.Attr, error) {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	return f.attr()
}

func (f *loopFile) SetAttr(_ context.Context, set cache.SetAttr, _ Handle) (cache.Attr, error) {
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	if set.Mode != nil {
		f.mode = *set.Mode
	}
	if set.UID != nil || set.GID != nil {
		id := func(p *uint32) int {
			if p == nil {
				return -1
			}
			return int(*p)
		}
		if err := f.content.Chown(id(set.UID), id(set.GID)); err != nil {
			return cache.Attr{}, err
		}
	}
	if set.Size != nil {
		if err := f.content.Truncate(*set.Size); err != nil {
			return cache.Attr{}, err
		}
	}
	if set.Atime != nil || set.Mtime != nil {
		when := func(p *time.Time) unix.Timespec {
			if p == nil {
				return unix.Timespec{Nsec: unix.UTIME_OMIT}
			}
			return unix.NsecToTimespec(p.UnixNano())
		}
		times := []unix.Timespec{when(set.Atime), when(set.Mtime)}
		if err := unix.UtimesNanoAt(unix.AT_FDCWD, f.content.Name(), times, 0); err != nil {
			return cache.Attr{}, err
		}
	}
	return f.attr()
}

func (f *loopFile) Open(ctx context.Context, flags int, _ cache.Caller) (Handle, error) {
	if opening := f.tree.opening[f.name]; opening != nil {
		if err := opening(ctx); err != nil {
			return nil, err
		}
	}
	f.tree.mu.Lock()
	defer f.tree.mu.Unlock()
	if f.stale {
		return nil, fmt.Errorf("%s: %w", f.name, cache.ErrStale)
	}
	if flags&syscall.O_TRUNC != 0 && f.writers == 0 && strings.HasSuffix(f.name, ".csv") {
		if attr, err := f.attr(); err != nil || attr.Size > 0 {
			if _, err := f.tree.replace(f); err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("%s: %w", f.name, cache.ErrStale)
		}
	}
	local, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.content.Fd()), flags&^(syscall.O_CREAT|syscall.O_EXCL), 0)
	if err != nil {
		return nil, err
	}
	h := &loopHandle{file: f, local: local, writable: flags&syscall.O_ACCMODE != syscall.O_RDONLY, appends: flags&syscall.O_APPEND != 0}
	if h.writable {
		f.writers++
	}
	return h, nil
}

// replace binds a new, empty generation to every name of a file. It is called
// with tree.mu held.
func (t *loopTree) replace(f *loopFile) (*loopFile, error) {
	attr, err := f.attr()
	if err != nil {
		return nil, err
	}
	next, err := t.newFile(f.name, f.ino, f.gen+1, attr.Mode, cache.Caller{UID: attr.UID, GID: attr.GID})
	if err != nil {
		return nil, err
	}
	next.nlink, f.nlink, f.stale = f.nlink, 0, true
	var walk func(*object)
	walk = func(o *object) {
		if o.file == f {
			o.file = next
		}
		for _, c := range o.children {
			walk(c)
		}
	}
	walk(t.root)
	return next, nil
}

type loopHandle struct {
	file     *loopFile
	local    *os.File
	writable bool
	appends  bool
}

func (h *loopHandle) FD() int {
	if h.file.tree.virtual[h.file.name] {
		return -1
	}
	return int(h.local.Fd())
}

func (h *loopHandle) Writable() bool { return h.writable }

func (h *loopHandle) ReadAt(p []byte, off int64) (int, error) { return h.local.ReadAt(p, off) }

func (h *loopHandle) WriteAt(p []byte, off int64) (int, error) {
	if h.appends {
		return h.local.Write(p)
	}
	return h.local.WriteAt(p, off)
}

func (h *loopHandle) Allocate(off, size int64, mode uint32) error {
	return syscall.Fallocate(int(h.local.Fd()), mode, off, size)
}

func (h *loopHandle) Seek(off int64, whence int) (int64, error) {
	return unix.Seek(int(h.local.Fd()), off, whence)
}

// Flush fails for a file that is not a table.
func (h *loopHandle) Flush(context.Context, cache.Caller) error {
	if !h.writable || !strings.HasSuffix(h.file.name, ".csv") {
		return nil
	}
	head := make([]byte, 7)
	n, err := h.file.content.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if string(head[:n]) == "INVALID" {
		return fmt.Errorf("%s: line 1: %w", h.file.name, cache.ErrInvalid)
	}
	return nil
}

func (h *loopHandle) Fsync(context.Context, bool) error { return h.local.Sync() }

func (h *loopHandle) Release() {
	h.file.tree.mu.Lock()
	defer h.file.tree.mu.Unlock()
	if h.writable {
		h.file.writers--
	}
	if err := h.local.Close(); err != nil {
		panic(err)
	}
}
