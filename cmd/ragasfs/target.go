package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
	"github.com/ragasfs/ragasfs/fs"
)

// target is a path in a running mount.
type target struct {
	fs.MountEntry
	record mounts.Record
	inside string // relative to the mount point; "" is the mount itself
}

func (t target) client() *control.Client { return t.record.Client() }

// locate finds the mount that path is in and its daemon.
func (a *app) locate(path string) (target, error) {
	mount, inside, err := a.mounts.Locate(path)
	if err != nil {
		return target{}, fmt.Errorf("%w; `ragasfs status` lists the mounts", err)
	}
	record, err := a.recordOf(mount)
	if errors.Is(err, os.ErrPermission) {
		return target{}, err
	}
	if err != nil {
		return target{}, fmt.Errorf("%w; `ragasfs unmount %s` cleans up, and a new mount resumes what was not sent", err, quote(mount.Mountpoint))
	}
	return target{MountEntry: mount, record: record, inside: inside}, nil
}

// recordOf returns the record of the daemon behind a mount. Errors are those of
// mounts.Directory.Of, with the record of one that died, and os.ErrPermission for
// a mount of somebody else.
func (a *app) recordOf(m fs.MountEntry) (mounts.Record, error) {
	record, err := a.records(owner(m)).Of(m)
	if me := os.Geteuid(); errors.Is(err, mounts.ErrNotMounted) && me != 0 && owner(m) != me {
		return record, fmt.Errorf("%s was mounted by user %d; only that user and root can look after it: %w",
			m.Mountpoint, owner(m), os.ErrPermission)
	}
	return record, err
}

// owner returns the user whose records tell about the mount.
func owner(m fs.MountEntry) int {
	if uid := mounts.Owner(m); uid >= 0 {
		return uid
	}
	return os.Geteuid()
}

// interruptible returns a context that is done at the first signal.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// full returns the path as a person would write it.
func full(mountpoint, inside string) string { return filepath.Join(mountpoint, inside) }

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+=@%,:", r)
	}
	if path != "" && strings.IndexFunc(path, func(r rune) bool { return !safe(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
