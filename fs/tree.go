package fs

import (
	"context"

	"github.com/ragasfs/ragasfs/cache"
)

// Tree is what a mount shows: package cache behind interfaces, so that this
// package can be tested without it (FromCache gives the real one). A directory
// is named by its path without outer slashes, "" is the root.
//
// Errors are those of package cache and backends, of io/fs, or syscall.Errno;
// errno.go lists them. Methods may be called at the same time. A context is done
// when the program is interrupted, and must not be used after the method has
// returned: it is then that of another call.
type Tree interface {
	Names
	Makers
	Removers
	// SetInvalidator is called once, before any other method but Attr.
	SetInvalidator(Invalidator)
}

// Names reads the names and the attributes of what has no File.
type Names interface {
	Lookup(ctx context.Context, dir, name string) (Node, error)
	ReadDir(ctx context.Context, dir string) ([]cache.DirEntry, error)
	// Attr, SetAttr and Readlink are for directories, symlinks and special files.
	Attr(ctx context.Context, path string) (cache.Attr, error)
	SetAttr(ctx context.Context, path string, set cache.SetAttr) (cache.Attr, error)
	Readlink(ctx context.Context, path string) (string, error)
	SyncDir(ctx context.Context, dir string) error
	StatFS() (cache.StatFS, error)
}

// Makers create names.
type Makers interface {
	Create(ctx context.Context, dir, name string, flags int, mode uint32, caller cache.Caller) (Node, Handle, error)
	Mknod(ctx context.Context, dir, name string, mode, dev uint32, caller cache.Caller) (Node, error)
	Mkdir(ctx context.Context, dir, name string, mode uint32, caller cache.Caller) (Node, error)
	Symlink(ctx context.Context, dir, name, target string, caller cache.Caller) (Node, error)
	Link(ctx context.Context, file File, dir, name string) (Node, error)
}

// Removers take names away or move them.
type Removers interface {
	Unlink(ctx context.Context, dir, name string, caller cache.Caller) error
	Rmdir(ctx context.Context, dir, name string) error
	Rename(ctx context.Context, oldDir, oldName, newDir, newName string, flags cache.RenameFlags, caller cache.Caller) error
}

// Node is what a name is bound to. File is nil for all but regular files.
type Node struct {
	Attr cache.Attr
	File File
}

// File is one content file: the same (Ino, Gen) always comes with an equal File
// (==) and the other way round.
type File interface {
	Attr(ctx context.Context) (cache.Attr, error)
	// SetAttr changes attributes; h is the handle it was done through, or nil.
	SetAttr(ctx context.Context, set cache.SetAttr, h Handle) (cache.Attr, error)
	// Open may take long (first load); it ends early when ctx is done.
	// cache.ErrStale: this File is an old version, look the name up again.
	Open(ctx context.Context, flags int, caller cache.Caller) (Handle, error)
}

// Handle is one open file.
type Handle interface {
	Data
	// Writable: it was opened for writing. It does not change.
	Writable() bool
	// Flush is close(2), once per descriptor; its error is shown to the program.
	Flush(ctx context.Context, caller cache.Caller) error
	Fsync(ctx context.Context, dataOnly bool) error
	// Release is called once, after everything else.
	Release()
}

// Data is the content of an open file.
type Data interface {
	// FD is the descriptor of the content file, from which the kernel may read
	// until Release; negative if there is none.
	FD() int
	ReadAt(p []byte, off int64) (int, error)
	// WriteAt ignores off if the file was opened with O_APPEND.
	WriteAt(p []byte, off int64) (int, error)
	Allocate(off, size int64, mode uint32) error
	// Seek answers SEEK_DATA and SEEK_HOLE.
	Seek(off int64, whence int) (int64, error)
}

// Invalidator tells the kernel what it must not believe any longer. Its methods
// don't wait, and may be called with any lock held.
type Invalidator interface {
	// Entry: the name in dir is bound to something else, or to nothing.
	Entry(dir, name string)
	// Dir: the times of the directory have changed.
	Dir(dir string)
	// Attr: size or times of the file have changed.
	Attr(File)
}
