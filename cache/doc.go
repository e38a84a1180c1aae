// Package cache is the durable write-back cache: bytes of files in, row changes
// out. It is what a mount is, without FUSE.
//
// What lives here: the names of the mount and what they are bound to (tables,
// scratch), the three contents of every table (S, L, R), when a save counts,
// pushing, taking in what others changed, deletes that wait, what is held and
// why. What may not live here: errno, FUSE and go-fuse (package fs), flags and
// output (cmd/ragasfs), the form of any store (backends).
//
// Sub-packages: judge decides what a save means, state keeps every fact that
// must survive (SQLite), disk makes every disk call (labelled, so that a test
// can fail exactly one), control is the socket that the command line talks to.
//
// # Locks
//
// Order, outermost first: Cache.names, Table.mu, File.mu, the state's own. None
// is held across a call of a backend, a parse or a wait. Work that needs those
// takes a snapshot under the lock, works without it, and looks again before it
// writes down its result.
package cache
