// Package mounts finds the running mounts of this machine, so that a command
// that is given a path in one reaches its daemon, whatever state directory that
// was started with.
//
// Every daemon leaves a record, a small file in a directory that depends on its
// user only (Directory). A record is believed while its process lives.
//
// What lives here: records, and which mount a path is in. What may not live here:
// mounting, unmounting and the kernel's list of mounts (package fs), what is asked
// of a daemon (cache/control).
package mounts

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/fs"
)

// ErrNotMounted: the path is in no mount of ragasfs.
var ErrNotMounted = errors.New("not in a ragasfs mount")

// Record is what a daemon tells about itself.
type Record struct {
	PID        int    `json:"pid"`
	Started    string `json:"started"` // of the process, in ticks since boot
	Mountpoint string `json:"mountpoint"`
	Device     string `json:"device"` // "MAJOR:MINOR" of the mount
	Source     string `json:"source"`
	StateDir   string `json:"state_dir"`
	StoreDir   string `json:"store_dir"` // where the control socket is
}

// Client returns a client for the daemon's control socket.
func (r Record) Client() *control.Client {
	return control.NewClient(filepath.Join(r.StoreDir, control.SocketName))
}

// alive reports whether the process that wrote the record still runs. One that
// was killed and that nobody has waited for yet does not.
func (r Record) alive() bool {
	fields, err := statOf(r.PID)
	return err == nil && fields[19] == r.Started && fields[0] != "Z" && fields[0] != "X"
}

// StartTime returns field 22 of /proc/PID/stat. With the pid it names a process
// for ever.
func StartTime(pid int) (string, error) {
	fields, err := statOf(pid)
	if err != nil {
		return "", err
	}
	return fields[19], nil
}

// statOf returns the fields of /proc/PID/stat from the third, the state, to at
// least the 22nd.
func statOf(pid int) ([]string, error) {
	data, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil, err
	}
	stat := string(data)
	// The name, in brackets, may hold anything.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("process %d: %q: %w", pid, stat, os.ErrInvalid)
	}
	return fields, nil
}

// Table lists the mounts of ragasfs in the order in which they were made:
// fs.MountInfo.
type Table func() ([]fs.MountEntry, error)

// Owner returns the user who made the mount; -1 if that can't be known.
func Owner(m fs.MountEntry) int {
	i := slices.IndexFunc(m.Options, func(o string) bool { return strings.HasPrefix(o, "user_id=") })
	if i < 0 {
		return -1
	}
	uid, err := strconv.Atoi(strings.TrimPrefix(m.Options[i], "user_id="))
	if err != nil {
		return -1
	}
	return uid
}

// Locate returns the mount that path is in and the path within it: "" for the
// mount point. path need not exist. It touches nothing inside of a mount, so that
// it never waits for a daemon. ErrNotMounted.
func (t Table) Locate(path string) (fs.MountEntry, string, error) {
	all, err := t()
	if err != nil {
		return fs.MountEntry{}, "", err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return fs.MountEntry{}, "", err
	}
	// As written first: resolving links could enter a mount that does not answer.
	if mount, inside, ok := locate(all, absolute); ok {
		return mount, inside, nil
	}
	if resolved, err := resolve(absolute); err == nil {
		if mount, inside, ok := locate(all, resolved); ok {
			return mount, inside, nil
		}
	}
	if _, err := os.Lstat(absolute); errors.Is(err, os.ErrNotExist) {
		return fs.MountEntry{}, "", fmt.Errorf("%s: %w: %w", path, ErrNotMounted, os.ErrNotExist)
	}
	return fs.MountEntry{}, "", fmt.Errorf("%s: %w", path, ErrNotMounted)
}

// locate: of nested mounts the innermost counts, of stacked ones the last.
func locate(all []fs.MountEntry, path string) (found fs.MountEntry, inside string, ok bool) {
	for _, mount := range all {
		rel, err := filepath.Rel(mount.Mountpoint, path)
		if err != nil || rel == ".." || strings.HasPrefix(rel, "../") || ok && len(mount.Mountpoint) < len(found.Mountpoint) {
			continue
		}
		if rel == "." {
			rel = ""
		}
		found, inside, ok = mount, rel, true
	}
	return found, inside, ok
}

// resolve follows the links of the longest part of path that exists.
func resolve(path string) (string, error) {
	resolved, err := filepath.EvalSymlinks(path)
	parent := filepath.Dir(path)
	if err == nil || parent == path {
		return resolved, err
	}
	if resolved, err = resolve(parent); err != nil {
		return "", err
	}
	return filepath.Join(resolved, filepath.Base(path)), nil
}
