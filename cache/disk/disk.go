// Package disk makes every call to the local disk that a promise depends on.
// Each call carries a label ("commit:content", "intent:rename", ...), so that a
// test can make exactly one of them fail, and so that an error says what was
// being done. What is durable when is written at each function.
package disk

import "os"

// FS is the disk. The zero value is the real one.
type FS struct {
	// Fail, if set, is asked before each call; a non-nil error is returned in its
	// place. For tests; called from any goroutine.
	Fail func(label string, path string) error
}

// (To be written:)
//
//	OpenFile(label, path, flag, perm) (*os.File, error)
//	Rename(label, old, new) error             // rename(2); SyncDir both for power safety
//	Exchange(label, a, b) error               // renameat2 RENAME_EXCHANGE
//	Link, Symlink, Mkdir, MkdirAll, Remove, RemoveAll(label, ...) error
//	Sync(label, *os.File) error               // fdatasync
//	SyncDir(label, dir) error
//	WriteFile(label, path, data, perm) error  // temp, fsync, rename, fsync dir
//	Copy(label, dst string, src string, length int64) error // reflink, else copy_file_range, else read/write; keeps mode and times
//	Truncate(label, *os.File, size) error
type _ = os.File
