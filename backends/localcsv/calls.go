package localcsv

import (
	"errors"

	"golang.org/x/sys/unix"
)

// calls are the steps on which everything rests that this package promises.
// They are fields so that a test can make exactly one of them fail, or let
// someone else be quicker.
type calls struct {
	// renameat2 is renameat2(2) within one directory.
	renameat2 func(dir int, from, to string, flags uint) error
	// beforeChange runs between the last look at a file and its change.
	beforeChange func()
}

func systemCalls() *calls {
	return &calls{
		renameat2: func(dir int, from, to string, flags uint) error {
			return retry(func() error { return unix.Renameat2(dir, from, dir, to, flags) })
		},
		beforeChange: func() {},
	}
}

// exchange swaps two names of a directory in one step.
func (c *calls) exchange(dir int, a, b string) error {
	return c.renameat2(dir, a, b, unix.RENAME_EXCHANGE)
}

// move renames a file or directory unless the new name is taken: then EEXIST.
func (c *calls) move(dir int, from, to string) error {
	err := c.renameat2(dir, from, to, unix.RENAME_NOREPLACE)
	if !unsupported(err) {
		return err
	}
	// NFS, some FUSE: a second name, then the first one goes. Directories and
	// file systems without links (FAT) have only a look and a rename, between
	// which someone may be quicker.
	switch err := retry(func() error { return unix.Linkat(dir, from, dir, to, 0) }); {
	case err == nil:
		return retry(func() error { return unix.Unlinkat(dir, from, 0) })
	case errors.Is(err, unix.EEXIST), errors.Is(err, unix.ENOENT):
		return err
	}
	var st unix.Stat_t
	if err := retry(func() error { return unix.Fstatat(dir, to, &st, unix.AT_SYMLINK_NOFOLLOW) }); err == nil {
		return unix.EEXIST
	} else if !errors.Is(err, unix.ENOENT) {
		return err
	}
	return retry(func() error { return unix.Renameat(dir, from, dir, to) })
}

// unsupported reports whether a file system does not know a flag of renameat2.
func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP)
}
