package state

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ragasfs/ragasfs/cache/disk"
)

const (
	dbName    = "state.db"
	markName  = "state.clean"
	lostFound = "lost+found"
)

// writeMark says that state.db, which is closed, is as it should be. If there is
// still a log beside it, it is not.
func writeMark(d *disk.FS, dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, dbName+"-wal")); !errors.Is(err, fs.ErrNotExist) {
		return err // nil: an unclean end, which the next Open will see
	}
	text, err := describe(filepath.Join(dir, dbName))
	if err != nil {
		return err
	}
	return d.WriteFile("state:clean", filepath.Join(dir, markName), []byte(text), 0o600)
}

// mark is what state.clean says.
type mark uint8

const (
	markMissing mark = iota
	markWrong        // the database is not the one that was closed
	markRight
)

// takeMark answers whether state.db is byte for byte as it was closed, and
// removes the mark: from now on only a Close can say so again.
func takeMark(d *disk.FS, dir string) (mark, error) {
	path := filepath.Join(dir, markName)
	want, err := d.ReadFile("state:clean", path)
	if errors.Is(err, fs.ErrNotExist) {
		return markMissing, nil
	}
	if err != nil {
		return markMissing, err
	}
	found := markWrong
	got, err := describe(filepath.Join(dir, dbName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return markMissing, err
	}
	if got == string(want) {
		found = markRight
	}
	return found, errors.Join(d.Remove("state:clean", path), d.SyncDir("state:clean", dir))
}

// describe is the size and the CRC-32C of a file. The database must be closed:
// reading it would drop SQLite's lock.
func describe(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // only read from
	sum := crc32.New(castagnoli)
	size, err := io.Copy(sum, file)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %08x\n", size, sum.Sum32()), nil
}
