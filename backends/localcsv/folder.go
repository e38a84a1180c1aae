package localcsv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// folder is an open datasets or experiments directory. All work on files goes
// through its descriptor: a directory that is renamed meanwhile stays the same.
type folder struct {
	dir  *os.File
	path string // for messages
}

func (f *folder) close() { _ = f.dir.Close() } // only a descriptor: nothing can be lost

func (f *folder) fd() int { return int(f.dir.Fd()) }

func (f *folder) pathOf(file string) string { return filepath.Join(f.path, file) }

// stat looks at a file without following links; ENOENT if it is no regular file.
func (f *folder) stat(file string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(f.fd(), file, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err == nil && !isRegular(&st) {
		err = fmt.Errorf("not a regular file: %w", unix.ENOENT)
	}
	return st, err
}

// open opens a regular file. It neither follows links nor waits for the other
// end of a pipe.
func (f *folder) open(file string, flags int, perm uint32) (*os.File, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(f.fd(), file, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, perm)
		return err
	})
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENXIO) {
		err = fmt.Errorf("not a regular file: %w", unix.ENOENT)
	}
	if err != nil {
		return nil, err
	}
	opened := os.NewFile(uintptr(fd), f.pathOf(file))
	st, err := fstat(opened)
	if err == nil && !isRegular(&st) {
		err = fmt.Errorf("not a regular file: %w", unix.ENOENT)
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

func (f *folder) unlink(file string) error {
	return retry(func() error { return unix.Unlinkat(f.fd(), file, 0) })
}

// sync makes the names in the folder safe from a power cut.
func (f *folder) sync() error { return f.dir.Sync() }

func fstat(file *os.File) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstat(int(file.Fd()), &st) })
	return st, err
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// projectDir returns the path of a project below the root.
func (b *Backend) projectDir(ref backends.Ref) (string, error) {
	if b.rootIsProject {
		if ref.Project == rootProject {
			return ".", nil
		}
		return "", fmt.Errorf("project %q: with project=. there is only the project %q: %w",
			ref.Project, rootProject, backends.ErrNotFound)
	}
	if err := csvstore.CheckProject(ref.Project); err != nil {
		return "", fmt.Errorf("%w: %w", backends.ErrNotFound, err)
	}
	return ref.Project, nil
}

// folderOf opens the folder of a table and returns the name of its file.
func (b *Backend) folderOf(ref backends.Ref) (*folder, string, error) {
	file, err := csvstore.FileName(ref.Name)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", backends.ErrNotFound, err)
	}
	project, err := b.projectDir(ref)
	if err != nil {
		return nil, "", err
	}
	f, err := b.openFolder(filepath.Join(project, string(ref.Kind)))
	return f, file, err
}

func (b *Backend) openFolder(relative string) (*folder, error) {
	path := filepath.Join(b.path, relative)
	dir, err := b.root.Open(relative)
	if err != nil {
		return nil, failed("open", path, err)
	}
	return &folder{dir: dir, path: path}, nil
}

// claim keeps others from taking hidden files in the folder for left-overs, as
// long as this folder or a duplicate of it is open. The lock is on the directory
// and not on the files, because programs may have locks on those themselves.
// Where directories can't be locked, the files' age has to do (recover.go).
func (f *folder) claim() error {
	err := retry(func() error { return unix.Flock(f.fd(), unix.LOCK_SH) })
	if noLocks(err) {
		return nil
	}
	return err
}

// claimAlone reports whether nobody has claimed the folder, and keeps others
// from doing so until claim or close.
func (f *folder) claimAlone() (alone bool, err error) {
	err = retry(func() error { return unix.Flock(f.fd(), unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// noLocks reports whether a file system can't lock directories.
func noLocks(err error) bool {
	return errors.Is(err, unix.EBADF) || errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.ENOLCK) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENOSYS)
}

// duplicate returns the folder with a descriptor of its own, which shares the claim.
func (f *folder) duplicate() (*folder, error) {
	fd, err := unix.FcntlInt(f.dir.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("second descriptor of %s: %w", f.path, err)
	}
	return &folder{dir: os.NewFile(uintptr(fd), f.path), path: f.path}, nil
}

func (b *Backend) syncDir(relative string) error {
	dir, err := b.root.Open(relative)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
