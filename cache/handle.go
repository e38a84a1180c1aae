package cache

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Handle is one open file. Reading and writing through it never waits for the
// network.
type Handle struct {
	// Constant.
	file     *File
	fd       *os.File
	flags    int
	writable bool
	scratch  bool // it was scratch when it was opened
	caller   Caller
	proc     process // of a writer

	wrote     atomic.Bool // since it was opened
	unchecked atomic.Bool // since the last Flush
	failed    atomic.Bool // a write failed: its program may have seen it (guard e)
	opened    atomic.Bool // counted in Table.writers or readers
	// waits: its program waits until the store has what it wrote (-o sync=remote).
	waits atomic.Bool
}

// touch notes that the file was written through h.
func (h *Handle) touch() {
	h.wrote.Store(true)
	h.unchecked.Store(true)
}

// File returns the file.
func (h *Handle) File() *File { return h.file }

// FD is the file descriptor of the bytes, for passthrough. It is valid until Release.
func (h *Handle) FD() int { return int(h.fd.Fd()) }

// Writable reports whether the handle was opened for writing.
func (h *Handle) Writable() bool { return h.writable }

// Scratch reports whether the file was scratch when it was opened.
func (h *Handle) Scratch() bool { return h.scratch }

// ReadAt reads; io.EOF at the end of the file.
func (h *Handle) ReadAt(p []byte, off int64) (int, error) { return h.fd.ReadAt(p, off) }

// WriteAt writes. With O_APPEND the bytes go behind the end whatever off is.
// It fails for reasons of the local disk only.
func (h *Handle) WriteAt(p []byte, off int64) (int, error) {
	if err := h.lockForWrite(off); err != nil {
		h.failed.Store(true)
		return 0, err
	}
	defer h.file.writing.RUnlock()
	h.touch()
	n, err := h.pwrite(p, off)
	if err != nil {
		h.failed.Store(true)
		h.file.c.log.Warn("write failed", "path", h.file.diskPath(), "error", err,
			"remedy", "free space on the disk of the state directory")
	}
	return n, err
}

// lockForWrite takes File.writing for reading once the bytes from off on may be
// written: those that others need are copied away first.
func (h *Handle) lockForWrite(off int64) error {
	f := h.file
	for {
		f.writing.RLock()
		if h.flags&syscall.O_APPEND != 0 || off >= f.protected.Load() {
			return nil
		}
		f.writing.RUnlock()
		if err := f.unprotect(off); err != nil {
			return err
		}
	}
}

// pwrite writes all of p, or, behind the end, nothing: half a record that a full
// disk has left would look like one. (os.File.WriteAt refuses files opened with
// O_APPEND.)
func (h *Handle) pwrite(p []byte, off int64) (int, error) {
	fd := int(h.fd.Fd())
	var before unix.Stat_t
	if err := unix.Fstat(fd, &before); err != nil {
		return 0, os.NewSyscallError("fstat", err)
	}
	done := 0
	for done < len(p) {
		n, err := unix.Pwrite(fd, p[done:], off+int64(done))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			err = os.NewSyscallError("pwrite", err)
		case n == 0:
			err = io.ErrShortWrite
		}
		if err != nil {
			return h.takeBack(before.Size, off, done), err
		}
		done += n
	}
	return done, nil
}

// takeBack cuts off what a failed write has added to a file of that size, unless
// somebody else has written behind it. It returns how many bytes are left of it.
func (h *Handle) takeBack(size, off int64, done int) int {
	if h.flags&syscall.O_APPEND != 0 {
		off = size
	}
	var now unix.Stat_t
	if done == 0 || unix.Fstat(int(h.fd.Fd()), &now) != nil || now.Size <= size || now.Size != off+int64(done) {
		return done
	}
	if h.fd.Truncate(max(size, off)) != nil {
		return done
	}
	return int(max(size-off, 0))
}

// unprotect makes the file its own before bytes are overwritten that others need.
func (f *File) unprotect(off int64) error {
	t, tgen, _ := f.place()
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if off >= t.protectedLocked(tgen) {
		return nil
	}
	return t.unshareLocked(tgen)
}

// Flush is close(2) of one descriptor. When it returns, a kill -9 of this
// process loses nothing of what was written. ErrInvalid: the bytes can't become
// a table (they are kept). With -o sync=remote it sends and waits.
func (h *Handle) Flush(ctx context.Context, caller Caller) error {
	t, _, _ := h.file.place()
	if t == nil || !h.writable {
		return nil
	}
	return t.flushHandle(ctx, h, caller)
}

// Fsync is fsync(2): a power cut loses nothing of what was written.
func (h *Handle) Fsync(ctx context.Context, _ bool) error {
	var then unix.Stat_t
	if err := unix.Fstat(int(h.fd.Fd()), &then); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	if err := h.file.c.disk.Sync("fsync:content", h.fd); err != nil {
		h.failed.Store(true)
		return err
	}
	t, _, _ := h.file.place()
	if t == nil || !h.writable {
		return nil
	}
	return t.syncHandle(ctx, h, &then)
}

// Allocate reserves space (fallocate without a mode).
func (h *Handle) Allocate(off, size int64, mode uint32) error {
	if mode != 0 && h.file.protected.Load() > 0 {
		return ErrUnsupported
	}
	h.touch()
	return unix.Fallocate(int(h.fd.Fd()), mode, off, size)
}

// Seek finds data or holes (SEEK_DATA, SEEK_HOLE); the handle has no position.
func (h *Handle) Seek(off int64, whence int) (int64, error) {
	return unix.Seek(int(h.fd.Fd()), off, whence)
}

// Release ends the handle: the last descriptor is closed.
func (h *Handle) Release() {
	f := h.file
	t, _, _ := f.place()
	if t != nil {
		t.release(h)
	}
	f.mu.Lock()
	delete(f.handles, h)
	f.mu.Unlock()
	if err := h.fd.Close(); err != nil {
		f.c.log.Error("close failed", "path", f.diskPath(), "error", err)
	}
}
