package fs

import (
	"log/slog"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// openModes stands between the kernel and go-fuse's nodes and looks at the
// answers to OPEN and CREATE: only there it shows whether the kernel took the
// content file (without CAP_SYS_ADMIN, or on a file system that can't be
// stacked, it does not). If not, a writer must not have DIRECT_IO either: beside
// a reader with cached pages it is EIO, and mappings fail.
type openModes struct {
	fuse.RawFileSystem
	log  *slog.Logger
	once sync.Once
}

// Open opens a file that the kernel knows.
func (m *openModes) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	status := m.RawFileSystem.Open(cancel, in, out)
	if status.Ok() {
		m.settle(out)
	}
	return status
}

// Create makes and opens a file.
func (m *openModes) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	status := m.RawFileSystem.Create(cancel, in, name, out)
	if status.Ok() {
		m.settle(&out.OpenOut)
	}
	return status
}

func (m *openModes) settle(out *fuse.OpenOut) {
	passthrough := out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0
	m.once.Do(func() {
		m.log.Debug("how files are opened", "passthrough", passthrough)
	})
	if !passthrough {
		out.OpenFlags &^= fuse.FOPEN_DIRECT_IO
	}
}
