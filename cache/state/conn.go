package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// conn is the one connection to the database, with its prepared statements. It
// is not safe for concurrent use.
type conn struct {
	path string
	pool *sql.DB   // of exactly one connection
	one  *sql.Conn // that one
	full bool      // PRAGMA synchronous is FULL

	begin, commit, rollback       *sql.Stmt
	get, put, remove              *sql.Stmt
	scan, scanOpen                *sql.Stmt // ids in [a, b); from a on
	removeRange, removeRangeToEnd *sql.Stmt
}

// No request's context ever reaches the database: a cancelled one would
// interrupt a commit, and the driver would then drop the connection and with it
// the lock on the file.
func ctx() context.Context { return context.Background() }

// openConn opens (or creates) the database file and takes its lock. It does not
// look at the schema.
func openConn(path string) (*conn, error) {
	// POSIX locks are dropped by any close of the same file in this process; OFD
	// locks are not. It is too late only if some other database was opened first,
	// and where they don't exist the rule of the package doc is what protects us.
	_, _ = sqlite.OFDLocking(true)

	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector((&url.URL{Scheme: "file", Path: path, RawQuery: "_dqs=0"}).String())
	if err != nil {
		return nil, err
	}
	c := &conn{path: path, pool: sql.OpenDB(connector)}
	c.pool.SetMaxOpenConns(1)
	c.one, err = c.pool.Conn(ctx())
	if err == nil {
		err = c.configure()
	}
	if err != nil {
		return nil, errors.Join(c.explain("open", err), c.close())
	}
	return c, nil
}

// configure sets the pragmas. The order matters: with locking_mode first, WAL
// needs no shared memory, and nobody else can open the file.
func (c *conn) configure() error {
	for _, set := range []struct{ pragma, want string }{
		{"locking_mode=EXCLUSIVE", "exclusive"},
		{"journal_mode=WAL", "wal"},
		{"synchronous=NORMAL", ""},
		{"wal_autocheckpoint=0", "0"},
		{"cache_spill=OFF", ""}, // the disk is written to by COMMIT alone
		{"temp_store=MEMORY", ""},
		{"cell_size_check=ON", ""},
		{"trusted_schema=OFF", ""},
	} {
		got, err := c.pragma(set.pragma)
		if err != nil {
			return err
		}
		if set.want != "" && got != set.want {
			return fmt.Errorf("PRAGMA %s answered %q", set.pragma, got)
		}
	}
	// The lock is taken by the first access.
	if _, err := c.one.ExecContext(ctx(), "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	_, err := c.one.ExecContext(ctx(), "COMMIT")
	return err
}

// pragma runs one and answers the first value of its first row, if any.
func (c *conn) pragma(text string) (string, error) {
	rows, err := c.one.QueryContext(ctx(), "PRAGMA "+text)
	if err != nil {
		return "", err
	}
	defer func() { _ = rows.Close() }() // Err says what went wrong
	var value string
	if rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			return "", err
		}
		into := make([]any, len(columns))
		into[0] = &value
		for i := 1; i < len(into); i++ {
			into[i] = new(any)
		}
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
	}
	return value, rows.Err()
}

// prepare makes the statements, once the schema is there.
func (c *conn) prepare() error {
	for _, s := range []struct {
		stmt **sql.Stmt
		text string
	}{
		{&c.begin, "BEGIN IMMEDIATE"},
		{&c.commit, "COMMIT"},
		{&c.rollback, "ROLLBACK"},
		{&c.get, "SELECT body, crc FROM record WHERE kind = ? AND id = ?"},
		{&c.put, "INSERT OR REPLACE INTO record (kind, id, body, crc) VALUES (?, ?, ?, ?)"},
		{&c.remove, "DELETE FROM record WHERE kind = ? AND id = ?"},
		{&c.scan, "SELECT id, body, crc FROM record WHERE kind = ? AND id >= ? AND id < ? ORDER BY id"},
		{&c.scanOpen, "SELECT id, body, crc FROM record WHERE kind = ? AND id >= ? ORDER BY id"},
		{&c.removeRange, "DELETE FROM record WHERE kind = ? AND id >= ? AND id < ?"},
		{&c.removeRangeToEnd, "DELETE FROM record WHERE kind = ? AND id >= ?"},
	} {
		stmt, err := c.one.PrepareContext(ctx(), s.text)
		if err != nil {
			return c.explain("prepare", err)
		}
		*s.stmt = stmt
	}
	return nil
}

func (c *conn) exec(doing string, stmt *sql.Stmt, args ...any) error {
	_, err := stmt.ExecContext(ctx(), args...)
	return c.explain(doing, err)
}

// write does one change, in a transaction or as one.
func (c *conn) write(w change) error {
	if w.body != nil {
		return c.exec("put", c.put, w.kind, []byte(w.id), w.body, int64(checksum(w.kind, w.id, w.body)))
	}
	if !w.prefix {
		return c.exec("delete", c.remove, w.kind, []byte(w.id))
	}
	if end, bounded := after(w.id); bounded {
		return c.exec("delete", c.removeRange, w.kind, []byte(w.id), end)
	}
	return c.exec("delete", c.removeRangeToEnd, w.kind, []byte(w.id))
}

// setLevel switches what the next commit survives. The pragma works when it is
// compiled, so it can't be a prepared statement, and only outside a transaction.
func (c *conn) setLevel(level Level) error {
	full := level == Full
	if c.full == full {
		return nil
	}
	text := "synchronous=NORMAL"
	if full {
		text = "synchronous=FULL"
	}
	if _, err := c.pragma(text); err != nil {
		return c.explain("synchronous", err)
	}
	c.full = full
	return nil
}

// checkpoint moves what is in the write-ahead log to the database, makes it
// power safe and empties the log. TRUNCATE and never another mode: so every byte
// of the log belongs to the present, and lookAtLog can tell damage.
func (c *conn) checkpoint() error {
	busy, err := c.pragma("wal_checkpoint(TRUNCATE)")
	if err != nil {
		return c.explain("checkpoint", err)
	}
	if busy != "0" {
		return fmt.Errorf("%s: checkpoint: busy", c.path)
	}
	return nil
}

// logSize is the size of the write-ahead log in bytes.
func (c *conn) logSize() (int64, error) {
	info, err := os.Stat(c.path + "-wal")
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// close lets go of the database. SQLite then checkpoints and removes its log.
func (c *conn) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{
		c.begin, c.commit, c.rollback, c.get, c.put, c.remove,
		c.scan, c.scanOpen, c.removeRange, c.removeRangeToEnd,
	} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	if c.one != nil {
		errs = append(errs, c.one.Close())
	}
	errs = append(errs, c.pool.Close())
	return c.explain("close", errors.Join(errs...))
}

// explain adds the path and the sentinel that an error of SQLite stands for.
func (c *conn) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	code := resultCode(err)
	var sentinel error
	switch {
	case code&0xff == sqlite3.SQLITE_FULL:
		sentinel = syscall.ENOSPC
	case code&0xff == sqlite3.SQLITE_BUSY:
		sentinel = ErrInUse
	case code&0xff == sqlite3.SQLITE_CORRUPT, code&0xff == sqlite3.SQLITE_NOTADB, code == sqlite3.SQLITE_IOERR_SHORT_READ:
		sentinel = ErrDamaged
	default:
		return fmt.Errorf("%s: %s: %w", c.path, doing, err)
	}
	return fmt.Errorf("%s: %s: %w: %w", c.path, doing, sentinel, err)
}

// resultCode is SQLite's own code of an error, 0 if it has none.
func resultCode(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}
