package fs

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// fileNode is a regular file: one content file, one kernel inode.
type fileNode struct {
	gofs.Inode
	*shared
	file File
	once sync.Once   // makes the inode
	made atomic.Bool // it is made
}

var (
	_ gofs.NodeGetattrer   = (*fileNode)(nil)
	_ gofs.NodeSetattrer   = (*fileNode)(nil)
	_ gofs.NodeOpener      = (*fileNode)(nil)
	_ gofs.NodeOnForgetter = (*fileNode)(nil)
)

func (n *fileNode) fail(err error, op string) syscall.Errno {
	return n.shared.file(err, op, logPath(n.EmbeddedInode(), ""))
}

// OnForget is called when the kernel has let go of the inode.
func (n *fileNode) OnForget() { n.files.CompareAndDelete(n.file, n) }

func (n *fileNode) Getattr(ctx context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	attr, err := n.file.Attr(ctx)
	if err != nil {
		return n.fail(err, "getattr")
	}
	n.showAttr(attr, out)
	return 0
}

func (n *fileNode) Setattr(ctx context.Context, fh gofs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	var h Handle
	if open, ok := fh.(*handle); ok {
		h = open.h
	}
	attr, err := n.file.SetAttr(ctx, n.change(in), h)
	if err != nil {
		return n.fail(err, "setattr")
	}
	n.showAttr(attr, out)
	return 0
}

func (n *fileNode) Open(ctx context.Context, flags uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	// It may have been forgotten and found again in the same moment.
	n.files.LoadOrStore(n.file, n)
	h, err := n.file.Open(ctx, openFlags(flags), caller(ctx))
	if err != nil {
		return nil, 0, n.fail(err, "open")
	}
	return &handle{node: n, h: h}, fuseFlags(h), 0
}

// openFlags are those that mean something to a tree. The others are done by the
// kernel (O_NOFOLLOW, O_DIRECTORY), or only make sense for the program's own
// descriptor (O_NONBLOCK, O_DIRECT).
func openFlags(flags uint32) int {
	const meant = syscall.O_ACCMODE | syscall.O_APPEND | syscall.O_TRUNC | syscall.O_CREAT | syscall.O_EXCL | syscall.O_SYNC
	return int(flags) & meant
}

// fuseFlags are the modes of facts measured with go-fuse 2.12: a reader sends no
// FLUSH, and pages that the kernel has of this inode are right, as nobody but
// the kernel changes its content. A writer has DIRECT_IO, so that every WRITE
// comes by; openModes takes it away again where there is no passthrough.
func fuseFlags(h Handle) uint32 {
	if h.Writable() {
		return fuse.FOPEN_DIRECT_IO
	}
	return fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH
}

// handle is one open file.
type handle struct {
	node *fileNode
	h    Handle
}

var (
	_ gofs.FilePassthroughFder = (*handle)(nil)
	_ gofs.FileReader          = (*handle)(nil)
	_ gofs.FileWriter          = (*handle)(nil)
	_ gofs.FileFlusher         = (*handle)(nil)
	_ gofs.FileFsyncer         = (*handle)(nil)
	_ gofs.FileReleaser        = (*handle)(nil)
	_ gofs.FileAllocater       = (*handle)(nil)
	_ gofs.FileLseeker         = (*handle)(nil)
)

// PassthroughFd offers the content file to the kernel.
func (f *handle) PassthroughFd() (int, bool) {
	fd := f.h.FD()
	return fd, fd >= 0
}

// Read is only used without passthrough.
func (f *handle) Read(_ context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if fd := f.h.FD(); fd >= 0 {
		return fuse.ReadResultFd(uintptr(fd), off, len(dest)), 0
	}
	n, err := f.h.ReadAt(dest, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, f.node.fail(err, "read")
	}
	return fuse.ReadResultData(dest[:n]), 0
}

func (f *handle) Write(_ context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	n, err := f.h.WriteAt(data, off)
	if err == nil {
		return uint32(n), 0
	}
	errno := f.node.fail(err, "write")
	if n > 0 {
		// As write(2) does: what was written counts, the next call has the error.
		return uint32(n), 0
	}
	return 0, errno
}

func (f *handle) Flush(ctx context.Context) syscall.Errno {
	return f.node.fail(f.h.Flush(ctx, caller(ctx)), "close")
}

func (f *handle) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	const dataOnly = 1 // FUSE_FSYNC_FDATASYNC
	return f.node.fail(f.h.Fsync(ctx, flags&dataOnly != 0), "fsync")
}

func (f *handle) Release(context.Context) syscall.Errno {
	f.h.Release()
	return 0
}

func (f *handle) Allocate(_ context.Context, off, size uint64, mode uint32) syscall.Errno {
	return f.node.fail(f.h.Allocate(int64(off), int64(size), mode), "fallocate")
}

func (f *handle) Lseek(_ context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	pos, err := f.h.Seek(int64(off), int(whence))
	return uint64(pos), f.node.fail(err, "lseek")
}
