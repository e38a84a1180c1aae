package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

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
		err = db.update(Full, func(tx *Tx) error { return tx.put(ownKind, "opened", time.Now().UTC()) })
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

// look sees what is there, before SQLite does: whether there is a database, how
// it was left, and whether its log is whole.
func (o *opener) look() (exists bool, err error) {
	_, err = os.Lstat(o.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	exists = err == nil
	if exists {
		version, err := peekVersion(o.path)
		if err != nil {
			return false, err
		}
		if version > o.schema.version && version < 1<<16 { // a larger one is damage
			return false, o.newer(version)
		}
	}
	mark, err := takeMark(o.disk, o.dir)
	if err != nil {
		return false, err
	}
	lost, logErr := checkLog(o.path + "-wal")
	noLog := errors.Is(logErr, fs.ErrNotExist)
	if logErr != nil && !noLog {
		return false, logErr
	}
	switch {
	case !exists && noLog && mark == markMissing && !o.hasReserve():
		o.report.Created, o.report.Clean = true, true
	case !exists:
		o.log.Error("the database of the state is gone", "dir", o.dir)
		return false, o.quarantine()
	case mark == markRight && noLog:
		o.report.Clean = true
	case noLog, lost > 0:
		// A state that is open always has a log.
		o.log.Error("the log of the state is not whole: its last commits may be missing", "dir", o.dir, "bytes", lost)
		o.report.Incomplete = true
	}
	if lost > 0 && exists {
		return true, o.keepLog()
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
	info, err := os.Lstat(o.path)
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 { // to SQLite that is a new database
		return nil, fmt.Errorf("%w: %s is empty", ErrDamaged, o.path)
	}
	c, version, err := o.connect()
	if err != nil {
		return nil, err
	}
	if version == o.schema.version {
		return c, nil
	}
	if err := errors.Join(c.checkpoint(), c.close()); err != nil {
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

// checkRecords reads every record once. Also a changed id is noticed here, which
// a Get of the old one would only miss.
func (db *DB) checkRecords() (err error) {
	rows, err := db.conn.one.QueryContext(ctx(), "SELECT kind, id, body, crc FROM record ORDER BY kind, id")
	if err != nil {
		return db.conn.explain("check", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var kind string
		var record stored
		if err := rows.Scan(&kind, &record.id, &record.body, &record.crc); err != nil {
			return err
		}
		if !record.good(kind) {
			_ = db.meet(kind, record) // noted; the others are good
		}
	}
	return db.conn.explain("check", rows.Err())
}
