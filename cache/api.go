package cache

import (
	"time"
)

// Attr is what stat shows of a file, directory or symlink.
type Attr struct {
	Ino                   uint64 // stable over remounts
	Gen                   uint64 // of the kernel inode: one (Ino, Gen) is one content file for ever
	Mode                  uint32 // with type bits, as in stat(2)
	Nlink, UID, GID, Rdev uint32
	Size, Blocks          int64
	Atime, Mtime, Ctime   time.Time
	// Provisional: the size is the last known one of a table that is not loaded.
	// The kernel must not keep it (timeout 0).
	Provisional bool
	// Rebound: the name may come to mean another file behind the kernel's back. The
	// kernel must ask each time it meets the name, and is not told of it: telling
	// takes the lock of the directory, and a process that is killed just then, while
	// a program holds that lock and waits for an answer, never ends.
	Rebound bool
}

// Node is what a name is bound to.
type Node struct {
	Attr Attr
	// File is set for regular files (tables and scratch), nil for directories,
	// symlinks, FIFOs and sockets. The same *File always comes with the same
	// (Ino, Gen) and the other way round.
	File *File
}

// DirEntry is one line of a directory.
type DirEntry struct {
	Name string
	Attr Attr // only Ino and the type bits of Mode are sure to be set
}

// Caller is the thread that made a file operation.
type Caller struct {
	TID      uint32 // 0: not known (RELEASE, writes from the page cache)
	UID, GID uint32
}

// SetAttr is a change of attributes; nil fields stay.
type SetAttr struct {
	Size         *int64
	Mode         *uint32 // permission bits
	UID, GID     *uint32
	Atime, Mtime *time.Time
}

// RenameFlags are those of renameat2(2).
type RenameFlags uint32

// The flags that are known; others are an error.
const (
	RenameNoReplace RenameFlags = 1
	RenameExchange  RenameFlags = 2
)

// Invalidator tells the kernel that names or attributes have changed. Its
// methods may be called from any goroutine that holds no lock of the cache, and
// must not call back into the cache before they return.
type Invalidator interface {
	// Entry: the name in dir ("" is the root, "p/datasets", ...) is bound to
	// something else, or to nothing.
	Entry(dir, name string)
	// Dir: the times of the directory have changed.
	Dir(dir string)
	// Attr: the attributes of the file have changed (size, times).
	Attr(f *File)
}

// StatFS is generous: a file manager must not refuse to copy.
type StatFS struct {
	BlockSize        uint32
	Blocks, Free     uint64
	Files, FreeFiles uint64
	NameLen          uint32
}
