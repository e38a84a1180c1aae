package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// Open opens the state of a store, or makes it. Damage is no error but stands in
// the Report; ErrNewer and ErrInUse are, and what keeps the disk from being read
// or written.
//
// The caller must hold the lock of the store's directory.
func Open(opt Options) (*DB, Report, error) { return open(opt, current()) }

func open(opt Options, form schema) (*DB, Report, error) {
	o := &opener{
		dir:    opt.Dir,
		path:   filepath.Join(opt.Dir, dbName),
		disk:   opt.Disk,
		log:    discard(opt.Log),
		schema: form,
	}
	db, err := o.open(opt)
	if err != nil {
		return nil, Report{}, fmt.Errorf("open the state in %s: %w", opt.Dir, err)
	}
	return db, o.report, nil
}

// emptyLog is a checkpoint that a full disk does not stop for good.
func (db *DB) emptyLog() error {
	err := db.conn.checkpoint()
	if err == nil || !spaceMayHelp(err) {
		return err
	}
	db.log.Warn("the disk is full: the reserve of the state is given up", "dir", db.opt.Dir, "err", err)
	if _, err := db.freeReserve(); err != nil {
		return err
	}
	if err := db.conn.checkpoint(); !spaceMayHelp(err) {
		return err
	}
	db.urgent = true
	return nil
}

// trouble is what a report says until Recovered: a crash may come before the
// caller has done anything about it.
type trouble struct{ Damaged, Incomplete bool }

const troubleID = "trouble"

// opened adds the trouble of earlier opens to the report and notes all of it.
func (tx *Tx) opened(report *Report) error {
	var old trouble
	_, err := tx.Get(ownKind, troubleID, &old)
	if errors.Is(err, ErrDamaged) {
		old.Incomplete = true
	} else if err != nil {
		return err
	}
	report.Damaged = report.Damaged || old.Damaged
	report.Incomplete = report.Incomplete || old.Incomplete
	return errors.Join(
		tx.put(ownKind, troubleID, trouble{report.Damaged, report.Incomplete}),
		tx.put(ownKind, "opened", time.Now().UTC()),
	)
}

// Recovered says that what the Report called Damaged or Incomplete has been
// dealt with, durably. Until then every Open reports it again.
func (db *DB) Recovered() error {
	return db.Update(Full, func(tx *Tx) error { return tx.put(ownKind, troubleID, trouble{}) })
}

// opener is what happens before there is a DB.
type opener struct {
	dir, path string
	disk      *disk.FS
	log       *slog.Logger
	schema    schema
	report    Report
}

// open answers a DB whose checks have passed; a damaged one is replaced.
func (o *opener) open(opt Options) (*DB, error) {
	exists, err := o.look()
	if err != nil {
		return nil, err
	}
	if exists {
		db, err := o.start(opt, o.openExisting)
		if err == nil || !errors.Is(err, ErrDamaged) {
			return db, err
		}
		o.log.Error("the state is damaged, it is moved to lost+found and a new one is made", "dir", o.dir, "err", err)
		if err := o.quarantine(); err != nil {
			return nil, err
		}
	}
	return o.start(opt, o.createNew)
}

// start makes a DB of a connection: it finds damaged records, makes sure that
// there is a log beside the database from now on, and makes the reserve.
func (o *opener) start(opt Options, connect func() (*conn, error)) (*DB, error) {
	c, err := connect()
	if err != nil {
		return nil, err
	}
	db := &DB{opt: opt, log: o.log, disk: opt.Disk, conn: c, damaged: map[Key]bool{}}
	db.mu.Lock()
	defer db.mu.Unlock()
	if !o.report.Clean {
		err = db.checkRecords()
	}
	if err == nil {
		err = db.update(Full, func(tx *Tx) error { return tx.opened(&o.report) })
	}
	if err == nil && o.report.Incomplete {
		err = db.emptyLog() // of what is damaged, now that this is on record
	}
	if err == nil {
		err = removeMark(o.disk, o.dir)
	}
	if err != nil {
		db.closed = true
		db.stopTimer()
		return nil, errors.Join(err, c.close())
	}
	o.report.Records = append([]Key(nil), db.found...)
	if err := db.reserve(); err != nil {
		o.log.Warn("no space is kept back for the state", "dir", o.dir, "err", err)
	}
	return db, nil
}

// look sees what is there, before SQLite does: whether there is a database that
// may be opened, how it was left, and whether its log is whole. What is no
// database goes to lost+found here.
func (o *opener) look() (exists bool, err error) {
	info, err := os.Lstat(o.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	exists = err == nil
	if exists && !info.Mode().IsRegular() {
		o.log.Error("the database of the state is no file", "dir", o.dir)
		return false, o.quarantine()
	}
	var head header
	if exists {
		if head, err = peek(o.path); err != nil {
			return false, err
		}
		if head.whole && head.version > o.schema.version {
			return false, o.newer(head.version)
		}
	}
	end, err := readMark(o.disk, o.dir)
	if err != nil {
		return false, err
	}
	wal, err := lookAtLog(o.path + "-wal")
	if err != nil {
		return false, err
	}
	switch {
	case !exists && (end == endUnclean || end == endCreating) && wal == logMissing && !o.hasReserve():
		o.report.Created, o.report.Clean = true, true
	case !exists, !head.whole:
		o.log.Error("the database of the state is gone or no database", "dir", o.dir)
		return false, o.quarantine()
	case wal == logDamaged:
		o.log.Error("the log of the state is damaged: its last commits may be missing", "dir", o.dir)
		o.report.Incomplete = true
		return true, o.keepLog()
	case wal == logGood:
		return true, cutLog(o.disk, o.path+"-wal")
	case end == endClean:
		o.report.Clean = true
	case end == endChanged, end == endUnclean: // an open state always has a log
		o.log.Error("the log of the state is gone, or the database another one: commits may be missing", "dir", o.dir)
		o.report.Incomplete = true
	}
	return exists, nil
}

// hasReserve: there has been a state here.
func (o *opener) hasReserve() bool {
	_, err := os.Lstat(filepath.Join(o.dir, reserveName))
	return err == nil
}

func (o *opener) newer(version int) error {
	return fmt.Errorf("%w: %s is of version %d, this ragasfs knows %d; use the newer ragasfs", ErrNewer, o.path, version, o.schema.version)
}

// openExisting checks a database and brings it to the present schema.
func (o *opener) openExisting() (*conn, error) {
	c, version, err := o.connect()
	if resultCode(err)&0xff == sqlite3.SQLITE_ERROR {
		// What is asked never changes: if it has no answer the database is not ours.
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	if version == o.schema.version {
		return c, nil
	}
	if err := errors.Join(c.checkpoint(), writeMark(o.disk, o.dir, closing), c.close()); err != nil {
		return nil, err
	}
	if version > o.schema.version {
		return nil, o.newer(version)
	}
	if err := o.upgrade(version); err != nil {
		return nil, err
	}
	o.report.Upgraded = version
	c, _, err = o.connect()
	return c, err
}

// createNew makes a database where there is none.
func (o *opener) createNew() (*conn, error) {
	if err := o.create(); err != nil {
		return nil, err
	}
	c, _, err := o.connect()
	return c, err
}

// connect opens state.db, checks it after an unclean end, and prepares the
// statements if it has the present version.
func (o *opener) connect() (*conn, int, error) {
	c, err := openConn(o.path)
	if err != nil {
		return nil, 0, err
	}
	version, err := c.version()
	if err == nil && version == 0 {
		err = fmt.Errorf("%w: %s has no schema", ErrDamaged, o.path)
	}
	if err == nil && !o.report.Clean {
		err = c.quickCheck()
	}
	if err == nil && version == o.schema.version {
		err = c.prepare()
	}
	if err != nil {
		return nil, 0, errors.Join(err, c.close())
	}
	return c, version, nil
}

func (c *conn) quickCheck() error {
	answer, err := c.pragma("quick_check(1)")
	if err != nil {
		return c.explain("quick_check", err)
	}
	if answer != "ok" {
		return fmt.Errorf("%w: %s: %s", ErrDamaged, c.path, answer)
	}
	return nil
}

// quarantine moves the database and its log to a directory in lost+found.
func (o *opener) quarantine() error {
	name := "state." + time.Now().UTC().Format("20060102T150405.000000000Z")
	to := filepath.Join(o.dir, lostFound, name)
	if err := o.disk.MkdirAll("state:quarantine/mkdir", to, 0o700); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		err := o.disk.Rename("state:quarantine", o.path+suffix, filepath.Join(to, dbName+suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	o.report = Report{Damaged: true, Incomplete: o.report.Incomplete, Quarantined: append(o.report.Quarantined, to)}
	return errors.Join(
		o.disk.SyncDir("state:quarantine/syncdir", to),
		o.disk.SyncDir("state:quarantine/syncdir", filepath.Dir(to)),
		o.disk.SyncDir("state:quarantine/syncdir", o.dir),
	)
}

// keepLog puts a copy of a damaged log aside: SQLite will overwrite what it does
// not believe.
func (o *opener) keepLog() error {
	dir := filepath.Join(o.dir, lostFound)
	if err := o.disk.MkdirAll("state:keep-log/mkdir", dir, 0o700); err != nil {
		return err
	}
	to := filepath.Join(dir, dbName+"-wal."+time.Now().UTC().Format("20060102T150405.000000000Z"))
	if _, err := o.disk.Copy("state:keep-log", to, o.path+"-wal", -1); err != nil {
		return err
	}
	o.report.Quarantined = append(o.report.Quarantined, to)
	return o.disk.SyncDir("state:keep-log/syncdir", dir)
}

// checkRecords reads every record once. A changed id is noticed here, too, which
// a Get of the old one would only miss. Records out of order, which quick_check
// lets pass, would make a Get miss others that are good: the whole database is
// damaged then.
func (db *DB) checkRecords() (err error) {
	rows, err := db.conn.one.QueryContext(ctx(), "SELECT kind, id, body, crc FROM record ORDER BY kind, id")
	if err != nil {
		return db.conn.explain("check", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var last Key
	for first := true; rows.Next(); first = false {
		var kind string
		var record stored
		if err := rows.Scan(&kind, &record.id, &record.body, &record.crc); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrDamaged, db.conn.path, err)
		}
		if !first && (kind < last.Kind || kind == last.Kind && record.id <= last.ID) {
			return fmt.Errorf("%w: %s: record %s %q is out of order", ErrDamaged, db.conn.path, kind, record.id)
		}
		last = Key{kind, record.id}
		if !record.good(kind) {
			_ = db.meet(kind, record) // noted; the others are good
		}
	}
	return db.conn.explain("check", rows.Err())
}
