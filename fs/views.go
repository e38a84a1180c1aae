package fs

import (
	"bytes"
	"context"
	"hash/fnv"
	"io"
	gofs "io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ragasfs/ragasfs/cache"
)

// viewsDir is the name at the top that is not listed, and under which the mount
// tells about itself.
const viewsDir = ".ragasfs"

// viewTree is a Tree with the read-only views of the cache below viewsDir.
type viewTree struct {
	Tree
	view    func(path string) (cache.View, error) // path below viewsDir
	started time.Time

	mu    sync.Mutex
	known map[string]*viewFile // guarded by mu; the last of each path
}

func withViews(t Tree, view func(path string) (cache.View, error)) Tree {
	return &viewTree{Tree: t, view: view, started: time.Now(), known: map[string]*viewFile{}}
}

// inViews reports whether a path is that of a view, and cuts viewsDir off.
func inViews(p string) (below string, is bool) {
	if p == viewsDir {
		return "", true
	}
	return strings.CutPrefix(p, viewsDir+"/")
}

func (t *viewTree) Lookup(ctx context.Context, dir, name string) (Node, error) {
	below, is := inViews(path.Join(dir, name))
	if !is {
		return t.Tree.Lookup(ctx, dir, name)
	}
	v, err := t.view(below)
	if err != nil {
		return Node{}, err
	}
	if v.Names != nil {
		return Node{Attr: t.dirAttr(below)}, nil
	}
	f, err := t.file(below, v)
	if err != nil {
		return Node{}, err
	}
	return Node{Attr: f.attr, File: f}, nil
}

// file is the File of what a view holds now: a new one if that is not what it
// held before.
func (t *viewTree) file(p string, v cache.View) (*viewFile, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.known[p]
	f := &viewFile{data: v.Data, disk: v.Path, attr: t.attr(p, syscall.S_IFREG|0o444)}
	f.attr.Nlink, f.attr.Size = 1, int64(len(v.Data))
	when := time.Now()
	if v.Path != "" {
		info, err := os.Stat(v.Path)
		if err != nil {
			return nil, err
		}
		when, f.attr.Size = info.ModTime(), info.Size()
	}
	f.attr.Mtime, f.attr.Ctime, f.attr.Atime = when, when, when
	f.attr.Blocks = (f.attr.Size + 511) / 512
	if last != nil {
		if last.disk == f.disk && last.attr.Size == f.attr.Size && bytes.Equal(last.data, f.data) {
			return last, nil
		}
		f.attr.Gen = last.attr.Gen + 1
	}
	t.known[p] = f
	return f, nil
}

// attr are the attributes of a view, but for size and times. The kernel asks each
// time it meets the name.
func (t *viewTree) attr(p string, mode uint32) cache.Attr {
	h := fnv.New64a()
	_, _ = io.WriteString(h, p) // a hash takes everything
	const apart = 1 << 62       // from the inodes of files
	return cache.Attr{Ino: apart | h.Sum64()>>2, Mode: mode, Rebound: true,
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
}

func (t *viewTree) dirAttr(p string) cache.Attr {
	a := t.attr(p, syscall.S_IFDIR|0o555)
	a.Nlink, a.Atime, a.Mtime, a.Ctime = 2, t.started, t.started, t.started
	return a
}

func (t *viewTree) ReadDir(ctx context.Context, dir string) ([]cache.DirEntry, error) {
	below, is := inViews(dir)
	if !is {
		return t.Tree.ReadDir(ctx, dir)
	}
	v, err := t.view(below)
	if err != nil {
		return nil, err
	}
	if v.Names == nil {
		return nil, cache.ErrNotDir
	}
	list := make([]cache.DirEntry, 0, len(v.Names))
	for _, name := range v.Names {
		mode := uint32(syscall.S_IFREG)
		if short, isDir := strings.CutSuffix(name, "/"); isDir {
			name, mode = short, syscall.S_IFDIR
		}
		list = append(list, cache.DirEntry{Name: name, Attr: t.attr(path.Join(below, name), mode)})
	}
	return list, nil
}

func (t *viewTree) Attr(ctx context.Context, p string) (cache.Attr, error) {
	below, is := inViews(p)
	if !is {
		return t.Tree.Attr(ctx, p)
	}
	if v, err := t.view(below); err != nil || v.Names == nil {
		return cache.Attr{}, gofs.ErrNotExist
	}
	return t.dirAttr(below), nil
}

// readOnly is the error for a change in a directory or of a path of the views.
func readOnly(paths ...string) error {
	for _, p := range paths {
		if _, is := inViews(p); is {
			return cache.ErrReadOnly
		}
	}
	return nil
}

func (t *viewTree) SetAttr(ctx context.Context, p string, set cache.SetAttr) (cache.Attr, error) {
	if err := readOnly(p); err != nil {
		return cache.Attr{}, err
	}
	return t.Tree.SetAttr(ctx, p, set)
}

func (t *viewTree) SyncDir(ctx context.Context, dir string) error {
	if _, is := inViews(dir); is {
		return nil
	}
	return t.Tree.SyncDir(ctx, dir)
}

func (t *viewTree) Create(ctx context.Context, dir, name string, flags int, mode uint32, caller cache.Caller) (Node, Handle, error) {
	if err := readOnly(dir); err != nil {
		return Node{}, nil, err
	}
	return t.Tree.Create(ctx, dir, name, flags, mode, caller)
}

func (t *viewTree) Mknod(ctx context.Context, dir, name string, mode, dev uint32, caller cache.Caller) (Node, error) {
	if err := readOnly(dir); err != nil {
		return Node{}, err
	}
	return t.Tree.Mknod(ctx, dir, name, mode, dev, caller)
}

func (t *viewTree) Mkdir(ctx context.Context, dir, name string, mode uint32, caller cache.Caller) (Node, error) {
	if err := readOnly(dir); err != nil {
		return Node{}, err
	}
	return t.Tree.Mkdir(ctx, dir, name, mode, caller)
}

func (t *viewTree) Symlink(ctx context.Context, dir, name, target string, caller cache.Caller) (Node, error) {
	if err := readOnly(dir); err != nil {
		return Node{}, err
	}
	return t.Tree.Symlink(ctx, dir, name, target, caller)
}

func (t *viewTree) Link(ctx context.Context, file File, dir, name string) (Node, error) {
	if err := readOnly(dir); err != nil {
		return Node{}, err
	}
	return t.Tree.Link(ctx, file, dir, name)
}

func (t *viewTree) Unlink(ctx context.Context, dir, name string, caller cache.Caller) error {
	if err := readOnly(path.Join(dir, name)); err != nil {
		return err
	}
	return t.Tree.Unlink(ctx, dir, name, caller)
}

func (t *viewTree) Rmdir(ctx context.Context, dir, name string) error {
	if err := readOnly(path.Join(dir, name)); err != nil {
		return err
	}
	return t.Tree.Rmdir(ctx, dir, name)
}

func (t *viewTree) Rename(ctx context.Context, oldDir, oldName, newDir, newName string, flags cache.RenameFlags, caller cache.Caller) error {
	if err := readOnly(path.Join(oldDir, oldName), path.Join(newDir, newName)); err != nil {
		return err
	}
	return t.Tree.Rename(ctx, oldDir, oldName, newDir, newName, flags, caller)
}

// viewFile is what a view held at some moment. It does not change.
type viewFile struct {
	attr cache.Attr
	data []byte
	disk string // set: the file on disk, instead of data
}

func (f *viewFile) Attr(context.Context) (cache.Attr, error) { return f.attr, nil }

func (f *viewFile) SetAttr(context.Context, cache.SetAttr, Handle) (cache.Attr, error) {
	return cache.Attr{}, cache.ErrReadOnly
}

func (f *viewFile) Open(_ context.Context, flags int, _ cache.Caller) (Handle, error) {
	if flags&(syscall.O_ACCMODE|syscall.O_TRUNC) != syscall.O_RDONLY {
		return nil, cache.ErrReadOnly
	}
	if f.disk == "" {
		return &viewHandle{ReaderAt: bytes.NewReader(f.data), size: f.attr.Size}, nil
	}
	file, err := os.Open(f.disk)
	if err != nil {
		return nil, err
	}
	return &viewHandle{ReaderAt: file, file: file, size: f.attr.Size}, nil
}

// viewHandle is an open view.
type viewHandle struct {
	io.ReaderAt
	file *os.File // nil: it is in memory
	size int64
}

// FD implements Handle.
func (h *viewHandle) FD() int {
	if h.file == nil {
		return -1
	}
	return int(h.file.Fd())
}

// WriteAt implements Handle.
func (h *viewHandle) WriteAt([]byte, int64) (int, error) { return 0, cache.ErrReadOnly }

// Allocate implements Handle.
func (h *viewHandle) Allocate(int64, int64, uint32) error { return cache.ErrReadOnly }

// Seek implements Handle: a view has no holes.
func (h *viewHandle) Seek(off int64, whence int) (int64, error) {
	const seekHole = 4
	switch {
	case off >= h.size:
		return 0, syscall.ENXIO
	case whence == seekHole:
		return h.size, nil
	}
	return off, nil
}

// Writable implements Handle.
func (h *viewHandle) Writable() bool { return false }

// Flush implements Handle.
func (h *viewHandle) Flush(context.Context, cache.Caller) error { return nil }

// Fsync implements Handle.
func (h *viewHandle) Fsync(context.Context, bool) error { return nil }

// Release implements Handle.
func (h *viewHandle) Release() {
	if h.file != nil {
		_ = h.file.Close() // opened for reading
	}
}
