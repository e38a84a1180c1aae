package state

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const (
	reserveName = "reserve"
	reserveSize = 2 << 20
)

func (db *DB) reservePath() string { return filepath.Join(db.opt.Dir, reserveName) }

// Reserve makes the reserve again if it was given up or is too small. Call it
// before work that must be able to write down its result. ENOSPC while the disk
// is still full.
func (db *DB) Reserve() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return ErrClosed
	}
	return db.reserve()
}

func (db *DB) reserve() error {
	info, err := os.Lstat(db.reservePath())
	if err == nil && info.Size() == reserveSize {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Random bytes take their place on every file system, also on those that
	// compress or leave out zeros.
	data := make([]byte, reserveSize)
	source := rand.NewChaCha8([32]byte{})
	if _, err := source.Read(data); err != nil {
		return err
	}
	return db.disk.WriteFile("state:reserve", db.reservePath(), data, 0o600)
}

// freeReserve gives the space back to the disk; false: there was none.
func (db *DB) freeReserve() (bool, error) {
	err := db.disk.Remove("state:reserve/free", db.reservePath())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// A journaling file system gives freed blocks out again after its commit.
	return true, db.disk.SyncDir("state:reserve/free", db.opt.Dir)
}
