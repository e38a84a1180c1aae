package main

import (
	"context"
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
	record, err := a.records(owner(mount)).Of(mount)
	if err != nil {
		return target{}, fmt.Errorf("%w; `ragasfs unmount %s` cleans up, and a new mount resumes what was not sent", err, quote(mount.Mountpoint))
	}
	return target{MountEntry: mount, record: record, inside: inside}, nil
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
