package disk

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Copy makes dst a new file with the first length bytes of src (all of it if
// length is negative), its permission bits and its times (access and
// modification). It shares the blocks where the file system can (a reflink costs
// no space and no time), else the kernel copies. It returns the size of the
// copy.
//
// dst must not exist (fs.ErrExist). A source shorter than length is
// io.ErrUnexpectedEOF. After an error there is no dst. Nothing of it is durable
// before Sync of the file and SyncDir of its directory.
func (d *FS) Copy(label, dst, src string, length int64) (int64, error) {
	if err := d.ask(label, "copy", src); err != nil {
		return 0, err
	}
	in, err := os.Open(src)
	if err != nil {
		return 0, wrap(label, "copy", src, err)
	}
	defer func() { _ = in.Close() }() // only read from
	out, err := os.OpenFile(dst, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, wrap(label, "copy", dst, err)
	}
	size, err := d.fill(label, out, in, length)
	if err := errors.Join(err, out.Close()); err != nil {
		return 0, errors.Join(err, os.Remove(dst))
	}
	return size, nil
}

// fill gives the empty file out the bytes, mode and times of in.
func (d *FS) fill(label string, out, in *os.File, length int64) (int64, error) {
	var stat unix.Stat_t
	if err := retry(func() error { return unix.Fstat(int(in.Fd()), &stat) }); err != nil {
		return 0, wrap(label, "stat", in.Name(), err)
	}
	if length < 0 {
		length = stat.Size
	}
	if stat.Size < length {
		return 0, wrap(label, "copy", in.Name(), short(length, stat.Size))
	}
	if err := d.ask(label+"/bytes", "copy", out.Name()); err != nil {
		return 0, err
	}
	if err := copyBytes(out, in, length); err != nil {
		return 0, wrap(label, "copy", in.Name(), err)
	}
	if err := out.Chmod(os.FileMode(stat.Mode).Perm()); err != nil {
		return 0, wrap(label, "chmod", out.Name(), err)
	}
	atime, mtime := time.Unix(stat.Atim.Unix()), time.Unix(stat.Mtim.Unix())
	return length, wrap(label, "utimens", out.Name(), os.Chtimes(out.Name(), atime, mtime))
}

func short(want, got int64) error {
	return fmt.Errorf("%d bytes of %d: %w", got, want, io.ErrUnexpectedEOF)
}

// copyBytes tries the ways of copying, cheapest first. out is empty.
func copyBytes(out, in *os.File, length int64) error {
	if cloned, err := clone(out, in, length); cloned || err != nil {
		return err
	}
	done, err := copyInKernel(out, in, length)
	if err != nil || done == length {
		return err
	}
	return copyByHand(out, in, done, length)
}

// clone shares the blocks of the whole file, then cuts off what is too much. It
// answers false where the file system can't.
func clone(out, in *os.File, length int64) (bool, error) {
	if length == 0 || unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) != nil {
		// Whatever the reason is (other file system, no reflinks, a seccomp
		// filter), the next way either works or meets the error itself.
		return false, nil
	}
	info, err := out.Stat()
	if err != nil {
		return false, err
	}
	if info.Size() < length { // cut off by someone since it was looked at
		return false, short(length, info.Size())
	}
	return true, out.Truncate(length)
}

// copyInKernel copies with copy_file_range and answers how many bytes it did;
// fewer than length is no error but "go on by hand".
func copyInKernel(out, in *os.File, length int64) (int64, error) {
	const most = 1 << 30 // the kernel takes less than 2 GiB at a time
	var done int64
	for done < length {
		readAt, writeAt := done, done
		n, err := unix.CopyFileRange(int(in.Fd()), &readAt, int(out.Fd()), &writeAt, int(min(length-done, most)), 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT), errors.Is(err, unix.EIO):
			return done, err
		case err != nil, n == 0:
			// Not between these file systems, or not at all; or nothing more,
			// which some file systems answer without being at the end.
			return done, nil
		}
		done += int64(n)
	}
	return done, nil
}

func copyByHand(out, in *os.File, from, length int64) error {
	n, err := io.Copy(io.NewOffsetWriter(out, from), io.NewSectionReader(in, from, length-from))
	if err == nil && from+n < length {
		err = short(length, from+n)
	}
	return err
}

// Move renames a file; between file systems it copies, makes the copy durable,
// gives it its name in one step and then removes the source. In either case it
// replaces what stood at the new path. Durable when it returns only between file
// systems; else after SyncDir of both directories.
func (d *FS) Move(label, from, to string) error {
	err := d.Rename(label, from, to)
	if !errors.Is(err, unix.EXDEV) {
		return err
	}
	temp, err := d.copyBeside(label, from, to)
	if err != nil {
		return err
	}
	if err := d.Rename(label+"/rename", temp, to); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := d.SyncDir(label+"/syncdir", filepath.Dir(to)); err != nil {
		return err
	}
	return d.Remove(label+"/remove", from)
}

// copyBeside makes a durable copy of a file in the directory of another path,
// under a temporary name.
func (d *FS) copyBeside(label, from, to string) (string, error) {
	info, err := os.Lstat(from)
	if err != nil {
		return "", wrap(label, "move", from, err)
	}
	if !info.Mode().IsRegular() {
		return "", wrap(label, "move", from, fmt.Errorf("only a file can be moved to another file system: %w", unix.EXDEV))
	}
	temp, err := unusedName(to)
	if err != nil {
		return "", wrap(label, "move", to, err)
	}
	if _, err := d.Copy(label+"/copy", temp, from, -1); err != nil {
		return "", err
	}
	if err := d.syncPath(label+"/sync", temp); err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	return temp, nil
}

// syncPath is Sync of a file that is not open.
func (d *FS) syncPath(label, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return wrap(label, "open", path, err)
	}
	return errors.Join(d.Sync(label, file), file.Close())
}
