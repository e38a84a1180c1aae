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

const (
	magic     = "SQLite format 3\x00"
	versionAt = 60 // offset of user_version in the file
)

// peekVersion reads the schema version of a closed database without touching it;
// 0 if that is not possible.
func peekVersion(path string) (int, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // only read from
	var head [versionAt + 4]byte
	_, err = io.ReadFull(file, head[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || string(head[:len(magic)]) != magic {
		return 0, nil // damage, which is somebody else's question
	}
	return int(binary.BigEndian.Uint32(head[versionAt:])), err
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
// so that a state.db that is not whole is always damage.
func (o *opener) create() error {
	temp := o.path + ".new"
	return o.replace(temp, nil, func(c *conn) error { return c.script(o.schema.create, o.schema.version) })
}

// upgrade makes the present version of an older one, on a copy. The old database
// stays as state.db.vN.
func (o *opener) upgrade(from int) error {
	temp, kept := o.path+".upgrade", o.path+".v"+strconv.Itoa(from)
	prepare := func() error {
		_, err := o.disk.Copy("state:upgrade", temp, o.path, -1)
		return err
	}
	return o.replace(temp, prepare, func(c *conn) error {
		for version := from; version < o.schema.version; version++ {
			if err := c.script(o.schema.upgrades[version], version+1); err != nil {
				return err
			}
		}
		if err := o.disk.Remove("state:upgrade/old", kept); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return o.disk.Link("state:upgrade/keep", o.path, kept)
	})
}

// replace lets fill make a database under a temporary name, makes it durable and
// renames it to state.db. There is no log beside either of them then.
func (o *opener) replace(temp string, prepare func() error, fill func(*conn) error) error {
	for _, left := range []string{temp, temp + "-wal", temp + "-journal"} {
		// Left by a crash in here; it has never been the state.
		if err := o.disk.Remove("state:create/left", left); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if prepare != nil {
		if err := prepare(); err != nil {
			return err
		}
	}
	c, err := openConn(temp)
	if err != nil {
		return err
	}
	err = fill(c)
	if err == nil {
		err = c.checkpoint() // synced
	}
	if err := errors.Join(err, c.close()); err != nil {
		return err
	}
	if err := o.disk.Rename("state:create", temp, o.path); err != nil {
		return err
	}
	return o.disk.SyncDir("state:create", filepath.Dir(o.path))
}
