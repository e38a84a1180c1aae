package mounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/ragasfs/ragasfs/fs"
)

// Directory is where the records of one user's daemons are.
type Directory struct {
	// Candidates are directories in order of preference. A record is written to
	// the first that can be had; all are read.
	Candidates []string
	UID        int
}

// DirectoryOf returns the directory of a user. It depends on no environment
// variable: the daemon may have been started by systemd or at boot, and a command
// by a person.
func DirectoryOf(uid int) Directory {
	temp := "/tmp/ragasfs-" + strconv.Itoa(uid)
	if uid == 0 {
		return Directory{Candidates: []string{"/run/ragasfs", temp}}
	}
	return Directory{Candidates: []string{"/run/user/" + strconv.Itoa(uid) + "/ragasfs", temp}, UID: uid}
}

// Write leaves a record of this process. The returned function takes it away.
func (d Directory) Write(r Record) (remove func() error, err error) {
	r.PID = os.Getpid()
	if r.Started, err = StartTime(r.PID); err != nil {
		return nil, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, dir := range d.Candidates {
		// Its parent has to be there: /run/user/UID without a session is nobody's.
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			failed = append(failed, err)
			continue
		}
		if err := d.check(dir); err != nil {
			failed = append(failed, err)
			continue
		}
		tidy(dir)
		path := filepath.Join(dir, strconv.Itoa(r.PID)+".json")
		if err := writeWhole(path, data); err != nil {
			failed = append(failed, err)
			continue
		}
		return func() error { return os.Remove(path) }, nil
	}
	return nil, fmt.Errorf("can't leave a record of this mount for other commands: %w", errors.Join(failed...))
}

// tidyAfter is how long the record of a process that was killed is of use: it says
// where the state of the mount that it left is.
const tidyAfter = 30 * 24 * time.Hour

// tidy removes old records of processes that are gone.
func tidy(dir string) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return // the pattern is right
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < tidyAfter {
			continue
		}
		var r Record
		data, err := os.ReadFile(path)
		if err == nil && (json.Unmarshal(data, &r) != nil || !r.alive()) {
			_ = os.Remove(path) // tidying only: the next start tries again
		}
	}
}

// writeWhole never lets a reader see a part of the record. It need not survive a
// power cut: the process does not either.
func writeWhole(path string, data []byte) error {
	temp := path + ".new"
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// check refuses a directory that somebody else could have made to mislead us.
func (d Directory) check(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(owner.Uid) != d.UID || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a private directory of user %d: %w", dir, d.UID, os.ErrPermission)
	}
	return nil
}

// Read returns the records of all processes that live.
func (d Directory) Read() ([]Record, error) {
	records, err := d.all()
	return slices.DeleteFunc(records, func(r Record) bool { return !r.alive() }), err
}

// Of returns the record of the daemon behind a mount. ErrNotMounted: there is
// none that lives. The record is then that of the one that died, if it left one.
func (d Directory) Of(m fs.MountEntry) (Record, error) {
	records, err := d.all()
	if err != nil {
		return Record{}, err
	}
	var dead Record
	for _, r := range records {
		switch {
		case r.Device != m.Device || r.Mountpoint != m.Mountpoint:
		case r.alive():
			return r, nil
		default:
			dead = r
		}
	}
	return dead, fmt.Errorf("%s: its ragasfs process is gone: %w", m.Mountpoint, ErrNotMounted)
}

// all returns all records, also of processes that are gone. What can't be read is
// as good as gone.
func (d Directory) all() ([]Record, error) {
	var records []Record
	for _, dir := range d.Candidates {
		if err := d.check(dir); err != nil {
			continue // not there, or not to be believed
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			var r Record
			if json.Unmarshal(data, &r) == nil {
				records = append(records, r)
			}
		}
	}
	return records, nil
}
