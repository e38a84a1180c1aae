package store_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/cache/disk"
	"github.com/ragasfs/ragasfs/cache/store"
)

func example(identity string) store.Info {
	return store.Info{
		Identity:   identity,
		Backend:    "local/csv",
		Place:      "/data/evals",
		Options:    map[string]string{"root_dir": "/data/evals"},
		Mountpoint: "/mnt/evals",
	}
}

func create(t *testing.T, stateDir, identity string) store.Dir {
	t.Helper()
	dir, err := store.Create(nil, stateDir, identity)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCreate(t *testing.T) {
	stateDir := filepath.Join(t.TempDir(), "a", "state")
	dir := create(t, stateDir, "local/csv dev=1 ino=2")
	// sha256 of the identity, by sha256sum(1).
	want := filepath.Join(stateDir, "stores", "71931bf30935a4e6253310bdf5cacbc814e269a670199352704e0a9a50cd97ee")
	if string(dir) != want {
		t.Errorf("the store is at %s", dir)
	}
	if dir != store.DirOf(stateDir, "local/csv dev=1 ino=2") || dir == store.DirOf(stateDir, "another") {
		t.Error("the directory does not follow the identity")
	}
	for _, path := range []string{stateDir, filepath.Dir(string(dir)), string(dir), dir.Tables(), dir.History(), dir.LostFound()} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if info, err := os.Stat(dir.Scratch()); err != nil || info.Mode() != fs.ModeDir|0o755 {
		t.Errorf("scratch: %v, %v", info, err)
	}
	for got, want := range map[string]string{dir.T("x1"): "t/x1", dir.Sock(): "sock"} {
		if got != filepath.Join(string(dir), want) {
			t.Errorf("%s is not %s", got, want)
		}
	}
	if again := create(t, stateDir, "local/csv dev=1 ino=2"); again != dir {
		t.Errorf("the second time: %s", again)
	}
}

func TestVersion(t *testing.T) {
	stateDir := t.TempDir()
	if err := store.Check(filepath.Join(stateDir, "none")); err != nil {
		t.Errorf("a directory that is not there: %v", err)
	}
	create(t, stateDir, "x")
	path := filepath.Join(stateDir, "version")
	if data, err := os.ReadFile(path); string(data) != "1\n" || err != nil {
		t.Errorf("version is %q, %v", data, err)
	}
	if err := store.Check(stateDir); err != nil {
		t.Error(err)
	}

	if err := os.WriteFile(path, []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"Check":  store.Check(stateDir),
		"Create": second(store.Create(nil, stateDir, "x")),
		"List":   second(store.List(stateDir)),
	} {
		if !errors.Is(err, store.ErrNewer) {
			t.Errorf("%s of a newer version: %v", what, err)
		}
	}

	if err := os.WriteFile(path, []byte("\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	create(t, stateDir, "x")
	kept, err := filepath.Glob(filepath.Join(stateDir, "lost+found", "version.*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the damaged version is not in lost+found: %q, %v", kept, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestIdentity(t *testing.T) {
	dir := create(t, t.TempDir(), "x")
	lock, err := store.Acquire(nil, dir, example("x"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := store.ReadInfo(dir); err != nil || !reflect.DeepEqual(info, example("x")) {
		t.Errorf("read back %+v, %v", info, err)
	}
	var keys map[string]any
	data, err := os.ReadFile(filepath.Join(string(dir), "identity.json"))
	if err := errors.Join(err, json.Unmarshal(data, &keys)); err != nil || keys["identity"] != "x" || keys["mountpoint"] != "/mnt/evals" {
		t.Errorf("identity.json is %s, %v", data, err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(filepath.Join(string(dir), "identity.json"), data[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.ReadInfo(dir); err == nil {
		t.Error("half a file was read")
	}
	lock, err = store.Acquire(nil, dir, example("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()
	if info, err := store.ReadInfo(dir); err != nil || info.Identity != "x" {
		t.Errorf("after repair: %+v, %v", info, err)
	}
	kept, err := filepath.Glob(filepath.Join(dir.LostFound(), "identity.json.*"))
	if err != nil || len(kept) != 1 {
		t.Errorf("the damaged file is not in lost+found: %q, %v", kept, err)
	}
}

// A failed write of identity.json gives the lock back.
func TestAcquireFailsWhole(t *testing.T) {
	dir := create(t, t.TempDir(), "x")
	full := &disk.FS{Fail: func(label, _ string) error {
		if strings.HasPrefix(label, "store:identity") {
			return syscall.ENOSPC
		}
		return nil
	}}
	if _, err := store.Acquire(full, dir, example("x")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Acquire on a full disk: %v", err)
	}
	lock, err := store.Acquire(nil, dir, example("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestList(t *testing.T) {
	stateDir := t.TempDir()
	if all, err := store.List(filepath.Join(stateDir, "none")); len(all) != 0 || err != nil {
		t.Errorf("List of nothing: %v, %v", all, err)
	}
	free, held, broken := create(t, stateDir, "free"), create(t, stateDir, "held"), create(t, stateDir, "broken")
	lock, err := store.Acquire(nil, free, example("free"))
	if err := errors.Join(err, lock.Release()); err != nil {
		t.Fatal(err)
	}
	lock, err = store.Acquire(nil, held, example("held"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Release() }()

	all, err := store.List(stateDir)
	if err != nil || len(all) != 3 {
		t.Fatalf("List = %+v, %v", all, err)
	}
	for _, found := range all {
		switch found.Dir {
		case free:
			if found.Info.Identity != "free" || found.Holder != nil || found.Err != nil {
				t.Errorf("free: %+v", found)
			}
		case held:
			if found.Holder == nil || found.Holder.PID != os.Getpid() || found.Err != nil {
				t.Errorf("held: %+v", found)
			}
		case broken:
			if !errors.Is(found.Err, fs.ErrNotExist) || found.Holder != nil {
				t.Errorf("broken: %+v", found)
			}
		}
	}
}
