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

// end is how the state was left, as state.clean says.
type end uint8

const (
	endUnclean  end = iota // no mark
	endCreating            // it was being made for the first time
	endCheck               // closed, but it should be looked at
	endChanged             // the database is not the one that was closed
	endClean
)

// Marks that are no description of a database.
const (
	creating = "creating\n" // before state.db gets its name for the first time
	closing  = "closing\n"  // while there is no log, and for good if there was damage
)

func writeMark(d *disk.FS, dir, text string) error {
	return d.WriteFile("state:clean", filepath.Join(dir, markName), []byte(text), 0o600)
}

// markClean says that state.db, which is closed, is as it should be. If there is
// still a log beside it, it is not.
func markClean(d *disk.FS, dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, dbName+"-wal")); !errors.Is(err, fs.ErrNotExist) {
		return err // nil: the mark stays at closing
	}
	text, err := describe(filepath.Join(dir, dbName))
	if err != nil {
		return err
	}
	return writeMark(d, dir, text)
}

// readMark compares the mark with the database, which is closed. The mark stays
// until there is a log: a mark and no log is a state that nobody has written to.
func readMark(d *disk.FS, dir string) (end, error) {
	want, err := d.ReadFile("state:clean", filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return endUnclean, nil
	}
	if err != nil {
		return endUnclean, err
	}
	got, err := describe(filepath.Join(dir, dbName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return endUnclean, err
	}
	switch string(want) {
	case creating:
		return endCreating, nil
	case closing:
		return endCheck, nil
	case got:
		return endClean, nil
	}
	return endChanged, nil
}

// removeMark: from now on only a Close can say again that all is well.
func removeMark(d *disk.FS, dir string) error {
	err := d.Remove("state:clean", filepath.Join(dir, markName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, d.SyncDir("state:clean", dir))
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
