package fs

import (
	"log/slog"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// openModes stands between the kernel and go-fuse's nodes, where it shows
// whether the kernel took the content file of an OPEN or CREATE. Without
// CAP_SYS_ADMIN, or on a file system that can't be stacked, it does not. Then
//   - a writer must not have DIRECT_IO either: beside a reader with cached pages
//     it is EIO, and mappings fail;
//   - the kernel writes changed pages of a mapping back through the handle that
//     was mapped. If that one appends, they would go behind the end.
type openModes struct {
	fuse.RawFileSystem
	log  *slog.Logger
	once sync.Once
	// appending has the cached handles (Fh) that append and can be mapped.
	appending sync.Map
}

// Open opens a file that the kernel knows.
func (m *openModes) Open(cancel <-chan struct{}, in *fuse.OpenIn, out *fuse.OpenOut) fuse.Status {
	status := m.RawFileSystem.Open(cancel, in, out)
	if status.Ok() {
		m.settle(in.Flags, out)
	}
	return status
}

// Create makes and opens a file.
func (m *openModes) Create(cancel <-chan struct{}, in *fuse.CreateIn, name string, out *fuse.CreateOut) fuse.Status {
	status := m.RawFileSystem.Create(cancel, in, name, out)
	if status.Ok() {
		m.settle(in.Flags, &out.OpenOut)
	}
	return status
}

func (m *openModes) settle(flags uint32, out *fuse.OpenOut) {
	passthrough := out.OpenFlags&fuse.FOPEN_PASSTHROUGH != 0
	m.once.Do(func() {
		m.log.Debug("how files are opened", "passthrough", passthrough)
	})
	if passthrough {
		return
	}
	out.OpenFlags &^= fuse.FOPEN_DIRECT_IO
	if flags&syscall.O_APPEND != 0 && flags&syscall.O_ACCMODE == syscall.O_RDWR {
		m.appending.Store(out.Fh, true)
	}
}

// Writev is what go-fuse calls for every WRITE.
func (m *openModes) Writev(cancel <-chan struct{}, in *fuse.WriteIn, data [][]byte) (uint32, fuse.Status) {
	if in.WriteFlags&fuse.WRITE_CACHE != 0 {
		if _, appends := m.appending.Load(in.Fh); appends {
			m.log.Error("a mapping of a file opened with O_APPEND was changed; without CAP_SYS_ADMIN that can't be written",
				"remedy", "the program must open it without O_APPEND")
			return 0, fuse.EIO
		}
	}
	return m.RawFileSystem.Writev(cancel, in, data)
}

// Release closes a handle.
func (m *openModes) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	m.appending.Delete(in.Fh)
	m.RawFileSystem.Release(cancel, in)
}
