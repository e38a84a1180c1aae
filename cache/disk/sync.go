package disk

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Sync is fdatasync: when it returns, the bytes and the size of the file survive
// a power cut (its name only after SyncDir). An error means that what was
// written since the last Sync may be lost, even if a later Sync succeeds.
func (d *FS) Sync(label string, file *os.File) error {
	if err := d.ask(label, "fdatasync", file.Name()); err != nil {
		return err
	}
	err := retry(func() error { return unix.Fdatasync(int(file.Fd())) })
	return wrap(label, "fdatasync", file.Name(), err)
}

// SyncDir makes the names in a directory survive a power cut: files created,
// renamed and removed there.
func (d *FS) SyncDir(label, dir string) error {
	if err := d.ask(label, "fsync", dir); err != nil {
		return err
	}
	file, err := os.Open(dir)
	if err != nil {
		return wrap(label, "fsync", dir, err)
	}
	return wrap(label, "fsync", dir, errors.Join(file.Sync(), file.Close()))
}

// WriteFile replaces the content of a file in one step: after a crash at any
// moment the path holds the old bytes or the new ones, never a mixture. When it
// returns nil the new ones survive a power cut. After an error the old ones are
// still there, unless the error is that of the last step (label/syncdir): then
// the new ones are there but may not survive a power cut.
func (d *FS) WriteFile(label, path string, data []byte, perm os.FileMode) (err error) {
	if err := d.ask(label, "write", path); err != nil {
		return err
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+clip(filepath.Base(path))+".*.tmp")
	if err != nil {
		return wrap(label, "create", path, err)
	}
	renamed := false
	defer func() {
		if !renamed { // best effort: the error that counts is the first one
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if err := temp.Chmod(perm); err != nil {
		return wrap(label, "chmod", path, err)
	}
	if _, err := d.WriteAt(label+"/write", temp, data, 0); err != nil {
		return err
	}
	if err := d.Sync(label+"/sync", temp); err != nil {
		return err
	}
	if err := temp.Close(); err != nil {
		return wrap(label, "close", path, err)
	}
	if err := d.Rename(label+"/rename", temp.Name(), path); err != nil {
		return err
	}
	renamed = true
	return d.SyncDir(label+"/syncdir", dir)
}

// Free is how many bytes an unprivileged program can still write to the file
// system that path is on.
func (d *FS) Free(label, path string) (int64, error) {
	if err := d.ask(label, "statfs", path); err != nil {
		return 0, err
	}
	var stat unix.Statfs_t
	if err := retry(func() error { return unix.Statfs(path, &stat) }); err != nil {
		return 0, wrap(label, "statfs", path, err)
	}
	return int64(stat.Bavail) * stat.Bsize, nil
}
