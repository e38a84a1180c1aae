package mounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

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
		path := filepath.Join(dir, strconv.Itoa(r.PID)+".json")
		if err := writeWhole(path, data); err != nil {
			failed = append(failed, err)
			continue
		}
		return func() error { return os.Remove(path) }, nil
	}
	return nil, fmt.Errorf("can't leave a record of this mount for other commands: %w", errors.Join(failed...))
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

// Read returns the records of all processes that live. Records of others are
// removed where that is allowed.
func (d Directory) Read() ([]Record, error) {
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
			record, err := readRecord(path)
			switch {
			case err == nil:
				records = append(records, record)
			case errors.Is(err, errDead):
				_ = os.Remove(path) // tidying only; others may not be allowed to
			case !errors.Is(err, os.ErrNotExist):
				return nil, err
			}
		}
	}
	return records, nil
}

var errDead = errors.New("the process of this record is gone")

func readRecord(path string) (Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Record{}, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil || !r.alive() {
		return Record{}, errDead
	}
	return r, nil
}

// Of returns the record of the daemon behind a mount. ErrNotMounted: there is
// none, the daemon was killed or belongs to another user.
func (d Directory) Of(m fs.MountEntry) (Record, error) {
	records, err := d.Read()
	if err != nil {
		return Record{}, err
	}
	for _, r := range records {
		if r.Device == m.Device && r.Mountpoint == m.Mountpoint {
			return r, nil
		}
	}
	return Record{}, fmt.Errorf("%s: its ragasfs process is gone: %w", m.Mountpoint, ErrNotMounted)
}
