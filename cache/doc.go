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
// must survive (SQLite), store lays out and locks the directory, disk makes every
// disk call (labelled, so that a test can fail exactly one), control is the socket
// that the command line talks to.
//
// # Where to look
//
//	the face            api.go config.go cache.go errors.go status.go status_types.go progress.go
//	                    views.go find.go invalidate.go
//	names               names.go listing.go create.go remove.go rename.go replace.go away.go
//	                    link.go gone.go vanish.go renameproject.go projects.go
//	                    projectstatus.go encode.go onlyhere.go backing.go origin.go
//	a table             table.go record.go content.go file.go handle.go open.go load.go evict.go
//	keys of rows        keys.go keysfile.go showkeys.go
//	contents in use     source.go pin.go shot.go checksum.go powersafe.go
//	a save goes out     work.go tries.go judging.go parts.go push.go pushrows.go make.go
//	                    intent.go reconcile.go flush.go
//	a change comes in   freshness.go refresh.go incoming.go arrival.go
//	who knew what       know.go process.go
//	a person decides    decide.go decided.go conflicts.go
//	the store           storeside.go health.go recognise.go
//	after a crash       recover.go unclean.go lost.go leftover.go
//	the past            history.go prune.go
//	tools               waitgroup.go doc.go
//
// # Locks
//
// Order, outermost first: Cache.names, Table.mu, File.mu, the state's own. None
// is held across a call of a backend, a parse or a wait. Work that needs those
// takes a snapshot under the lock, works without it, and looks again before it
// writes down its result.
package cache
