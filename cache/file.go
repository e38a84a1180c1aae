package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// File is one content file as the kernel knows it: one (Ino, Gen). It starts as
// a scratch file or as a generation of a table, and a rename may turn the one
// into the other; the bytes on disk stay the same file all its life.
type File struct {
	c        *Cache
	ino, gen uint64

	// writing is held for reading around each write, and for writing while
	// protected rises.
	writing   sync.RWMutex
	protected atomic.Int64 // bytes at the start that may not be written (K2)

	mu sync.Mutex
	// Guarded by mu, which comes after Table.mu.
	table   *Table // nil: scratch
	tgen    uint64 // generation in table; 0: not loaded yet
	path    string // scratch: file on disk; "" once unlinked
	disk    diskID // scratch: by which it is known in Cache.scratch
	handles map[*Handle]struct{}
	creator process // who created it, and when: for renames onto a table
	created uint64  // event number
	origin  origin  // the table content that it once was
}

// origin says that a scratch file holds (or once was) the content of a table.
type origin struct {
	Table   string `json:",omitempty"`
	Arrival int64  `json:",omitempty"`
}

// diskID is the identity of a file on the local disk.
type diskID struct {
	dev, ino uint64
}

// place returns what the file is at the moment.
func (f *File) place() (t *Table, tgen uint64, path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.table != nil {
		return f.table, f.tgen, ""
	}
	return nil, 0, f.path
}

// diskPath is where the bytes are; "" if they have no name any more.
func (f *File) diskPath() string {
	t, tgen, path := f.place()
	if t == nil {
		return path
	}
	if tgen == 0 {
		return ""
	}
	return t.genPath(tgen)
}

// Attr is what stat shows. For a table that was never loaded it is the last
// known size; only if there is none at all the table is loaded.
func (f *File) Attr(ctx context.Context) (Attr, error) {
	t, tgen, _ := f.place()
	if t != nil && tgen == 0 {
		t.mu.Lock()
		attr, known := t.unloadedAttrLocked(f)
		t.mu.Unlock()
		if known {
			return attr, nil
		}
		if err := f.c.loadForSize(ctx, t, f); err != nil {
			return Attr{}, err
		}
	}
	return f.diskAttr()
}

// loadForSize loads a table because somebody asked for its size, a few tables at
// a time: `ls -l` must not cost the store a load of everything at once.
func (c *Cache) loadForSize(ctx context.Context, t *Table, f *File) error {
	select {
	case c.sizing <- struct{}{}:
		defer func() { <-c.sizing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return t.loadFor(ctx, f)
}

// lookupAttr is Attr for LOOKUP and READDIR: it never loads.
func (f *File) lookupAttr() (Attr, error) {
	t, tgen, _ := f.place()
	if t != nil && tgen == 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		attr, _ := t.unloadedAttrLocked(f)
		return attr, nil
	}
	return f.diskAttr()
}

// unloadedAttrLocked makes attributes from the listing; known is false if the
// store gave no size.
func (t *Table) unloadedAttrLocked(f *File) (attr Attr, known bool) {
	size := t.rec.StoreSize
	known = size >= 0
	if !known {
		size = 0
	}
	when := t.rec.StoreTime
	if when.IsZero() {
		when = t.rec.Seen
	}
	return Attr{
		Ino: f.ino, Gen: f.gen, Mode: syscall.S_IFREG | 0o644, Nlink: 1,
		UID: t.c.uid, GID: t.c.gid, Size: size, Blocks: (size + 511) / 512,
		Atime: when, Mtime: when, Ctime: when, Provisional: true, Rebound: true,
	}, known
}

func (f *File) diskAttr() (Attr, error) {
	var st unix.Stat_t
	err := f.stat(&st)
	if err != nil {
		return Attr{}, err
	}
	return f.attrOf(&st), nil
}

// stat asks the local disk: by name, or through an open handle once the name is gone.
func (f *File) stat(st *unix.Stat_t) error {
	err := error(unix.ENOENT)
	path := f.diskPath()
	if path != "" {
		if err = unix.Lstat(path, st); err == nil {
			return nil
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for h := range f.handles {
		return unix.Fstat(int(h.fd.Fd()), st)
	}
	if f.table != nil {
		return fmt.Errorf("generation %d: %w", f.tgen, ErrStale)
	}
	return &fs.PathError{Op: "stat", Path: path, Err: err}
}

func (f *File) attrOf(st *unix.Stat_t) Attr {
	attr := attrOf(st)
	attr.Ino, attr.Gen = f.ino, f.gen
	t, _, _ := f.place()
	attr.Rebound = t != nil
	return attr
}

func attrOf(st *unix.Stat_t) Attr {
	return Attr{
		Ino: st.Ino, Mode: st.Mode, Nlink: uint32(st.Nlink), UID: st.Uid, GID: st.Gid, Rdev: uint32(st.Rdev),
		Size: st.Size, Blocks: st.Blocks,
		Atime: timeOf(st.Atim), Mtime: timeOf(st.Mtim), Ctime: timeOf(st.Ctim),
	}
}

func timeOf(ts unix.Timespec) time.Time { return time.Unix(ts.Sec, ts.Nsec) }

// SetAttr changes attributes; h is the handle it was asked through, or nil.
func (f *File) SetAttr(ctx context.Context, set SetAttr, h *Handle) (Attr, error) {
	if f.c.cfg.ReadOnly {
		return Attr{}, ErrReadOnly
	}
	if t, tgen, _ := f.place(); t != nil && tgen == 0 {
		if err := t.loadFor(ctx, f); err != nil {
			return Attr{}, err
		}
	}
	if set.Size != nil {
		if err := f.truncate(*set.Size, h); err != nil {
			return Attr{}, err
		}
	}
	path := f.diskPath()
	if path == "" {
		return f.setByHandle(set)
	}
	if err := setDiskAttr(path, unix.AT_SYMLINK_NOFOLLOW, set); err != nil {
		return Attr{}, err
	}
	if t, _, _ := f.place(); t != nil && set.Mtime != nil {
		t.noticeOutsideHandle(f) // after a crash other times must not look like other bytes
	}
	return f.diskAttr()
}

// setByHandle is SetAttr for a file without a name.
func (f *File) setByHandle(set SetAttr) (Attr, error) {
	f.mu.Lock()
	var fd *os.File
	for h := range f.handles {
		fd = h.fd
	}
	f.mu.Unlock()
	if fd != nil {
		if err := setDiskAttr(fmt.Sprintf("/proc/self/fd/%d", fd.Fd()), 0, set); err != nil {
			return Attr{}, err
		}
	}
	return f.diskAttr()
}

// setDiskAttr changes mode, owner and times of what is at a path of the local
// disk. flags are those of fchownat(2): whether a link is followed.
func setDiskAttr(path string, flags int, set SetAttr) error {
	if set.UID != nil || set.GID != nil {
		uid, gid := -1, -1
		if set.UID != nil {
			uid = int(*set.UID)
		}
		if set.GID != nil {
			gid = int(*set.GID)
		}
		if err := unix.Fchownat(unix.AT_FDCWD, path, uid, gid, flags); err != nil {
			return &fs.PathError{Op: "chown", Path: path, Err: err}
		}
	}
	if set.Mode != nil {
		if err := unix.Fchmodat(unix.AT_FDCWD, path, *set.Mode&0o7777, flags); err != nil {
			return &fs.PathError{Op: "chmod", Path: path, Err: err}
		}
	}
	if set.Atime == nil && set.Mtime == nil {
		return nil
	}
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_OMIT}}
	for i, when := range []*time.Time{set.Atime, set.Mtime} {
		if when == nil {
			continue
		}
		var err error
		if times[i], err = unix.TimeToTimespec(*when); err != nil {
			return &fs.PathError{Op: "utimes", Path: path, Err: err}
		}
	}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, path, times[:], flags); err != nil {
		return &fs.PathError{Op: "utimes", Path: path, Err: err}
	}
	return nil
}

// truncate sets the size.
func (f *File) truncate(size int64, h *Handle) error {
	if t, tgen, _ := f.place(); t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if size < f.protected.Load() {
			if err := t.unshareLocked(tgen); err != nil {
				return err
			}
		}
	}
	f.writing.RLock()
	defer f.writing.RUnlock()
	if h != nil && h.writable {
		h.touch()
		return h.fd.Truncate(size)
	}
	if path := f.diskPath(); path != "" {
		if err := unix.Truncate(path, size); err != nil {
			return &fs.PathError{Op: "truncate", Path: path, Err: err}
		}
		f.touched()
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for o := range f.handles {
		if o.writable {
			return o.fd.Truncate(size)
		}
	}
	return fmt.Errorf("truncate: %w", ErrStale)
}

// touched is called after a change that came through no handle.
func (f *File) touched() {
	if t, _, _ := f.place(); t != nil {
		go t.noticeOutsideHandle(f)
	}
}

// Open opens the file. For a table that was never loaded this is the first load:
// it shows progress in the status and ends when ctx does. ErrStale: the name is
// bound to a newer content; look it up again.
func (f *File) Open(ctx context.Context, flags int, caller Caller) (*Handle, error) {
	write := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if f.c.cfg.ReadOnly && write {
		return nil, ErrReadOnly
	}
	if t, _, _ := f.place(); t != nil {
		return t.open(ctx, f, flags, caller)
	}
	path := f.diskPath()
	if path == "" {
		return nil, fmt.Errorf("open: %w", fs.ErrNotExist)
	}
	return f.openDisk(path, flags, caller)
}

// openDisk opens the bytes.
func (f *File) openDisk(path string, flags int, caller Caller) (*Handle, error) {
	write := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	mode := os.O_RDONLY
	if write {
		mode = os.O_RDWR // also for O_WRONLY: the cache itself reads through it
	}
	mode |= flags & (syscall.O_TRUNC | syscall.O_APPEND)
	fd, err := f.c.disk.OpenFile("file:open", path, mode, 0)
	if errors.Is(err, fs.ErrPermission) && write {
		// A file made read-only: the kernel has checked the permission already, and
		// its creator may go on writing.
		fd, err = f.c.disk.OpenFile("file:open", path, mode&^os.O_RDWR|os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	return f.newHandle(fd, flags, caller), nil
}

func (f *File) newHandle(fd *os.File, flags int, caller Caller) *Handle {
	h := &Handle{file: f, fd: fd, flags: flags, caller: caller,
		writable: flags&syscall.O_ACCMODE != syscall.O_RDONLY}
	f.mu.Lock()
	defer f.mu.Unlock()
	h.scratch = f.table == nil
	if f.handles == nil {
		f.handles = map[*Handle]struct{}{}
	}
	f.handles[h] = struct{}{}
	return h
}
