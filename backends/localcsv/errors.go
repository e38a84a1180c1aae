package localcsv

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
)

// meanings says which sentinel an errno of the file system is. What is not
// listed (EIO, ENOSPC, EDQUOT, ESTALE, ...) may be better later: ErrUnavailable.
var meanings = []struct {
	errno    unix.Errno
	sentinel error
}{
	{unix.ENOENT, backends.ErrNotFound},
	{unix.ENOTDIR, backends.ErrNotFound},
	{unix.EEXIST, backends.ErrExists},
	{unix.ENOTEMPTY, backends.ErrNotEmpty},
	{unix.EACCES, backends.ErrAuth},
	{unix.EPERM, backends.ErrAuth},
	{unix.EROFS, backends.ErrAuth},
	{unix.ENAMETOOLONG, backends.ErrRefused},
	{unix.EILSEQ, backends.ErrRefused},
	{unix.EINVAL, backends.ErrRefused},
	{unix.EISDIR, backends.ErrRefused},
	{unix.EFBIG, backends.ErrRefused},
}

// failed wraps an error of the file system: what was done to what path, what it
// means, and the system's own words. Errors that carry a meaning keep it.
func failed(what, path string, err error) error {
	for _, sentinel := range []error{backends.ErrIncomplete, backends.ErrRefused, backends.ErrConflict, backends.ErrNotFound} {
		if errors.Is(err, sentinel) {
			return fmt.Errorf("%s %s: %w", what, path, err)
		}
	}
	for _, m := range meanings {
		if errors.Is(err, m.errno) {
			return fmt.Errorf("%s %s: %w: %w", what, path, m.sentinel, err)
		}
	}
	return fmt.Errorf("%s %s: %w: %w", what, path, backends.ErrUnavailable, err)
}

func conflict(what, path string) error {
	return fmt.Errorf("%s %s: %w", what, path, backends.ErrConflict)
}

// uncertain marks a failure after which the change is there, but perhaps not
// after a power cut.
func uncertain(what, path string, err error) error {
	return fmt.Errorf("%s %s: %w: %w", what, path, backends.ErrUnknown, err)
}
