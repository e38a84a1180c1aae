package cache

// Signatures of the cache as fs and cmd/ragasfs use it; replaced by the real
// ones file by file.

import (
	"context"
	"io"
	"time"
)

type Cache struct{}

// Open opens (and creates) the state of the store, recovers what an unclean end
// left, and starts. It does not wait for the network. ErrInUse names pid and
// mount point of the other.
func Open(ctx context.Context, config Config) (*Cache, error) { panic("unwritten") }

// SetInvalidator is called once, before the first file operation.
func (c *Cache) SetInvalidator(Invalidator) {}

// Drain sends everything that is pending, as unmount does, until nothing is left
// that a wait could send, or ctx is done. progress may be nil. ErrPending (with
// what is left) if something stays.
func (c *Cache) Drain(ctx context.Context, progress func(Progress)) error { panic("unwritten") }

// Close stops all work and closes state and store. Nothing is sent any more.
func (c *Cache) Close() error { panic("unwritten") }

// --- names. dir is a path without outer slashes, "" is the root of the mount.

func (c *Cache) Lookup(ctx context.Context, dir, name string) (Node, error)  { panic("unwritten") }
func (c *Cache) Attr(ctx context.Context, path string) (Attr, error)         { panic("unwritten") } // directories, symlinks, special files
func (c *Cache) ReadDir(ctx context.Context, dir string) ([]DirEntry, error) { panic("unwritten") }
func (c *Cache) Create(ctx context.Context, dir, name string, flags int, mode uint32, caller Caller) (Node, *Handle, error) {
	panic("unwritten")
}
func (c *Cache) Mknod(ctx context.Context, dir, name string, mode, dev uint32, caller Caller) (Node, error) {
	panic("unwritten")
}
func (c *Cache) Mkdir(ctx context.Context, dir, name string, mode uint32, caller Caller) (Node, error) {
	panic("unwritten")
}
func (c *Cache) Symlink(ctx context.Context, dir, name, target string, caller Caller) (Node, error) {
	panic("unwritten")
}
func (c *Cache) Readlink(ctx context.Context, path string) (string, error) { panic("unwritten") }
func (c *Cache) Link(ctx context.Context, file *File, dir, name string) (Node, error) {
	panic("unwritten")
}
func (c *Cache) Unlink(ctx context.Context, dir, name string, caller Caller) error {
	panic("unwritten")
}
func (c *Cache) Rmdir(ctx context.Context, dir, name string) error { panic("unwritten") }
func (c *Cache) Rename(ctx context.Context, oldDir, oldName, newDir, newName string, flags RenameFlags, caller Caller) error {
	panic("unwritten")
}
func (c *Cache) SetAttr(ctx context.Context, path string, set SetAttr) (Attr, error) {
	panic("unwritten")
}                                                              // directories
func (c *Cache) SyncDir(ctx context.Context, dir string) error { panic("unwritten") }
func (c *Cache) StatFS() (StatFS, error)                       { panic("unwritten") }

// File is one content file as the kernel knows it: one (Ino, Gen).
type File struct{}

func (f *File) Attr(ctx context.Context) (Attr, error)                            { panic("unwritten") }
func (f *File) SetAttr(ctx context.Context, set SetAttr, h *Handle) (Attr, error) { panic("unwritten") } // h may be nil
func (f *File) Open(ctx context.Context, flags int, caller Caller) (*Handle, error) {
	panic("unwritten")
} // first load happens here; ErrStale: look up again

// Handle is one open file. Reads and writes never wait for the network.
type Handle struct{}

func (h *Handle) File() *File                                    { panic("unwritten") }
func (h *Handle) FD() int                                        { panic("unwritten") } // the local file, for passthrough
func (h *Handle) Writable() bool                                 { panic("unwritten") }
func (h *Handle) Scratch() bool                                  { panic("unwritten") } // at open
func (h *Handle) ReadAt(p []byte, off int64) (int, error)        { panic("unwritten") } // io.EOF at the end
func (h *Handle) WriteAt(p []byte, off int64) (int, error)       { panic("unwritten") } // O_APPEND: off is ignored
func (h *Handle) Flush(ctx context.Context, caller Caller) error { panic("unwritten") }
func (h *Handle) Fsync(ctx context.Context, dataOnly bool) error { panic("unwritten") }
func (h *Handle) Allocate(off, size int64, mode uint32) error    { panic("unwritten") }
func (h *Handle) Seek(off int64, whence int) (int64, error)      { panic("unwritten") } // SEEK_DATA, SEEK_HOLE
func (h *Handle) Release()                                       {}

// --- for the command line (through cache/control). Paths are relative to the
// mount: "p/datasets/qa.csv", "p", "".

// Progress of long work.
type Progress struct {
	Path       string        `json:"path,omitempty"`
	Done, Left int64         // rows
	ETA        time.Duration `json:"eta,omitempty"`
}

func (c *Cache) Status(path string) (Status, error) { panic("unwritten") }
func (c *Cache) Flush(ctx context.Context, paths []string, retry bool, progress func(Progress)) error {
	panic("unwritten")
}
func (c *Cache) Confirm(ctx context.Context, path string) error           { panic("unwritten") }
func (c *Cache) Discard(ctx context.Context, path string) error           { panic("unwritten") }
func (c *Cache) Refresh(ctx context.Context, path string) error           { panic("unwritten") }
func (c *Cache) Diff(ctx context.Context, path string, w io.Writer) error { panic("unwritten") } // what would be sent, as text for people
func (c *Cache) Find(ctx context.Context, path, column, value string, w io.Writer) (int, error) {
	panic("unwritten")
} // matching rows as CSV with header

// Stores lists the stores under a state directory that are not mounted and have
// unsent changes, for `ragasfs status` without a path.
func Stores(stateDir string) ([]StoreInfo, error) { panic("unwritten") }

// StoreInfo is one store on disk.
type StoreInfo struct {
	Dir, Source, Identity, Mountpoint string
	PID                               int // of the holder; 0: not mounted
	Draining                          bool
	Tables, Rows                      int               // pending
	Options                           map[string]string // with which it was mounted last (no secrets)
}
