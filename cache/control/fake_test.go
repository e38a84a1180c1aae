package control_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
)

// fakeStore answers from its fields; a blocking call reports that it has
// started and how it ended.
type fakeStore struct {
	started chan string
	ended   chan error
	asked   chan control.Request
}

func newFakeStore() *fakeStore {
	return &fakeStore{started: make(chan string, 10), ended: make(chan error, 10), asked: make(chan control.Request, 10)}
}

func (f *fakeStore) Status(path string) (cache.Status, error) {
	if path == "missing" {
		return cache.Status{}, fmt.Errorf("%s: %w", path, backends.ErrNotFound)
	}
	return cache.Status{Mountpoint: "/mnt", Tables: []cache.TableStatus{{Path: path, State: "held"}}}, nil
}

// Flush of "forever" ends with its context only.
func (f *fakeStore) Flush(ctx context.Context, paths []string, retry bool, progress func(cache.Progress)) error {
	f.asked <- control.Request{Op: control.OpFlush, Paths: paths, Retry: retry}
	progress(cache.Progress{Path: paths[0], Done: 1, Left: 2, ETA: time.Second})
	if paths[0] == "forever" {
		f.started <- "flush"
		<-ctx.Done()
		f.ended <- ctx.Err()
		return ctx.Err()
	}
	progress(cache.Progress{Path: paths[0], Done: 3})
	return fmt.Errorf("2 tables of %s: %w", paths[0], cache.ErrPending)
}

func (f *fakeStore) Drain(_ context.Context, progress func(cache.Progress)) error {
	progress(cache.Progress{Done: 7})
	return nil
}

func (f *fakeStore) Confirm(_ context.Context, path string) error {
	f.asked <- control.Request{Op: control.OpConfirm, Path: path}
	return nil
}

func (f *fakeStore) Discard(_ context.Context, path string) error {
	return fmt.Errorf("%s: %w: %w", path, cache.ErrInvalid, backends.ErrConflict)
}

func (f *fakeStore) Refresh(ctx context.Context, path string) error {
	f.asked <- control.Request{Op: control.OpRefresh, Path: path}
	return nil
}

func (f *fakeStore) Diff(_ context.Context, path string, w io.Writer) error {
	_, err := fmt.Fprintf(w, "diff of %s\n\xff\n", path)
	return err
}

func (f *fakeStore) Find(_ context.Context, path, column, value string, w io.Writer) (int, error) {
	for i := range 3 {
		if _, err := fmt.Fprintf(w, "%s,%s,%s,%d\n", path, column, value, i); err != nil {
			return i, err
		}
	}
	return 3, nil
}

type fakeHost struct{ end atomic.Int64 }

func (h *fakeHost) Info() control.Info {
	return control.Info{PID: 42, Mountpoint: "/mnt", Draining: true}
}
func (h *fakeHost) End(wait time.Duration) { h.end.Store(int64(wait)) }

// start serves a fake store until the end of the test.
func start(t *testing.T) (*control.Client, *control.Server, *fakeStore, *fakeHost) {
	t.Helper()
	path := filepath.Join(t.TempDir(), control.SocketName)
	store, host := newFakeStore(), &fakeHost{}
	server, err := control.Listen(path, store, host, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return control.NewClient(path), server, store, host
}
