package cache

import "errors"

// The errors of file operations, for errors.Is; package fs maps them, the
// errors of io/fs, those of backends and syscall.Errno (from the local disk) to
// errno. The text says what happened to which path and what to do about it.
var (
	// ErrInvalid: the bytes are no table and cannot become one (close, fsync, rename).
	ErrInvalid = errors.New("not a table")
	// ErrStale: this inode is an old version of a table; look the name up again.
	ErrStale = errors.New("an old version of this table")
	// ErrCrossKind: a table can't move between folders.
	ErrCrossKind = errors.New("a table can't be moved to another folder")
	// ErrNotEmpty: the directory is not empty.
	ErrNotEmpty = errors.New("directory not empty")
	// ErrName: a name that no table or project can have.
	ErrName = errors.New("not a possible name")
	// ErrReadOnly: mounted read-only.
	ErrReadOnly = errors.New("mounted read-only")
	// ErrNotPermitted: this object can't do that (renaming a project).
	ErrNotPermitted = errors.New("operation not permitted")
	// ErrUnsupported: no such operation here.
	ErrUnsupported = errors.New("operation not supported")
	// ErrIsDir, ErrNotDir: the wrong kind of object.
	ErrIsDir  = errors.New("is a directory")
	ErrNotDir = errors.New("not a directory")
	// ErrPending: something is still not sent (flush, unmount: exit code 3).
	ErrPending = errors.New("changes are still pending")
	// ErrInUse: the store is mounted already.
	ErrInUse = errors.New("already mounted")
	// ErrOtherStore: the store is not the one that was recorded.
	ErrOtherStore = errors.New("not the store that was mounted before")
	// ErrNewerState: the state on disk was written by a newer ragasfs.
	ErrNewerState = errors.New("state written by a newer version")
)
