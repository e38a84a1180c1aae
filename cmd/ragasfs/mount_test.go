package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// TestMountRefused walks what can be wrong before anything is started.
func TestMountRefused(t *testing.T) {
	w := newWorld(t)
	w.table[0].Mountpoint = "/elsewhere"
	for _, dir := range []string{"state/stores", "full/x"} {
		if err := os.MkdirAll(filepath.Join(w.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("state", filepath.Join(w.dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ args, want string }{
		{"DIR/no", "the mount point DIR/no does not exist; make it with: mkdir -p DIR/no"},
		{"DIR/file", "the mount point DIR/file is not a directory; choose an empty one: not a directory"},
		{"DIR/file/x", "the mount point: stat DIR/file/x: not a directory"},
		{"DIR/full", "the mount point DIR/full is not empty (x); choose another, or hide its files with -o nonempty"},
		{"DIR/state/stores", "the mount point DIR/state/stores is inside of the state directory DIR/state; choose another with --state-dir"},
		{"DIR/link/stores", "the mount point DIR/link/stores is inside of the state directory DIR/state; choose another with --state-dir"},
		{"DIR -o nonempty", "the mount point DIR would hide the state directory DIR/state; choose another with --state-dir"},
	} {
		args := append([]string{"mount", "memory", "--state-dir", "DIR/state"}, strings.Fields(test.args)...)
		w.run(args...).want(t, 1, "", "ragasfs: "+test.want+"\n")
	}
}

func TestMountMounted(t *testing.T) {
	w := newWorld(t)
	w.run("mount", "memory", "MNT").want(t, 1, "",
		"ragasfs: MNT is already mounted: pid N serves memory there; unmount it first: ragasfs unmount MNT\n")
	w.kill()
	w.fate = nil // but the mount answers: its process is in another container
	w.run("mount", "memory", "MNT").want(t, 1, "",
		"ragasfs: MNT is already mounted, by a process that is not yours or does not answer; unmount it first: ragasfs unmount MNT\n")
	if len(w.unmounts) != 0 {
		t.Errorf("unmounts %q, want none", w.unmounts)
	}
}

// TestMountOverDead clears what a killed daemon has left before it goes on.
func TestMountOverDead(t *testing.T) {
	w := newWorld(t)
	w.kill()
	full := filepath.Join(w.mnt, "x") // a reason to stop before anything is started
	if err := os.WriteFile(full, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("mount", "memory", "MNT").want(t, 1, "",
		"ragasfs: MNT is what a process that was killed has left behind; unmounting it, nothing that was saved is lost\n"+
			"ragasfs: the mount point MNT is not empty (x); choose another, or hide its files with -o nonempty\n")
	if len(w.unmounts) != 1 || w.unmounts[0] != w.mnt+" true" {
		t.Errorf("unmounts %q, want a lazy one", w.unmounts)
	}
}

// TestMountFails in the foreground: a store that can't be opened is no usage error
// unless an option is to blame.
func TestMountFails(t *testing.T) {
	for want, failure := range map[int]error{exitFailed: backends.ErrUnavailable, exitUsage: backends.ErrOption} {
		w := newWorld(t)
		w.table = nil
		env := w.environment()
		env.backends = &backends.Registry{}
		env.backends.Register(backends.Factory{Name: "broken", Open: func(context.Context, backends.Config) (backends.Opened, error) {
			return backends.Opened{}, failure
		}})
		var stderr strings.Builder
		code := run(t.Context(), []string{"mount", "-f", "broken", w.mnt}, stdio{nil, &stderr, &stderr}, env)
		if code != want || stderr.String() != "ragasfs: "+failure.Error()+"\n" {
			t.Errorf("%v: code %d, %q; want %d", failure, code, stderr.String(), want)
		}
	}
}

// TestMountInsideStore: the backend says where it keeps its files only once it is
// open, and is closed again.
func TestMountInsideStore(t *testing.T) {
	w := newWorld(t)
	w.table = nil
	closed := false
	env := w.environment()
	env.backends = &backends.Registry{}
	env.backends.Register(backends.Factory{Name: "local", Open: func(context.Context, backends.Config) (backends.Opened, error) {
		return backends.Opened{
			Properties: backends.Properties{Root: w.dir},
			Close:      func() error { closed = true; return nil },
		}, nil
	}})
	var stderr strings.Builder
	args := []string{"mount", "-f", "local", w.mnt, "--state-dir", t.TempDir()}
	code := run(t.Context(), args, stdio{nil, &stderr, &stderr}, env)
	if code != exitFailed || !strings.Contains(stderr.String(), "is inside of the directory of the tables "+w.dir) || !closed {
		t.Errorf("code %d, %q, closed %v", code, stderr.String(), closed)
	}
}

// TestPlan: what flags, options and defaults amount to.
func TestPlan(t *testing.T) {
	w := newWorld(t)
	w.table = nil
	t.Chdir(w.dir)
	a := &app{environment: w.environment()}
	a.backends = &backends.Registry{}
	a.backends.Register(backends.Factory{
		Name: "local", Open: func(context.Context, backends.Config) (backends.Opened, error) { return backends.Opened{}, nil },
		Options: []backends.Option{
			{Name: "root_dir", Default: "./data"}, {Name: "key_file", Env: "KEY"}, {Name: "token_file", Env: "TOKEN", Default: "t"}, {Name: "url"},
		},
	})
	w.vars["TOKEN"] = "from the environment"
	plan, err := a.plan(mountFlags{options: []string{"url=u,key_file=k", "ro,noauto"}, allowOther: true, logFile: "log"}, "local", "mnt")
	if err != nil {
		t.Fatal(err)
	}
	if plan.mountpoint != w.mnt || plan.logFile != filepath.Join(w.dir, "log") || plan.stateDir != filepath.Join(w.dir, ".local/state/ragasfs") {
		t.Errorf("paths: %s, %s, %s", plan.mountpoint, plan.logFile, plan.stateDir)
	}
	if !plan.options.ReadOnly || !plan.options.AllowOther {
		t.Errorf("options: %+v", plan.options)
	}
	for key, want := range map[string]string{
		"url": "u", "key_file": filepath.Join(w.dir, "k"), "root_dir": filepath.Join(w.dir, "data"), "ro": "",
	} {
		if got, ok := plan.given[key]; !ok || got != want {
			t.Errorf("recorded %s=%q, want %q", key, got, want)
		}
	}
	if len(plan.given) != 4 || len(plan.options.Backend) != 3 {
		t.Errorf("recorded %v, for the backend %v", plan.given, plan.options.Backend)
	}
}

func TestStateDir(t *testing.T) {
	for _, test := range []struct{ given, xdg, home, want string }{
		{"/given", "/xdg", "/home/u", "/given"},
		{"", "/xdg", "/home/u", "/xdg/ragasfs"},
		{"", "relative", "/home/u", "/home/u/.local/state/ragasfs"},
		{"", "", "", "/var/lib/ragasfs"},
	} {
		a := &app{environment: environment{getenv: func(name string) string {
			return map[string]string{"XDG_STATE_HOME": test.xdg, "HOME": test.home}[name]
		}}}
		if got, err := a.stateDir(test.given); err != nil || got != test.want {
			t.Errorf("stateDir(%q) with %q, %q = %q, %v; want %q", test.given, test.xdg, test.home, got, err, test.want)
		}
	}
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	late := &lateLog{}
	write := func(text string) {
		t.Helper()
		if _, err := late.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("early\n")
	file, err := openLog(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := late.direct(file); err != nil {
		t.Fatal(err)
	}
	write("late\n")
	if data, err := os.ReadFile(path); err != nil || string(data) != "early\nlate\n" {
		t.Errorf("the log has %q, %v", data, err)
	}
	if err := errors.Join(file.Close(), os.Truncate(path, logLimit+1)); err != nil {
		t.Fatal(err)
	}
	if file, err = openLog(path); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("a large log was not put aside: %v, %v", info.Size(), err)
	}
	if info, err := os.Stat(path + ".1"); err != nil || info.Size() != logLimit+1 {
		t.Errorf("the log put aside: %v, %v", info, err)
	}
	if _, err := openLog(filepath.Join(path, "x", "log")); err == nil {
		t.Error("a log in a file was opened")
	}
}
