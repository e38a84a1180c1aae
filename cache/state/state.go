// Package state keeps every fact of a store that must survive: SQLite in one
// file, one connection, in the hands of one process. It holds no bytes of
// tables. Facts are records: a kind, an id and a JSON body with a CRC that is
// checked whenever it is read.
//
// Durability: a commit at Normal survives kill -9 of this process (about 20 us),
// one at Full also a power cut, and with it every commit before it. Five seconds
// after any Normal commit the state is made power safe in the background.
//
// Damage: nothing that fails its check is ever answered. A record whose CRC
// fails is ErrDamaged, a copy of its raw bytes goes to lost+found, the others
// live on. A database that fails goes to lost+found as a whole and a new one is
// made; so Open never fails because of damage, and Report says what happened,
// again and again until DB.Recovered. Every record is checked by an Open after an
// unclean end, every byte by one after a clean end.
//
// What may not live here: what the records mean.
//
// # On disk
//
//	state.db       the database; state.db-wal beside it while it is open
//	state.clean    size and CRC of state.db, written when it was closed cleanly,
//	               removed once there is a log again
//	state.db.vN    the database as it was before an upgrade from version N
//	reserve        2 MiB that are given up on a full disk so that facts still go down
//	lost+found/    what was damaged
//
// While a DB is open nothing else may open state.db or state.db-wal, not even to
// read, and not even this process.
//
// # Locks
//
// One mutex, DB.mu, is held for the whole of each Update and View: transactions
// are one after the other. A callback must not call the DB, only its Tx. No
// other lock is taken while it is held.
package state

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// Level says what a commit survives.
type Level uint8

// The levels.
const (
	Normal Level = iota // kill -9
	Full                // a power cut
)

// The errors of this package, for errors.Is.
var (
	// ErrDamaged: a record fails its check (the text names kind and id), or the
	// database can't be read any more.
	ErrDamaged = errors.New("damaged state")
	// ErrNewer: the database was written by a newer version; nothing was touched.
	ErrNewer = errors.New("state written by a newer version")
	// ErrClosed: the DB, or the transaction, is over.
	ErrClosed = errors.New("state is closed")
	// ErrInUse: another process has the database open.
	ErrInUse = errors.New("state is in use by another process")
	// ErrReadOnly: a write in a View.
	ErrReadOnly = errors.New("a View can't write")
)

// Options is what Open needs.
type Options struct {
	Dir  string       // the store's directory, which exists
	Disk *disk.FS     // nil: the real one
	Log  *slog.Logger // nil: discard

	// BeforeSync, if set, is called without any lock before the state is made
	// power safe in the background, so that contents can be made so before the
	// facts about them. Its error is logged and the state is synced all the same.
	BeforeSync func() error
}

// Key names a record.
type Key struct{ Kind, ID string }

// Report is what Open found.
type Report struct {
	// Created: there was no database; this one is new.
	Created bool
	// Clean: the database was closed cleanly and is byte for byte as it was then,
	// or is new and nothing was damaged.
	Clean bool
	// Damaged: a damaged database was moved to lost+found and this one began empty.
	// Reported by every Open until DB.Recovered.
	Damaged bool
	// Incomplete: the write-ahead log was damaged or gone, or the database is not
	// the one that was closed, so commits may be missing, even those at Full.
	// Reported by every Open until DB.Recovered.
	Incomplete bool
	// Records that are damaged; the others are good. Reported by every Open until
	// they are replaced or deleted.
	Records []Key
	// Quarantined are the paths in lost+found of what was damaged.
	Quarantined []string
	// Upgraded is the schema version that was upgraded, 0 if none. The old
	// database stays beside the new one as state.db.vN.
	Upgraded int
}

// DB is the open state of one store. Its methods are safe for use from many
// goroutines.
type DB struct {
	// Constant.
	opt  Options
	log  *slog.Logger
	disk *disk.FS

	mu sync.Mutex
	// Guarded by mu.
	conn    *conn
	closed  bool
	suspect bool // reading met damage: the next Open must check
	damaged map[Key]bool
	found   []Key // the keys of damaged, in the order they were found

	background // guarded by mu, too
}

// Update runs fn in one transaction and commits it at the level. If fn returns
// an error, or a write in it failed, nothing of it is done and the error is
// returned. It never takes a context: a commit is not abandoned half-way. A full
// disk is syscall.ENOSPC, after the reserve has been used up.
//
// No transaction should write more than 1,000 records: others wait for it. That
// is the caller's duty.
//
// An Update at Full that writes nothing makes earlier commits power safe.
func (db *DB) Update(level Level, fn func(*Tx) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	return db.update(level, fn)
}

// View runs fn, which may read but not write. Nobody writes meanwhile.
func (db *DB) View(fn func(*Tx) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	tx := &Tx{db: db}
	defer tx.end()
	return fn(tx)
}

// Sync makes every commit so far power safe.
func (db *DB) Sync() error {
	return db.Update(Full, func(*Tx) error { return nil })
}

// Damaged lists the damaged records that were met since Open (and by it), also
// those that have been replaced or deleted since.
func (db *DB) Damaged() []Key {
	db.mu.Lock()
	defer db.mu.Unlock()
	return append([]Key(nil), db.found...)
}

// Close makes everything power safe and marks the state as cleanly closed. A
// second Close does nothing. It waits for a BeforeSync that runs, so no lock that
// this one takes may be held. After an error the state is as after a crash: no
// commit is lost, and the next Open checks it.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	db.stopTimer()
	db.mu.Unlock()
	db.running.Wait() // a background sync that had begun

	db.mu.Lock()
	defer db.mu.Unlock()
	checkpointed := db.note(db.conn.checkpoint())
	err := db.markClosing()
	if err := errors.Join(checkpointed, err, db.conn.close()); err != nil || db.suspect {
		return err
	}
	return markClean(db.disk, db.opt.Dir)
}

// markClosing also makes sure that there is space for the mark.
func (db *DB) markClosing() error {
	err := writeMark(db.disk, db.opt.Dir, closing)
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	if _, err := db.freeReserve(); err != nil {
		return err
	}
	return writeMark(db.disk, db.opt.Dir, closing)
}

func discard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
