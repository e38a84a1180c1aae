package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Errors of Unmount, for errors.Is.
var (
	// ErrNotMounted: there is no ragasfs mount at that path.
	ErrNotMounted = errors.New("not a ragasfs mount point")
	// ErrBusy: somebody uses the mount; errors.As a *BusyError says who.
	ErrBusy = errors.New("the mount is in use")
)

// BusyError is ErrBusy with those who use the mount, as far as this user may
// see them.
type BusyError struct {
	Mountpoint string
	Processes  []Process
}

func (e *BusyError) Error() string {
	if len(e.Processes) == 0 {
		return fmt.Sprintf("%v: %s, by processes that this user can't see; close them or unmount with --lazy", ErrBusy, e.Mountpoint)
	}
	var who []string
	for _, p := range e.Processes {
		who = append(who, p.String())
	}
	return fmt.Sprintf("%v: %s, by %s; close them or unmount with --lazy", ErrBusy, e.Mountpoint, strings.Join(who, ", "))
}

// Unwrap makes it an ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// Unmount unmounts a ragasfs of this or another process, or one whose process is
// gone. lazy takes it out of sight at once, and lets those who use it finish.
func Unmount(mountpoint string, lazy bool) error {
	path, err := resolve(mountpoint)
	if err != nil {
		return err
	}
	_, listed, err := mountAt(path)
	if err != nil {
		return err
	}
	if !listed {
		return fmt.Errorf("%w: %s", ErrNotMounted, path)
	}
	flags := unix.UMOUNT_NOFOLLOW
	if lazy {
		flags |= unix.MNT_DETACH
	}
	err = unix.Unmount(path, flags)
	if errors.Is(err, unix.EPERM) {
		return fusermount(path, lazy)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY):
		return &BusyError{path, Users(path)}
	case errors.Is(err, unix.EINVAL):
		return fmt.Errorf("%w: %s", ErrNotMounted, path) // unmounted by somebody else just now
	}
	return fmt.Errorf("unmounting %s: %w", path, err)
}

// fusermount unmounts for a user without the right to.
func fusermount(path string, lazy bool) error {
	args := []string{"-u", "--", path}
	if lazy {
		args = []string{"-u", "-z", "--", path}
	}
	var said bytes.Buffer
	cmd := exec.CommandContext(context.Background(), "fusermount3", args...) // it asks nobody anything
	cmd.Stderr = &said
	err := cmd.Run()
	if err == nil {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("unmounting %s: %w; install: apt-get install fuse3", path, err)
	}
	// It has no exit code for "busy"; but who uses the mount can be seen.
	if users := Users(path); len(users) > 0 {
		return &BusyError{path, users}
	}
	return fmt.Errorf("unmounting %s: %w: %s", path, err, strings.TrimSpace(said.String()))
}
