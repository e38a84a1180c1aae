package fs

import (
	"context"
	"sync"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/ragasfs/ragasfs/cache"
)

// dirNode is a directory. Its path is that of the inode tree, which go-fuse
// keeps up to date over renames.
type dirNode struct {
	gofs.Inode
	*shared
	named
}

var (
	_ gofs.NodeGetattrer      = (*dirNode)(nil)
	_ gofs.NodeSetattrer      = (*dirNode)(nil)
	_ gofs.NodeStatfser       = (*dirNode)(nil)
	_ gofs.NodeLookuper       = (*dirNode)(nil)
	_ gofs.NodeOpendirHandler = (*dirNode)(nil)
	_ gofs.NodeFsyncer        = (*dirNode)(nil)
	_ gofs.NodeCreater        = (*dirNode)(nil)
	_ gofs.NodeMknoder        = (*dirNode)(nil)
	_ gofs.NodeMkdirer        = (*dirNode)(nil)
	_ gofs.NodeSymlinker      = (*dirNode)(nil)
	_ gofs.NodeLinker         = (*dirNode)(nil)
	_ gofs.NodeUnlinker       = (*dirNode)(nil)
	_ gofs.NodeRmdirer        = (*dirNode)(nil)
	_ gofs.NodeRenamer        = (*dirNode)(nil)
)

func (d *dirNode) fail(err error, op, name string) syscall.Errno {
	return d.name(err, op, logPath(d.EmbeddedInode(), name))
}

// path is the directory's path, or ENOENT if it has been removed.
func (d *dirNode) path() (string, error) {
	if p, ok := treePath(d.EmbeddedInode()); ok {
		return p, nil
	}
	return "", syscall.ENOENT
}

// entry answers every operation that makes or finds a name: do is called with
// the directory's path.
func (d *dirNode) entry(ctx context.Context, op, name string, out *fuse.EntryOut, do func(dir string) (Node, error)) (*gofs.Inode, syscall.Errno) {
	dir, err := d.path()
	if err != nil {
		return nil, d.fail(err, op, name)
	}
	node, err := do(dir)
	if err != nil {
		return nil, d.fail(err, op, name)
	}
	return d.child(ctx, d.EmbeddedInode(), node, out), 0
}

func (d *dirNode) Getattr(ctx context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return d.getattr(ctx, d.shared, d.EmbeddedInode(), out)
}

func (d *dirNode) Setattr(ctx context.Context, _ gofs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return d.setattr(ctx, d.shared, d.EmbeddedInode(), in, out)
}

func (d *dirNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	st, err := d.tree.StatFS()
	if err != nil {
		return d.fail(err, "statfs", "")
	}
	out.Bsize, out.Frsize, out.NameLen = st.BlockSize, st.BlockSize, st.NameLen
	out.Blocks, out.Bfree, out.Bavail = st.Blocks, st.Free, st.Free
	out.Files, out.Ffree = st.Files, st.FreeFiles
	return 0
}

// Lookup also answers for each name of a READDIRPLUS.
func (d *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	return d.entry(ctx, "lookup", name, out, func(dir string) (Node, error) {
		return d.tree.Lookup(ctx, dir, name)
	})
}

func (d *dirNode) Fsync(ctx context.Context, _ gofs.FileHandle, _ uint32) syscall.Errno {
	dir, err := d.path()
	if err == nil {
		err = d.tree.SyncDir(ctx, dir)
	}
	return d.fail(err, "fsync", "")
}

func (d *dirNode) OpendirHandle(context.Context, uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	return &dirHandle{dir: d}, 0, 0
}

// dirHandle is one open directory: a list taken at the first read and again
// after rewinddir, so that positions stay what they were in between.
type dirHandle struct {
	dir *dirNode

	mu      sync.Mutex
	entries []fuse.DirEntry // nil: to be read
	next    int
}

var (
	_ gofs.FileReaddirenter = (*dirHandle)(nil)
	_ gofs.FileSeekdirer    = (*dirHandle)(nil)
)

// Readdirent gives one entry, nil at the end.
func (h *dirHandle) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if errno := h.load(ctx); errno != 0 {
		return nil, errno
	}
	if h.next >= len(h.entries) {
		return nil, 0
	}
	e := h.entries[h.next]
	h.next++
	e.Off = uint64(h.next)
	return &e, 0
}

// Seekdir continues behind the entry with that Off; 0 starts again.
func (h *dirHandle) Seekdir(ctx context.Context, off uint64) syscall.Errno {
	h.mu.Lock()
	defer h.mu.Unlock()
	if off == 0 {
		h.entries = nil
	}
	if errno := h.load(ctx); errno != 0 {
		return errno
	}
	if off > uint64(len(h.entries)) {
		return syscall.EINVAL
	}
	h.next = int(off)
	return 0
}

func (h *dirHandle) load(ctx context.Context) syscall.Errno {
	if h.entries != nil {
		return 0
	}
	d := h.dir
	dir, err := d.path()
	var list []cache.DirEntry
	if err == nil {
		list, err = d.tree.ReadDir(ctx, dir)
	}
	if err != nil {
		return d.fail(err, "readdir", "")
	}
	up := d.StableAttr().Ino
	if _, parent := d.Parent(); parent != nil {
		up = parent.StableAttr().Ino
	}
	h.entries = make([]fuse.DirEntry, 0, len(list)+2)
	h.entries = append(h.entries,
		fuse.DirEntry{Name: ".", Mode: syscall.S_IFDIR, Ino: d.StableAttr().Ino},
		fuse.DirEntry{Name: "..", Mode: syscall.S_IFDIR, Ino: up})
	for _, e := range list {
		h.entries = append(h.entries, fuse.DirEntry{Name: e.Name, Mode: e.Attr.Mode & syscall.S_IFMT, Ino: e.Attr.Ino})
	}
	h.next = 0
	return 0
}
