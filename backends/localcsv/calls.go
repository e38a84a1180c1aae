package localcsv

import (
	"errors"

	"golang.org/x/sys/unix"
)

// calls are the system calls on which everything rests that this package
// promises. They are fields so that a test can make exactly one of them fail,
// or let someone else be quicker.
type calls struct {
	// exchange swaps two names of a directory in one step.
	exchange func(dir int, a, b string) error
	// move renames a file unless the new name is taken: then EEXIST.
	move func(dir int, from, to string) error
	// beforeReplace runs between the last look at a file and its replacement.
	beforeReplace func()
}

func systemCalls() calls {
	return calls{exchange: exchange, move: move, beforeReplace: func() {}}
}

func exchange(dir int, a, b string) error {
	return retry(func() error { return unix.Renameat2(dir, a, dir, b, unix.RENAME_EXCHANGE) })
}

func move(dir int, from, to string) error {
	err := retry(func() error { return unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE) })
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
