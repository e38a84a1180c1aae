package state

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// Look opens a copy of a closed state, for those who only want to know what is in
// it. Nothing in dir changes: what an unclean end left is still there for the next
// Open, and no file of somebody else's state is written. Close of the copy is
// done; fs.ErrNotExist if there is no state.
//
// The caller makes sure that nobody opened the state meanwhile: what is copied
// then may be torn.
func Look(dir string) (db *DB, report Report, done func() error, err error) {
	temp, err := os.MkdirTemp("", "ragasfs-look-")
	if err != nil {
		return nil, report, nil, err
	}
	remove := func() error { return os.RemoveAll(temp) }
	err = copyFile(filepath.Join(temp, dbName), filepath.Join(dir, dbName))
	for _, name := range []string{dbName + "-wal", markName} {
		if err == nil {
			if err = copyFile(filepath.Join(temp, name), filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
	}
	if err == nil {
		db, report, err = Open(Options{Dir: temp, Disk: &disk.FS{}})
	}
	if err != nil {
		return nil, report, nil, errors.Join(err, remove())
	}
	return db, report, func() error { return errors.Join(db.Close(), remove()) }, nil
}

// copyFile copies into a file that is not there yet.
func copyFile(to, from string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // only read from
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
