package fs

import (
	"context"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/ragasfs/ragasfs/cache"
)

// remember is how long the kernel believes names and attributes without asking.
// What changes behind its back is invalidated at once (invalidate.go).
const remember = 60 * time.Second

// shared is what all nodes of one mount have in common.
type shared struct {
	reporter
	tree  Tree
	owner owner
	// files has the fileNode of every File that the kernel may know, so that
	// there is one kernel inode for it, and so that it is found when it changes.
	files sync.Map // File -> *fileNode
}

// owner is what -o uid=, gid= and umask= say; nil: as the tree has it.
type owner struct{ uid, gid, umask *uint32 }

// show fills in what the kernel is told of an object.
func (s *shared) show(a cache.Attr, out *fuse.Attr) {
	out.Ino = a.Ino
	out.Size = uint64(a.Size)
	out.Blocks = uint64(a.Blocks)
	out.Blksize = 4096
	out.SetTimes(&a.Atime, &a.Mtime, &a.Ctime)
	out.Mode = a.Mode
	out.Nlink = a.Nlink
	out.Owner = fuse.Owner{Uid: a.UID, Gid: a.GID}
	out.Rdev = a.Rdev
	if s.owner.uid != nil {
		out.Uid = *s.owner.uid
	}
	if s.owner.gid != nil {
		out.Gid = *s.owner.gid
	}
	if s.owner.umask != nil && a.Mode&syscall.S_IFMT != syscall.S_IFLNK {
		out.Mode &^= *s.owner.umask & 0o777
	}
}

func entryTimeout(a cache.Attr) time.Duration {
	if a.Rebound {
		return 0
	}
	return remember
}

func attrTimeout(a cache.Attr) time.Duration {
	if a.Provisional {
		return 0
	}
	return remember
}

func (s *shared) showAttr(a cache.Attr, out *fuse.AttrOut) {
	s.show(a, &out.Attr)
	out.SetTimeout(attrTimeout(a))
}

// change is what a SETATTR asks for. A chown to the owner that the mount shows
// is none.
func (s *shared) change(in *fuse.SetAttrIn) cache.SetAttr {
	var set cache.SetAttr
	if v, ok := in.GetMode(); ok {
		set.Mode = &v
	}
	if v, ok := in.GetUID(); ok && (s.owner.uid == nil || v != *s.owner.uid) {
		set.UID = &v
	}
	if v, ok := in.GetGID(); ok && (s.owner.gid == nil || v != *s.owner.gid) {
		set.GID = &v
	}
	if v, ok := in.GetSize(); ok {
		size := int64(v)
		set.Size = &size
	}
	if v, ok := in.GetATime(); ok {
		set.Atime = &v
	}
	if v, ok := in.GetMTime(); ok {
		set.Mtime = &v
	}
	return set
}

// child makes (or finds) the inode of a node that was found in parent.
func (s *shared) child(ctx context.Context, parent *gofs.Inode, n Node, out *fuse.EntryOut) *gofs.Inode {
	s.show(n.Attr, &out.Attr)
	out.SetAttrTimeout(attrTimeout(n.Attr))
	out.SetEntryTimeout(entryTimeout(n.Attr))
	id := gofs.StableAttr{Mode: n.Attr.Mode & syscall.S_IFMT, Ino: n.Attr.Ino, Gen: n.Attr.Gen}
	switch {
	case n.File != nil:
		return s.fileInode(ctx, parent, n.File, id)
	case id.Mode == syscall.S_IFDIR:
		d := &dirNode{shared: s}
		d.last.Store(&n.Attr)
		return parent.NewInode(ctx, d, id)
	default:
		p := &plainNode{shared: s}
		p.last.Store(&n.Attr)
		return parent.NewInode(ctx, p, id)
	}
}

// fileInode gives the one inode of a file. go-fuse finds known inodes itself
// when a name is looked up, but not for CREATE, which may well open a file that
// is there already.
func (s *shared) fileInode(ctx context.Context, parent *gofs.Inode, f File, id gofs.StableAttr) *gofs.Inode {
	known, _ := s.files.LoadOrStore(f, &fileNode{shared: s, file: f})
	node := known.(*fileNode)
	node.once.Do(func() {
		parent.NewInode(ctx, node, id)
		node.made.Store(true)
	})
	return node.EmbeddedInode()
}

func caller(ctx context.Context) cache.Caller {
	if c, ok := fuse.FromContext(ctx); ok {
		return cache.Caller{TID: c.Pid, UID: c.Uid, GID: c.Gid}
	}
	return cache.Caller{}
}

// treePath is the path of an inode by the names under which the kernel knows it
// now. It is false for an inode that has lost its name. An operation below a
// directory that is renamed in this moment may still see the old path and fail.
func treePath(n *gofs.Inode) (string, bool) {
	p := ""
	for !n.IsRoot() {
		name, parent := n.Parent()
		if parent == nil {
			return p, false
		}
		p = path.Join(name, p)
		n = parent
	}
	return p, true
}

// logPath is for messages: the path as far as it is known.
func logPath(n *gofs.Inode, name string) func() string {
	return func() string {
		p, ok := treePath(n)
		if !ok {
			p = path.Join("(without a name)", p)
		}
		return path.Join(p, name)
	}
}

// named are the attributes of objects without a File: they are reached by path.
type named struct {
	// last is what was shown last, for an object that is open and has lost its name.
	last atomic.Pointer[cache.Attr]
}

func (m *named) getattr(ctx context.Context, s *shared, n *gofs.Inode, out *fuse.AttrOut) syscall.Errno {
	p, ok := treePath(n)
	if !ok {
		gone := *m.last.Load() // only the root has none, and has a path
		gone.Nlink = 0
		s.showAttr(gone, out)
		return 0
	}
	attr, err := s.tree.Attr(ctx, p)
	if err != nil {
		return s.name(err, "getattr", logPath(n, ""))
	}
	m.last.Store(&attr)
	s.showAttr(attr, out)
	return 0
}

func (m *named) setattr(ctx context.Context, s *shared, n *gofs.Inode, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	p, ok := treePath(n)
	if !ok {
		return syscall.ESTALE
	}
	attr, err := s.tree.SetAttr(ctx, p, s.change(in))
	if err != nil {
		return s.name(err, "setattr", logPath(n, ""))
	}
	m.last.Store(&attr)
	s.showAttr(attr, out)
	return 0
}

// plainNode is a symlink, a FIFO, a socket or a device.
type plainNode struct {
	gofs.Inode
	*shared
	named
}

var (
	_ gofs.NodeGetattrer  = (*plainNode)(nil)
	_ gofs.NodeSetattrer  = (*plainNode)(nil)
	_ gofs.NodeReadlinker = (*plainNode)(nil)
)

func (n *plainNode) Getattr(ctx context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	return n.getattr(ctx, n.shared, n.EmbeddedInode(), out)
}

func (n *plainNode) Setattr(ctx context.Context, _ gofs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return n.setattr(ctx, n.shared, n.EmbeddedInode(), in, out)
}

// Readlink goes by the name, as a symlink has no File: one that has just been
// replaced is not there, or is the one that replaced it.
func (n *plainNode) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	p, ok := treePath(n.EmbeddedInode())
	if !ok {
		return nil, syscall.ENOENT
	}
	target, err := n.tree.Readlink(ctx, p)
	return []byte(target), n.name(err, "readlink", logPath(n.EmbeddedInode(), ""))
}
