// Package fs shows a cache as a FUSE file system (go-fuse's node API).
//
// What lives here: nodes and handles, which only translate between the kernel
// and a Tree; the one table from errors to errno; the modes in which files are
// opened; invalidation of what the kernel remembers; mounting, unmounting and
// finding mounts. What may not live here: anything that knows what a table, a
// row or a store is (package cache), flags and output (cmd/ragasfs).
//
// # One file, one kernel inode
//
// A File of the tree is one content file for ever, and one kernel inode (Ino,
// Gen). New content under a name is another File, of which the kernel learns by
// Invalidator.Entry, or by ESTALE from OPEN, after which it looks the name up
// again by itself.
//
// # Modes
//
// With CAP_SYS_ADMIN reads go from the kernel straight to the content file
// (FOPEN_PASSTHROUGH), and so do mappings; a writer has FOPEN_DIRECT_IO as well,
// by which each WRITE comes through here first. Without the capability all files
// are cached by the kernel, written through. Two modes on one inode are EIO, so
// the choice is made once, by whether the kernel takes the first content file.
//
// # Deadlocks
//
// A handler must never wait for a notification to the kernel: the kernel may
// hold a lock for that very handler. Notifications go through a queue that a
// goroutine of its own works off (invalidate.go).
package fs
