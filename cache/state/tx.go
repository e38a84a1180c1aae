package state

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"
)

// Tx is a transaction: valid until the function it was given to returns, and
// for that function's goroutine only.
type Tx struct {
	db       *DB
	over     bool
	writable bool
	failed   error    // the first write that failed; nothing is committed then
	done     []change // what was written, to do it again after a full disk
}

// change is one write: a put if body is set, else a removal.
type change struct {
	kind, id string
	body     []byte
	prefix   bool // remove every id that starts with id
}

// counterKind holds the counters of Next. Kinds of callers never start with "_".
const (
	counterKind = "_counter"
	ownKind     = "_state"
)

// update is Update with the lock held. The retry works on the list of writes:
// fn is called once, whatever happens.
func (db *DB) update(level Level, fn func(*Tx) error) error {
	if err := db.conn.setLevel(level); err != nil {
		return err
	}
	if err := db.exec("begin", db.conn.begin); err != nil {
		return err
	}
	tx := &Tx{db: db, writable: true}
	committed := false
	defer func() {
		tx.end()
		if !committed { // also if fn panics
			db.undo()
		}
	}()
	err := fn(tx)
	if err == nil {
		err = tx.failed
	}
	if err == nil && level == Full && len(tx.done) == 0 && db.unsafe {
		// Nothing to write, but only a commit with something in it is synced.
		err = tx.put(ownKind, "sync", db.commits)
	}
	if err != nil {
		return err
	}
	err = db.exec("commit", db.conn.commit)
	if err != nil {
		db.cutLog()
		if spaceMayHelp(err) {
			err = db.commitAgain(tx.done, err)
		}
	}
	if err != nil {
		return err
	}
	committed = true
	if len(tx.done) > 0 {
		db.noteCommit(level)
	}
	return nil
}

// spaceMayHelp: a full disk, or a write error, which is how SQLite reports an
// exceeded quota.
func spaceMayHelp(err error) bool {
	code := resultCode(err)
	return code&0xff == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_WRITE
}

// commitAgain gives up the reserve and does the writes of a failed commit once
// more. If there is no reserve, or it does not help, the error is the first one.
func (db *DB) commitAgain(done []change, first error) error {
	freed, err := db.freeReserve()
	if err != nil {
		return errors.Join(first, err)
	}
	if !freed {
		return first
	}
	db.log.Warn("the disk is full: the reserve of the state was given up", "dir", db.opt.Dir)
	if err := db.exec("begin", db.conn.begin); err != nil {
		return errors.Join(first, err)
	}
	for _, c := range done {
		if err := db.note(db.conn.write(c)); err != nil {
			return errors.Join(first, err)
		}
	}
	if err := db.exec("commit", db.conn.commit); err != nil {
		db.cutLog()
		return errors.Join(first, err)
	}
	return nil
}

// cutLog removes what a failed commit has written, and ends its transaction.
func (db *DB) cutLog() {
	db.undo()
	if err := cutLog(db.disk, db.conn.path+"-wal"); err != nil {
		db.log.Warn("the log of the state could not be cut", "dir", db.opt.Dir, "err", err)
		db.hurry()
	}
}

// undo rolls back, if SQLite has not done so by itself after an error.
func (db *DB) undo() {
	if err := db.exec("rollback", db.conn.rollback); err != nil && resultCode(err)&0xff != sqlite3.SQLITE_ERROR {
		// SQLITE_ERROR is "no transaction is active". Anything else would leave the
		// connection inside one, and the next BEGIN would say so.
		db.log.Error("the state could not be rolled back", "dir", db.opt.Dir, "err", err)
	}
}

func (db *DB) exec(doing string, stmt *sql.Stmt) error { return db.note(db.conn.exec(doing, stmt)) }

// note remembers that the database itself is damaged, so that the next Open
// looks at it.
func (db *DB) note(err error) error {
	if errors.Is(err, ErrDamaged) {
		db.suspect = true
	}
	return err
}

// after is the first id behind all that start with prefix; false: there is none.
func after(prefix string) ([]byte, bool) {
	end := []byte(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) == 0 {
		return nil, false
	}
	end[len(end)-1]++
	return end, true
}

func (tx *Tx) end() { tx.over = true }

// do is every write of a caller.
func (tx *Tx) do(c change) error {
	switch {
	case tx.over:
		return ErrClosed
	case !tx.writable:
		return ErrReadOnly
	case c.kind == "" || c.kind[0] == '_':
		return fmt.Errorf("state: %q is no kind of record", c.kind)
	}
	return tx.write(c)
}

func (tx *Tx) write(c change) error {
	if err := tx.db.note(tx.db.conn.write(c)); err != nil {
		if tx.failed == nil {
			tx.failed = err
		}
		return err
	}
	tx.done = append(tx.done, c)
	return nil
}

// put is Put for the package's own kinds, too.
func (tx *Tx) put(kind, id string, body any) error {
	c, err := putOf(kind, id, body)
	if err != nil {
		return err
	}
	return tx.write(c)
}

func putOf(kind, id string, body any) (change, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return change{}, fmt.Errorf("state record %s %q: %w", kind, id, err)
	}
	return change{kind: kind, id: id, body: data}, nil
}

// Put makes body, as JSON, the record of that kind and id. The kind is a word of
// the caller's that does not start with "_"; the id is any string, also "". What
// was there is replaced, damaged or not. JSON strings are UTF-8: a file name that
// is not must be a []byte in the body.
func (tx *Tx) Put(kind, id string, body any) error {
	c, err := putOf(kind, id, body)
	if err != nil {
		return err
	}
	return tx.do(c)
}

// Delete removes a record; none there is no error.
func (tx *Tx) Delete(kind, id string) error {
	return tx.do(change{kind: kind, id: id})
}

// DeletePrefix removes all records of that kind whose id starts with the prefix
// ("" is all of them).
func (tx *Tx) DeletePrefix(kind, idPrefix string) error {
	return tx.do(change{kind: kind, id: idPrefix, prefix: true})
}

// Get reads a record into body, as json.Unmarshal does. ErrDamaged, naming kind
// and id, if it fails its check; body is then untouched.
func (tx *Tx) Get(kind, id string, body any) (found bool, err error) {
	if tx.over {
		return false, ErrClosed
	}
	record := stored{id: id}
	err = tx.db.conn.get.QueryRowContext(ctx(), kind, []byte(id)).Scan(&record.body, &record.crc)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, tx.db.note(tx.db.conn.explain("get", err))
	}
	if !record.good(kind) {
		return true, tx.db.meet(kind, record)
	}
	return true, decode(Key{kind, id}, record.body, body)
}

// Next is 1, 2, 3, ... per counter, and never the same number twice; only an
// Update that is not committed gives its numbers back.
func (tx *Tx) Next(counter string) (uint64, error) {
	if !tx.writable {
		return 0, ErrReadOnly
	}
	var last uint64
	if _, err := tx.Get(counterKind, counter, &last); err != nil {
		return 0, err
	}
	last++
	return last, tx.put(counterKind, counter, last)
}
