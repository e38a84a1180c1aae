package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// schema is the form of the database.
type schema struct {
	version int
	create  string // makes an empty database
	// upgrades[n] makes version n+1 of version n.
	upgrades map[int]string
}

// current is the schema of this program. One B-tree and no index beside it, so
// that quick_check sees all there is. user_version is set by the callers.
func current() schema {
	return schema{
		version: 1,
		create: `CREATE TABLE record (
			kind TEXT NOT NULL,
			id   BLOB NOT NULL,
			body BLOB NOT NULL,
			crc  INTEGER NOT NULL,
			PRIMARY KEY (kind, id)
		) WITHOUT ROWID, STRICT`,
	}
}

// header is what stands at the start of a database file.
type header struct {
	whole   bool // one that this package makes; else it is damaged
	version int
}

// peek reads the header of a closed database without touching it.
func peek(path string) (header, error) {
	const (
		magic     = "SQLite format 3\x00"
		writer    = 18 // 2: in WAL mode, as ours always are. SQLite opens what is
		reader    = 19 // larger for reading only, and ignores the log of what is not 2
		versionAt = 60 // user_version
	)
	file, err := os.Open(path)
	if err != nil {
		return header{}, err
	}
	defer func() { _ = file.Close() }() // only read from
	var head [100]byte
	_, err = io.ReadFull(file, head[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return header{}, nil
	}
	return header{
		whole:   string(head[:len(magic)]) == magic && head[writer] == 2 && head[reader] == 2,
		version: int(binary.BigEndian.Uint32(head[versionAt:])),
	}, err
}

func (c *conn) version() (int, error) {
	text, err := c.pragma("user_version")
	if err != nil {
		return 0, c.explain("user_version", err)
	}
	return strconv.Atoi(text)
}

// script runs statements and sets the version, in one transaction.
func (c *conn) script(text string, version int) error {
	if err := c.setLevel(Full); err != nil {
		return err
	}
	_, err := c.one.ExecContext(ctx(), fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA user_version = %d; COMMIT", text, version))
	return c.explain("schema", err)
}

// create makes a new database under a temporary name and then gives it its own,
// so that a state.db that is not whole is always damage. What trouble there was
// stands in it from the first moment.
func (o *opener) create() error {
	mark := closing
	if o.report.Created {
		mark = creating
	}
	return o.replace(replacement{temp: o.path + ".new", mark: mark, fill: func(c *conn) error {
		if err := c.script(o.schema.create, o.schema.version); err != nil {
			return err
		}
		first, err := putOf(ownKind, troubleID, trouble{o.report.Damaged, o.report.Incomplete})
		if err != nil {
			return err
		}
		if err := c.prepare(); err != nil {
			return err
		}
		return c.write(first)
	}})
}

// upgrade makes the present version of an older one, on a copy. The old database
// stays as state.db.vN.
func (o *opener) upgrade(from int) error {
	temp, kept := o.path+".upgrade", o.path+".v"+strconv.Itoa(from)
	prepare := func() error {
		_, err := o.disk.Copy("state:upgrade", temp, o.path, -1)
		return err
	}
	return o.replace(replacement{temp: temp, mark: closing, prepare: prepare, fill: func(c *conn) error {
		for version := from; version < o.schema.version; version++ {
			if err := c.script(o.schema.upgrades[version], version+1); err != nil {
				return err
			}
		}
		if err := o.disk.Remove("state:upgrade/old", kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return o.disk.Link("state:upgrade/keep", o.path, kept)
	}})
}

// replacement is how a new state.db comes about.
type replacement struct {
	temp    string            // its name while it is made
	mark    string            // what state.clean says of it until it has a log
	prepare func() error      // may put a file under that name; may be nil
	fill    func(*conn) error // makes it what it should be
}

// replace makes a database durable under a temporary name and renames it to
// state.db. There is no log beside either of them then.
func (o *opener) replace(r replacement) error {
	for _, left := range []string{r.temp, r.temp + "-wal", r.temp + "-journal"} {
		// Left by a crash in here; it has never been the state.
		if err := o.disk.Remove("state:create/left", left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if r.prepare != nil {
		if err := r.prepare(); err != nil {
			return err
		}
	}
	c, err := openConn(r.temp)
	if err != nil {
		return err
	}
	err = r.fill(c)
	if err == nil {
		err = c.checkpoint() // synced
	}
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	if err := writeMark(o.disk, o.dir, r.mark); err != nil {
		return err
	}
	if err := o.disk.Rename("state:create", r.temp, o.path); err != nil {
		return err
	}
	return o.disk.SyncDir("state:create", filepath.Dir(o.path))
}
