package disk

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Quarantine moves a damaged file or directory to lost+found, which it makes
// (0700) if it is missing. The new name is the old one, the time (UTC) and some
// random letters, so that nothing there is ever replaced. It answers the new
// path. It never deletes: after an error the thing is where it was. Durable when
// it returns.
func (d *FS) Quarantine(label, path, lostFound string) (string, error) {
	if err := d.MkdirAll(label+"/mkdir", lostFound, 0o700); err != nil {
		return "", err
	}
	name := clip(filepath.Base(path)) + "." + time.Now().UTC().Format("20060102T150405Z")
	for {
		to := filepath.Join(lostFound, name+"."+letters())
		err := d.moveNew(label, path, to)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		return to, errors.Join(d.SyncDir(label+"/syncdir", lostFound), d.SyncDir(label+"/syncdir", filepath.Dir(path)))
	}
}

// moveNew is Move that never replaces anything.
func (d *FS) moveNew(label, from, to string) error {
	err := d.RenameNoReplace(label, from, to)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		// This file system has no RENAME_NOREPLACE. The random name makes the
		// race between look and rename theoretical.
	case errors.Is(err, unix.EXDEV):
	default:
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return wrap(label, "rename", to, fs.ErrExist)
	}
	return d.Move(label, from, to)
}

// letters are eight random ones.
func letters() string { return rand.Text()[:8] }

// clip leaves room for what is added to a name: file systems take 255 bytes.
func clip(name string) string { return name[:min(len(name), 200)] }

// unusedName is a hidden name beside path that nothing has.
func unusedName(path string) (string, error) {
	dir, base := filepath.Split(path)
	for {
		name := filepath.Join(dir, "."+clip(base)+"."+letters()+".tmp")
		_, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
}
