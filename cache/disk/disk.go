// Package disk makes every call to the local disk that a promise depends on.
// Each call carries a label ("commit:content", "intent:rename", ...), so that a
// test can make exactly one of them fail, and so that an error says what was
// being done. What is durable when is written at each function.
//
// What lives here: calls to the disk and the few combinations of them that must
// be right everywhere (atomic write, copy, move, quarantine). What may not live
// here: any knowledge of what the files mean.
//
// Errors name label, operation and path and wrap the cause, so that
// errors.Is(err, syscall.ENOSPC) and errors.Is(err, fs.ErrNotExist) work.
package disk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// FS is the disk. The zero value, and a nil *FS, is the real one. It has no
// state of its own and may be used from any goroutine.
type FS struct {
	// Fail, if set, is asked before each call; a non-nil error is returned in its
	// place, wrapped like the real one. A function that makes several calls asks
	// for its label first and then for each step ("label/sync", "label/rename",
	// ...). For tests; called from any goroutine.
	Fail func(label string, path string) error
}

// ask gives a test the chance to fail the call.
func (d *FS) ask(label, op, path string) error {
	if d == nil || d.Fail == nil {
		return nil
	}
	return wrap(label, op, path, d.Fail(label, path))
}

// wrap says what was being done; nil stays nil.
func wrap(label, op, path string, err error) error {
	if err == nil {
		return nil
	}
	var named *os.PathError
	if errors.As(err, &named) {
		return fmt.Errorf("%s: %w", label, err) // op and path are in it
	}
	return fmt.Errorf("%s: %s %s: %w", label, op, path, err)
}

// OpenFile is os.OpenFile. A file that it creates is durable after Sync of the
// file and SyncDir of its directory.
func (d *FS) OpenFile(label, path string, flag int, perm os.FileMode) (*os.File, error) {
	if err := d.ask(label, "open", path); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, flag, perm)
	return file, wrap(label, "open", path, err)
}

// ReadFile is os.ReadFile.
func (d *FS) ReadFile(label, path string) ([]byte, error) {
	if err := d.ask(label, "read", path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	return data, wrap(label, "read", path, err)
}

// WriteAt writes all of p at the offset, or says why not. Durable after Sync.
func (d *FS) WriteAt(label string, file *os.File, p []byte, offset int64) (int, error) {
	if err := d.ask(label, "write", file.Name()); err != nil {
		return 0, err
	}
	n, err := file.WriteAt(p, offset)
	return n, wrap(label, "write", file.Name(), err)
}

// Truncate sets the size of an open file. Durable after Sync.
func (d *FS) Truncate(label string, file *os.File, size int64) error {
	if err := d.ask(label, "truncate", file.Name()); err != nil {
		return err
	}
	return wrap(label, "truncate", file.Name(), file.Truncate(size))
}

// Rename is rename(2): what stood at the new path is replaced. It survives kill
// -9 when it returns, a power cut after SyncDir of both directories.
func (d *FS) Rename(label, from, to string) error {
	return d.renameat2(label, from, to, 0)
}

// RenameNoReplace is Rename, but fs.ErrExist if there is something at the new
// path.
func (d *FS) RenameNoReplace(label, from, to string) error {
	return d.renameat2(label, from, to, unix.RENAME_NOREPLACE)
}

// Exchange swaps what stands at two paths in one step (RENAME_EXCHANGE). Durable
// as Rename is.
func (d *FS) Exchange(label, a, b string) error {
	return d.renameat2(label, a, b, unix.RENAME_EXCHANGE)
}

func (d *FS) renameat2(label, from, to string, flags uint) error {
	if err := d.ask(label, "rename", from); err != nil {
		return err
	}
	err := retry(func() error { return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags) })
	if err != nil {
		return fmt.Errorf("%s: %w", label, &os.LinkError{Op: "rename", Old: from, New: to, Err: err})
	}
	return nil
}

// Link makes a hard link. Durable after SyncDir of the new name's directory.
func (d *FS) Link(label, from, to string) error {
	if err := d.ask(label, "link", to); err != nil {
		return err
	}
	return wrap(label, "link", to, os.Link(from, to))
}

// Symlink makes a symbolic link. Durable after SyncDir of the link's directory.
func (d *FS) Symlink(label, target, path string) error {
	if err := d.ask(label, "symlink", path); err != nil {
		return err
	}
	return wrap(label, "symlink", path, os.Symlink(target, path))
}

// Mkdir makes one directory. Durable after SyncDir of its parent.
func (d *FS) Mkdir(label, path string, perm os.FileMode) error {
	if err := d.ask(label, "mkdir", path); err != nil {
		return err
	}
	return wrap(label, "mkdir", path, os.Mkdir(path, perm))
}

// MkdirAll makes a directory and those above it; none of them is durable before
// SyncDir of its parent.
func (d *FS) MkdirAll(label, path string, perm os.FileMode) error {
	if err := d.ask(label, "mkdir", path); err != nil {
		return err
	}
	return wrap(label, "mkdir", path, os.MkdirAll(path, perm))
}

// Remove removes a file or an empty directory. Durable after SyncDir.
func (d *FS) Remove(label, path string) error {
	if err := d.ask(label, "remove", path); err != nil {
		return err
	}
	return wrap(label, "remove", path, os.Remove(path))
}

// RemoveAll removes a tree; nothing there is no error.
func (d *FS) RemoveAll(label, path string) error {
	if err := d.ask(label, "remove", path); err != nil {
		return err
	}
	return wrap(label, "remove", path, os.RemoveAll(path))
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR { //nolint:errorlint // a bare errno of package unix
			return err
		}
	}
}
