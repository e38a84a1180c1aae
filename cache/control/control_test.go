package control_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
)

func TestQuestions(t *testing.T) {
	client, _, _, host := start(t)
	ctx := t.Context()

	info, err := client.Info(ctx)
	if want := (control.Info{PID: 42, Mountpoint: "/mnt", Draining: true}); err != nil || info != want {
		t.Errorf("Info = %v, %v; want %v", info, err, want)
	}
	status, err := client.Status(ctx, "p/datasets/qa.csv")
	if err != nil || len(status.Tables) != 1 || status.Tables[0].Path != "p/datasets/qa.csv" {
		t.Errorf("Status = %+v, %v", status, err)
	}
	var diff bytes.Buffer
	if err := client.Diff(ctx, "t", &diff); err != nil || diff.String() != "diff of t\n\xff\n" {
		t.Errorf("Diff = %q, %v", diff.String(), err)
	}
	var rows strings.Builder
	n, err := client.Find(ctx, "t", "id", "7", &rows)
	if want := "t,id,7,0\nt,id,7,1\nt,id,7,2\n"; err != nil || n != 3 || rows.String() != want {
		t.Errorf("Find = %d, %q, %v; want %q", n, rows.String(), err, want)
	}
	if err := client.End(ctx, 3*time.Second); err != nil || host.end.Load() != int64(3*time.Second) {
		t.Errorf("End = %v, host was told %v", err, time.Duration(host.end.Load()))
	}
}

func TestChanges(t *testing.T) {
	client, _, store, _ := start(t)
	ctx := t.Context()
	if err := errors.Join(client.Confirm(ctx, "a"), client.Refresh(ctx, "b"), client.Drain(ctx, nil)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []control.Request{{Op: control.OpConfirm, Path: "a"}, {Op: control.OpRefresh, Path: "b"}} {
		if got := <-store.asked; !reflect.DeepEqual(got, want) {
			t.Errorf("the store was asked %+v, want %+v", got, want)
		}
	}
}

func TestErrorsStayWhatTheyAre(t *testing.T) {
	client, _, _, _ := start(t)
	err := client.Discard(t.Context(), "t")
	if !errors.Is(err, cache.ErrInvalid) || !errors.Is(err, backends.ErrConflict) {
		t.Errorf("Discard = %v, want both sentinels", err)
	}
	if errors.Is(err, cache.ErrPending) || errors.Is(err, backends.ErrNotFound) {
		t.Errorf("Discard = %v is more than it was", err)
	}
	if want := "t: not a table: changed in the store meanwhile"; err.Error() != want {
		t.Errorf("text %q, want %q", err, want)
	}
	if _, err := client.Status(t.Context(), "missing"); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("Status = %v, want ErrNotFound", err)
	}
}

func TestProgressComesInOrder(t *testing.T) {
	client, _, store, _ := start(t)
	var got []cache.Progress
	err := client.Flush(t.Context(), []string{"p", "q"}, true, func(p cache.Progress) { got = append(got, p) })
	if !errors.Is(err, cache.ErrPending) {
		t.Errorf("Flush = %v, want ErrPending", err)
	}
	want := []cache.Progress{{Path: "p", Done: 1, Left: 2, ETA: time.Second}, {Path: "p", Done: 3}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("progress %+v, want %+v", got, want)
	}
	if asked := <-store.asked; !asked.Retry || !reflect.DeepEqual(asked.Paths, []string{"p", "q"}) {
		t.Errorf("the store was asked %+v", asked)
	}
}

// TestLongRequests: one that waits holds up no other, and ends when its client
// goes away.
func TestLongRequests(t *testing.T) {
	client, _, store, _ := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- client.Flush(ctx, []string{"forever"}, false, nil) }()
	<-store.started

	if _, err := client.Status(t.Context(), "t"); err != nil {
		t.Errorf("Status beside a flush: %v", err)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Flush = %v", err)
	}
	if err := <-store.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("in the daemon the flush ended with %v", err)
	}
}

func TestCloseEndsRequests(t *testing.T) {
	client, server, store, _ := start(t)
	result := make(chan error)
	go func() { result <- client.Flush(t.Context(), []string{"forever"}, false, nil) }()
	<-store.started
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("Flush = %v, want that it was cancelled", err)
	}
	if _, err := client.Info(t.Context()); !errors.Is(err, control.ErrNoDaemon) {
		t.Errorf("Info after Close = %v, want ErrNoDaemon", err)
	}
}

func TestNobodyListens(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "sock"), filepath.Join(dir, "no", "sock")} {
		if _, err := control.NewClient(path).Info(t.Context()); !errors.Is(err, control.ErrNoDaemon) {
			t.Errorf("Info on %s = %v, want ErrNoDaemon", path, err)
		}
	}
}

// TestSocket: private, however long its path, and in place of one that a killed
// process has left.
func TestSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 60))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, control.SocketName)
	if err := os.WriteFile(path, []byte("left over"), 0o644); err != nil {
		t.Fatal(err)
	}
	server, err := control.Listen(path, newFakeStore(), &fakeHost{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("the socket: %v, %v; want mode 0600", info, err)
	}
	if _, err := control.NewClient(path).Info(t.Context()); err != nil {
		t.Errorf("Info = %v", err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close the socket is still there: %v", err)
	}
}

// TestStrangers sends what no client of ours sends.
func TestStrangers(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir) // a short path for a plain dial
	server, err := control.Listen(filepath.Join(dir, "sock"), newFakeStore(), &fakeHost{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	for name, request := range map[string]string{
		"no JSON":         "GET / HTTP/1.1\n",
		"unknown request": `{"op":"format"}` + "\n",
		"too long":        `{"op":"` + strings.Repeat("x", 1<<20) + `"}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", "sock")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_, _ = conn.Write([]byte(request)) // the server may refuse before it has read all
			var answer bytes.Buffer
			_, _ = answer.ReadFrom(conn)
			if !strings.Contains(answer.String(), `"kinds":["protocol"]`) || !strings.HasSuffix(answer.String(), "\n") {
				t.Errorf("answer %q, want a protocol error", answer.String())
			}
		})
	}
}
