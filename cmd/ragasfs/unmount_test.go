package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/fs"
)

func TestUnmount(t *testing.T) {
	w := newWorld(t)
	w.run("unmount", "MNT").want(t, 0, "", "")
	w.store.wasAsked(t, "drain", "status ", "end 5m0s")
	if !slices.Equal(w.unmounts, []string{w.mnt + " false"}) {
		t.Errorf("unmounts %q", w.unmounts)
	}
	select {
	case <-w.exited:
	default:
		t.Error("unmount did not wait for the end of the daemon")
	}
}

// TestUnmountNamesFiles that are only on this machine.
func TestUnmountNamesFiles(t *testing.T) {
	w := newWorld(t)
	w.store.status.Notices = []string{"3 files are only on this machine"}
	w.run("umount", "--lazy", "MNT").want(t, 0, "", "ragasfs: MNT: 3 files are only on this machine\n")
}

func TestUnmountPending(t *testing.T) {
	w := newWorld(t)
	w.store.outcome = cache.ErrPending
	w.store.status.Tables = tables()
	w.run("unmount", "MNT").want(t, 3, "",
		named+namedToo+"ragasfs: MNT: mount again to settle it: ragasfs mount memory MNT\n")
	if len(w.table) != 0 {
		t.Error("it is still mounted")
	}
}

// TestUnmountStalled: after --timeout without progress the daemon is told not to
// try again.
func TestUnmountStalled(t *testing.T) {
	w := newWorld(t)
	w.store.hang = true
	w.store.status.Tables = tables()[1:2]
	r := w.run("unmount", "MNT", "--timeout", "1ms")
	if r.code != 3 || !strings.HasPrefix(r.err, "ragasfs: MNT: no progress for 1ms\nragasfs: MNT/p/datasets/dirty.csv: not sent yet") {
		t.Errorf("got %+v", r)
	}
	// The daemon may see the end of the drain, or its beginning, later than this.
	if asked := w.store.forget(); !slices.Contains(asked, "end 0s") {
		t.Errorf("the daemon was asked %q, want that it does not wait", asked)
	}
}

func TestUnmountBusy(t *testing.T) {
	w := newWorld(t)
	w.busy = &fs.BusyError{Mountpoint: w.mnt, Processes: []fs.Process{{PID: 42, Name: "vim", Path: w.mnt + "/a.csv"}}}
	w.run("unmount", "MNT").want(t, 1, "", "ragasfs: the mount is in use: MNT, by vim (pid 42: MNT/a.csv); close them or unmount with --lazy\n")
	w.store.wasAsked(t, "drain", "status ") // what was saved is sent all the same
	w.run("unmount", "--lazy", "MNT").want(t, 0, "", "")
}

func TestUnmountFailures(t *testing.T) {
	w := newWorld(t)
	w.run("unmount", "MNT/p").want(t, 1, "", "ragasfs: MNT/p is not a mount point; unmount the whole mount: ragasfs unmount MNT\n")
	w.run("unmount", "DIR/records").want(t, 1, "", "ragasfs: DIR/records: not in a ragasfs mount; `ragasfs status` lists the mounts\n")
	w.run("unmount", "DIR/no").want(t, 1, "", "ragasfs: DIR/no: not in a ragasfs mount: file does not exist; `ragasfs status` lists the mounts\n")
	w.store.outcome = fmt.Errorf("state: %w", backends.ErrIncomplete)
	w.run("unmount", "MNT").want(t, 1, "", "ragasfs: MNT is still mounted: state: incomplete answer from the store\n")
	if len(w.unmounts) != 0 {
		t.Errorf("unmounts %q, want none", w.unmounts)
	}
}

// TestUnmountDead cleans up after a daemon that was killed.
func TestUnmountDead(t *testing.T) {
	w := newWorld(t)
	w.kill()
	w.run("unmount", "MNT").want(t, 0, "", "ragasfs: MNT: its process was gone; nothing that was saved is lost, the next mount goes on with it\n")
	if !slices.Equal(w.unmounts, []string{w.mnt + " true"}) {
		t.Errorf("unmounts %q", w.unmounts)
	}
}

// TestUnmountElsewhere: the mount answers, but its process can't be seen from here.
func TestUnmountElsewhere(t *testing.T) {
	w := newWorld(t)
	w.kill()
	w.fate = nil
	w.run("unmount", "MNT").want(t, 0, "", "")
	if !slices.Equal(w.unmounts, []string{w.mnt + " false"}) {
		t.Errorf("unmounts %q", w.unmounts)
	}
}

// TestUnmountDraining: the mount has ended already, by fusermount3; unmount waits
// for what is left.
func TestUnmountDraining(t *testing.T) {
	w := newWorld(t)
	w.table = nil
	w.run("unmount", "MNT").want(t, 0, "", "")
	w.store.wasAsked(t, "drain", "status ", "end 5m0s")
}
