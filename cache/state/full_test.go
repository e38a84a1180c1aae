package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/cache/disk"
	"github.com/ragasfs/ragasfs/cache/state"
)

const smallDisk = "RAGASFS_TEST_SMALL_DISK"

// TestFullDisk runs fillDisk in a process that has a file system of 8 MiB to
// itself, in namespaces of its own, so that it needs no rights.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
			t.Fatal(err)
		}
		fillDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EACCES) {
		t.Skipf("this machine gives no user namespaces: %v", err)
	}
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestFullDisk")) {
		t.Errorf("%v\n%s", err, out)
	}
}

// fillDisk commits on a disk that is full: the reserve carries some commits, then
// each is refused whole, and nothing that was acknowledged is ever lost.
func fillDisk(t *testing.T, dir string) {
	db, _ := open(t, dir)
	filler := filepath.Join(dir, "filler")
	fill(t, filler)

	var acknowledged []string
	commit := func(i int) error {
		id, calls := fmt.Sprintf("%04d", i), 0
		err := db.Update(state.Normal, func(tx *state.Tx) error {
			calls++
			return errors.Join(
				tx.Put("k", id, fact{fmt.Sprintf("%q", id), i}),
				tx.Put("body", id, strings.Repeat("x", 20000)),
			)
		})
		if calls != 1 {
			t.Fatalf("the callback ran %d times", calls)
		}
		if err == nil {
			acknowledged = append(acknowledged, id)
		}
		return err
	}
	i := 0
	for commit(i) == nil {
		i++
	}
	if err := commit(i); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a commit on a full disk: %v", err)
	}
	if len(acknowledged) < 20 {
		t.Errorf("the reserve was good for %d commits", len(acknowledged))
	}
	if _, err := os.Stat(filepath.Join(dir, "reserve")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the reserve is still there: %v", err)
	}
	if err := db.Reserve(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Reserve on a full disk: %v", err)
	}
	if got := ids(t, db, "k", ""); !slices.Equal(got, acknowledged) {
		t.Errorf("have %q, acknowledged %q", got, acknowledged)
	}

	// Nothing more is lost by ending here, and with space it all goes on.
	if err := db.Close(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close on a full disk: %v", err)
	}
	if full, _, err := state.Open(state.Options{Dir: dir}); err == nil {
		if got := ids(t, full, "k", ""); !slices.Equal(got, acknowledged) {
			t.Errorf("on the full disk: have %q, acknowledged %q", got, acknowledged)
		}
		if err := full.Close(); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("second Close on a full disk: %v", err)
		}
	} else if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Open on a full disk: %v", err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	db, report := open(t, dir)
	if report.Clean || report.Damaged || report.Incomplete || report.Created {
		t.Errorf("opened after Close on a full disk: %+v", report)
	}
	if got := ids(t, db, "k", ""); !slices.Equal(got, acknowledged) {
		t.Errorf("have %q, acknowledged %q", got, acknowledged)
	}
	if err := db.Reserve(); err != nil {
		t.Errorf("Reserve with space: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "reserve")); err != nil || info.Size() != 2<<20 || info.Sys().(*syscall.Stat_t).Blocks < 4096 {
		t.Errorf("the reserve is %+v, %v", info, err)
	}
	if err := errors.Join(commit(i), db.Close()); err != nil {
		t.Fatal(err)
	}
	db, report = open(t, dir)
	if !report.Clean {
		t.Errorf("opened again: %+v", report)
	}
	if got := ids(t, db, "k", ""); !slices.Equal(got, acknowledged) {
		t.Errorf("after reopen %q, acknowledged %q", got, acknowledged)
	}
}

// fill writes to a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// Without space for the reserve the state works all the same.
func TestNoSpaceForReserve(t *testing.T) {
	full := &disk.FS{Fail: func(label, _ string) error {
		if label == "state:reserve" {
			return syscall.ENOSPC
		}
		return nil
	}}
	db, _, err := state.Open(state.Options{Dir: t.TempDir(), Disk: full})
	if err != nil {
		t.Fatal(err)
	}
	putAll(t, db, "k", "a")
	if err := db.Reserve(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Reserve: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
