package mounts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/fs"
)

func TestLocate(t *testing.T) {
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	if err := os.MkdirAll(filepath.Join(mnt, "p"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mnt, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	table := Table(func() ([]fs.MountEntry, error) {
		return []fs.MountEntry{
			{Mountpoint: mnt, Device: "0:1"},
			{Mountpoint: mnt + "/p/nested", Device: "0:2"},
			{Mountpoint: mnt, Device: "0:3"}, // over the first
			{Mountpoint: mnt + "2", Device: "0:4"},
		}, nil
	})
	tests := []struct{ path, device, inside string }{
		{mnt, "0:3", ""},
		{mnt + "/", "0:3", ""},
		{mnt + "/p/datasets/qa.csv", "0:3", "p/datasets/qa.csv"},
		{mnt + "/p/../q", "0:3", "q"},
		{mnt + "/..hidden", "0:3", "..hidden"},
		{mnt + "/p/nested/x", "0:2", "x"},
		{mnt + "2/x", "0:4", "x"},
		{dir + "/link", "0:3", ""},
		{dir + "/link/gone/qa.csv", "0:3", "gone/qa.csv"},
	}
	for _, test := range tests {
		mount, inside, err := table.Locate(test.path)
		if err != nil || mount.Device != test.device || inside != test.inside {
			t.Errorf("Locate(%s) = %s, %q, %v; want %s, %q", test.path, mount.Device, inside, err, test.device, test.inside)
		}
	}

	t.Chdir(filepath.Join(mnt, "p"))
	if mount, inside, err := table.Locate("a.csv"); err != nil || mount.Device != "0:3" || inside != "p/a.csv" {
		t.Errorf("Locate of a relative path = %s, %q, %v", mount.Device, inside, err)
	}
	for _, path := range []string{dir, mnt + "3", "/"} {
		if _, _, err := table.Locate(path); !errors.Is(err, ErrNotMounted) {
			t.Errorf("Locate(%s) = %v, want ErrNotMounted", path, err)
		}
	}
	if _, _, err := table.Locate(mnt + "3"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Locate of nothing = %v, want ErrNotExist as well", err)
	}
}

func TestOwner(t *testing.T) {
	for option, want := range map[string]int{"user_id=1000": 1000, "user_id=0": 0, "group_id=7": -1, "user_id=x": -1} {
		if got := Owner(fs.MountEntry{Options: []string{"rw", option, "allow_other"}}); got != want {
			t.Errorf("Owner with %s = %d, want %d", option, got, want)
		}
	}
}

// directory returns one whose first candidate can't be made.
func directory(t *testing.T) Directory {
	dir := t.TempDir()
	return Directory{Candidates: []string{filepath.Join(dir, "no", "such"), filepath.Join(dir, "second")}, UID: os.Geteuid()}
}

func TestRecord(t *testing.T) {
	d := directory(t)
	if records, err := d.Read(); err != nil || len(records) != 0 {
		t.Errorf("Read of nothing = %v, %v", records, err)
	}
	remove, err := d.Write(Record{Mountpoint: "/mnt", Device: "0:7", Source: "memory", StoreDir: "/s"})
	if err != nil {
		t.Fatal(err)
	}
	record, err := d.Of(fs.MountEntry{Mountpoint: "/mnt", Device: "0:7"})
	if err != nil || record.PID != os.Getpid() || record.StoreDir != "/s" {
		t.Errorf("Of = %+v, %v", record, err)
	}
	// The same place, but mounted later by somebody else.
	if _, err := d.Of(fs.MountEntry{Mountpoint: "/mnt", Device: "0:8"}); !errors.Is(err, ErrNotMounted) {
		t.Errorf("Of another mount at the same place = %v, want ErrNotMounted", err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	if records, err := d.Read(); err != nil || len(records) != 0 {
		t.Errorf("Read after remove = %v, %v", records, err)
	}
}

// TestDeadRecords: those of processes that were killed are not believed,
// also when their pid was given to another process.
func TestDeadRecords(t *testing.T) {
	d := directory(t)
	if _, err := d.Write(Record{Mountpoint: "/mnt"}); err != nil {
		t.Fatal(err)
	}
	dir := d.Candidates[1]
	mine := filepath.Join(dir, "1.json") // any name will do
	cmd := exec.Command("true")
	err := cmd.Run()
	if err != nil {
		t.Fatal(err)
	}
	dead := Record{PID: cmd.Process.Pid, Started: "1", Mountpoint: "/dead"}
	reused := Record{PID: os.Getpid(), Started: "1", Mountpoint: "/reused"}
	unwaited := Record{PID: zombie(t), Mountpoint: "/unwaited"}
	if unwaited.Started, err = StartTime(unwaited.PID); err != nil {
		t.Fatal(err)
	}
	for path, r := range map[string]Record{mine: dead, filepath.Join(dir, "2.json"): reused, filepath.Join(dir, "4.json"): unwaited} {
		if err := writeWhole(path, encode(t, r)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "3.json"), []byte("{torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := d.Read()
	if err != nil || len(records) != 1 || records[0].Mountpoint != "/mnt" {
		t.Errorf("Read = %+v, %v; want only the living one", records, err)
	}
	// Of one that was killed it is still known where its state is.
	record, err := d.Of(fs.MountEntry{Mountpoint: "/dead"})
	if !errors.Is(err, ErrNotMounted) || record.Mountpoint != "/dead" {
		t.Errorf("Of a dead one = %+v, %v; want ErrNotMounted and the record", record, err)
	}

	old := time.Now().Add(-2 * tidyAfter)
	for _, name := range []string{"2.json", "3.json", fmt.Sprint(os.Getpid()) + ".json"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	tidy(dir)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 3 {
		t.Errorf("after tidying there are %v, %v; want the recent ones and that of the living", left, err)
	}
}

// zombie returns the pid of a process that has ended and was not waited for.
func zombie(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("cat")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	if _, err := io.ReadAll(out); err != nil { // it closes that when it ends
		t.Fatal(err)
	}
	var info unix.Siginfo
	// WNOWAIT: it has ended, and stays a zombie.
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// TestForeignDirectory: what others can write to is not believed.
func TestForeignDirectory(t *testing.T) {
	d := directory(t)
	if _, err := d.Write(Record{Mountpoint: "/mnt"}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.Candidates[1], 0o777); err != nil {
		t.Fatal(err)
	}
	if records, err := d.Read(); err != nil || len(records) != 0 {
		t.Errorf("Read = %v, %v; want nothing", records, err)
	}
	if _, err := d.Write(Record{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("Write = %v, want ErrPermission", err)
	}
	if err := os.Chmod(d.Candidates[1], 0o700); err != nil {
		t.Fatal(err)
	}
	d.UID++
	if records, err := d.Read(); err != nil || len(records) != 0 {
		t.Errorf("Read of another user's = %v, %v; want nothing", records, err)
	}
}

func TestDirectoryOf(t *testing.T) {
	if got := strings.Join(DirectoryOf(0).Candidates, " "); got != "/run/ragasfs /tmp/ragasfs-0" {
		t.Errorf("root's: %s", got)
	}
	if got := strings.Join(DirectoryOf(1000).Candidates, " "); got != "/run/user/1000/ragasfs /tmp/ragasfs-1000" {
		t.Errorf("a user's: %s", got)
	}
}

func encode(t *testing.T, r Record) []byte {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
