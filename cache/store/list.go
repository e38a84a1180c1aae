package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Found is one store of a state directory.
type Found struct {
	Dir    Dir
	Info   Info
	Holder *InUse // nil: not mounted
	Err    error  // identity.json or the lock can't be read; the rest is as far as it goes
}

// List lists all stores, in order of their directories. A state directory that
// is not there has none. ErrNewer if it is of a newer version.
func List(stateDir string) ([]Found, error) {
	if err := Check(stateDir); err != nil {
		return nil, err
	}
	stores := filepath.Join(stateDir, "stores")
	entries, err := os.ReadDir(stores)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []Found
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		found := Found{Dir: Dir(filepath.Join(stores, entry.Name()))}
		holder, held, lockErr := Holder(found.Dir)
		if held {
			found.Holder = &holder
		}
		found.Info, err = ReadInfo(found.Dir)
		found.Err = errors.Join(err, lockErr)
		all = append(all, found)
	}
	return all, nil
}
