package fs

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"syscall"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
)

// meaning says which errno a program sees for an error. All that most programs
// show of it is strerror, so unlike things have unlike numbers: not reachable
// "Network is unreachable" or "Connection timed out", refused by the store
// "Remote I/O error", credentials "Key has expired", not a table "Bad message".
//
// Never ENOENT for a table that exists: a program would create it anew. Never
// ENOSYS: the kernel would not send that operation again for the whole mount.
type meaning struct {
	err   error
	errno syscall.Errno
}

// sentinels are the errors that we made ourselves, first match first: a call
// that was interrupted or timed out also says "not reachable". They come before
// any errno further down the chain (a refused connection under "not reachable").
var sentinels = []meaning{
	{context.Canceled, syscall.EINTR},
	{context.DeadlineExceeded, syscall.ETIMEDOUT},
	{os.ErrDeadlineExceeded, syscall.ETIMEDOUT},

	{cache.ErrInvalid, syscall.EBADMSG},
	{cache.ErrStale, syscall.ESTALE},
	{cache.ErrCrossKind, syscall.EXDEV},
	{cache.ErrNotEmpty, syscall.ENOTEMPTY},
	{cache.ErrName, syscall.EINVAL},
	{cache.ErrReadOnly, syscall.EROFS},
	{cache.ErrNotPermitted, syscall.EPERM},
	{cache.ErrUnsupported, syscall.EOPNOTSUPP},
	{cache.ErrIsDir, syscall.EISDIR},
	{cache.ErrNotDir, syscall.ENOTDIR},
	{cache.ErrPending, syscall.EBUSY},
	{cache.ErrInUse, syscall.EBUSY},
	{cache.ErrOtherStore, syscall.EREMOTEIO},
	{cache.ErrNewerState, syscall.EIO},

	{backends.ErrAuth, syscall.EKEYEXPIRED},
	{backends.ErrNotFound, syscall.EREMOTEIO}, // the name is here, so not ENOENT
	{backends.ErrExists, syscall.EEXIST},
	{backends.ErrConflict, syscall.EREMOTEIO}, // not ESTALE: the kernel would do the call again
	{backends.ErrRefused, syscall.EREMOTEIO},
	{backends.ErrUnavailable, syscall.ENETUNREACH},
	{backends.ErrUnknown, syscall.EREMOTEIO},
	{backends.ErrIncomplete, syscall.EIO}, // damaged on its way, as on a bad disk
	{backends.ErrNotEmpty, syscall.ENOTEMPTY},
	{backends.ErrUnsupported, syscall.EOPNOTSUPP},
	{backends.ErrBackendNotFound, syscall.ENODEV},
	{backends.ErrOption, syscall.EINVAL},
}

// general are the errors of io/fs. They come after an errno in the chain,
// because syscall.Errno answers to them too (ENOTEMPTY is fs.ErrExist).
var general = []meaning{
	{fs.ErrNotExist, syscall.ENOENT},
	{fs.ErrExist, syscall.EEXIST},
	{fs.ErrPermission, syscall.EACCES},
	{fs.ErrInvalid, syscall.EINVAL},
	{fs.ErrClosed, syscall.EBADF},
	{errors.ErrUnsupported, syscall.EOPNOTSUPP},
}

// Errno is the errno for an error of a Tree; 0 for nil. EIO for what is not in
// the table.
func Errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if errno := find(sentinels, err); errno != 0 {
		return errno
	}
	var errno syscall.Errno
	if errors.As(err, &errno) && errno != 0 {
		if errno == syscall.ENOSYS {
			return syscall.EOPNOTSUPP
		}
		return errno
	}
	if errno := find(general, err); errno != 0 {
		return errno
	}
	return syscall.EIO
}

func find(table []meaning, err error) syscall.Errno {
	for _, m := range table {
		if errors.Is(err, m.err) {
			return m.errno
		}
	}
	return 0
}

// ordinary are answers that programs ask for all day; they are no news for the
// log.
var ordinary = map[syscall.Errno]bool{
	syscall.ENOENT: true, syscall.EEXIST: true, syscall.ENOTEMPTY: true, syscall.ESTALE: true,
	syscall.EINTR: true, syscall.EXDEV: true, syscall.EISDIR: true, syscall.ENOTDIR: true,
	syscall.EROFS: true, syscall.EPERM: true, syscall.EACCES: true, syscall.EOPNOTSUPP: true,
	syscall.EINVAL: true, syscall.ENXIO: true, syscall.ENAMETOOLONG: true,
}

// reporter turns errors into errno and writes down what an errno can't say.
type reporter struct{ log *slog.Logger }

// name is for an operation on names, in which a name that is not there is
// ENOENT. path is only called when there is something to log.
func (r reporter) name(err error, op string, path func() string) syscall.Errno {
	if err == nil {
		return 0
	}
	errno := Errno(err)
	level := slog.LevelWarn
	switch {
	case errno == syscall.EIO:
		level = slog.LevelError
	case ordinary[errno]:
		level = slog.LevelDebug
	}
	r.write(level, err, errno, op, path)
	return errno
}

// file is for an operation on a file that the kernel already has: "no such
// file" (a content file that is missing from the state directory) must not
// reach a program, which would take it for leave to create the table. ESTALE
// makes the kernel look the name up again, and gives ENOENT if it is gone.
func (r reporter) file(err error, op string, path func() string) syscall.Errno {
	if err != nil && Errno(err) == syscall.ENOENT {
		r.write(slog.LevelWarn, err, syscall.ESTALE, op, path)
		return syscall.ESTALE
	}
	return r.name(err, op, path)
}

func (r reporter) write(level slog.Level, err error, errno syscall.Errno, op string, path func() string) {
	ctx := context.Background()
	if r.log.Enabled(ctx, level) {
		r.log.Log(ctx, level, "file operation failed",
			"op", op, "path", path(), "errno", errno.Error(), "error", err)
	}
}
