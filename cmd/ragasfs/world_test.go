package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
	"github.com/ragasfs/ragasfs/fs"
)

// world is a machine with one mount, without a kernel's: a process that stands for
// its daemon, a record, a real control socket, and a store that plays a part.
type world struct {
	t        *testing.T
	dir      string
	mnt      string
	store    *player
	table    []fs.MountEntry
	daemon   *exec.Cmd
	exited   chan struct{} // the daemon has ended
	fate     error         // of a call to the mount once the daemon has ended
	vars     map[string]string
	busy     error
	unmounts []string
}

// newWorld makes a world whose mount is at DIR/mnt.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{
		t: t, dir: dir, mnt: filepath.Join(dir, "mnt"), store: &player{},
		vars: map[string]string{"HOME": dir}, exited: make(chan struct{}), fate: syscall.ENOTCONN,
	}
	for _, d := range []string{w.mnt, filepath.Join(dir, "store"), filepath.Join(dir, "records")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.table = []fs.MountEntry{{Mountpoint: w.mnt, Device: "0:99", Source: "memory"}}
	w.startDaemon()
	server, err := control.Listen(filepath.Join(dir, "store", control.SocketName), w.store, w, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// startDaemon starts a process that lives until it is killed, and its record.
func (w *world) startDaemon() {
	w.daemon = exec.Command("sleep", "600")
	if err := w.daemon.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = w.daemon.Wait() // it is killed, always
		close(w.exited)
	}()
	w.t.Cleanup(w.kill)
	started, err := mounts.StartTime(w.daemon.Process.Pid)
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := json.Marshal(mounts.Record{
		PID: w.daemon.Process.Pid, Started: started, Mountpoint: w.mnt, Device: "0:99",
		Source: "memory", StateDir: filepath.Join(w.dir, "state"), StoreDir: filepath.Join(w.dir, "store"),
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(w.dir, "records", "1.json"), data, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) kill() {
	_ = w.daemon.Process.Kill() // it may have been killed before
	<-w.exited
}

// Info implements control.Host.
func (w *world) Info() control.Info {
	return control.Info{PID: w.daemon.Process.Pid, Mountpoint: w.mnt}
}

// End implements control.Host: the daemon of a mount that has ended ends.
func (w *world) End(wait time.Duration) {
	w.store.note("end " + wait.String())
	if len(w.table) == 0 {
		w.kill()
	}
}

func (w *world) environment() environment {
	registry := &backends.Registry{}
	registry.Register(memory.Factory())
	return environment{
		getenv:   func(name string) string { return w.vars[name] },
		backends: registry,
		mounts:   func() ([]fs.MountEntry, error) { return w.table, nil },
		records: func(int) mounts.Directory {
			return mounts.Directory{Candidates: []string{filepath.Join(w.dir, "records")}, UID: os.Geteuid()}
		},
		alive: func(m fs.MountEntry) error {
			select {
			case <-w.exited:
				return w.fate
			default:
			}
			if m.Mountpoint == "/dead" {
				return syscall.ENOTCONN
			}
			return nil
		},
		unmount: func(mountpoint string, lazy bool) error {
			w.unmounts = append(w.unmounts, fmt.Sprint(mountpoint, " ", lazy))
			if w.busy != nil && !lazy {
				return w.busy
			}
			w.table = slices.DeleteFunc(w.table, func(m fs.MountEntry) bool { return m.Mountpoint == mountpoint })
			return nil
		},
		notify: func(chan<- os.Signal) func() { return func() {} },
	}
}

// result is what one run of the program did.
type result struct {
	code     int
	out, err string
}

// run runs the program. "MNT" and "DIR" in arguments are the paths of the world,
// and the other way round in what it says.
func (w *world) run(args ...string) result {
	w.t.Helper()
	for i := range args {
		args[i] = strings.NewReplacer("MNT", w.mnt, "DIR", w.dir).Replace(args[i])
	}
	var out, errors bytes.Buffer
	code := run(w.t.Context(), args, stdio{strings.NewReader(""), &out, &errors}, w.environment())
	back := strings.NewReplacer(w.mnt, "MNT", w.dir, "DIR", fmt.Sprint("pid ", w.daemon.Process.Pid), "pid N")
	return result{code, back.Replace(out.String()), back.Replace(errors.String())}
}

// want checks a result.
func (r result) want(t *testing.T, code int, out, err string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	if r.out != out {
		t.Errorf("stdout\n got %q\nwant %q", r.out, out)
	}
	if r.err != err {
		t.Errorf("stderr\n got %q\nwant %q", r.err, err)
	}
}

// player is a store that answers as its fields say and notes what it was asked.
type player struct {
	status  cache.Status
	outcome error // of everything that changes something
	hang    bool  // flush and drain end with their context only

	mu    sync.Mutex // guards asked
	asked []string
}

func (p *player) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, what)
}

// forget returns, and forgets, what the store was asked.
func (p *player) forget() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := p.asked
	p.asked = nil
	return asked
}

// wasAsked checks, and forgets, what the store was asked.
func (p *player) wasAsked(t *testing.T, want ...string) {
	t.Helper()
	if asked := p.forget(); !slices.Equal(asked, want) {
		t.Errorf("the daemon was asked %q, want %q", asked, want)
	}
}

func (p *player) Status(path string) (cache.Status, error) {
	p.note("status " + path)
	status := p.status
	if path == "nowhere.csv" {
		return status, fmt.Errorf("%s: no such table: %w", path, backends.ErrNotFound)
	}
	return status, nil
}

func (p *player) Flush(ctx context.Context, paths []string, retry bool, progress func(cache.Progress)) error {
	p.note(fmt.Sprint("flush ", strings.Join(paths, " "), " ", retry))
	return p.work(ctx, progress)
}

func (p *player) Drain(ctx context.Context, progress func(cache.Progress)) error {
	p.note("drain")
	return p.work(ctx, progress)
}

func (p *player) work(ctx context.Context, progress func(cache.Progress)) error {
	progress(cache.Progress{Done: 1, Left: 1})
	if p.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.outcome
}

func (p *player) Confirm(_ context.Context, path string) error {
	p.note("confirm " + path)
	return p.outcome
}

func (p *player) Discard(_ context.Context, path string) error {
	p.note("discard " + path)
	return p.outcome
}

func (p *player) Refresh(_ context.Context, path string) error {
	p.note("refresh " + path)
	return p.outcome
}

func (p *player) Diff(_ context.Context, path string, w io.Writer) error {
	p.note("diff " + path)
	_, err := io.WriteString(w, "+ a row\n")
	return errors.Join(err, p.outcome)
}

func (p *player) Find(_ context.Context, path, column, value string, w io.Writer) (int, error) {
	p.note(fmt.Sprintf("find %s %s %s", path, column, value))
	_, err := io.WriteString(w, "id,q\n7,x\n")
	return 1, errors.Join(err, p.outcome)
}
