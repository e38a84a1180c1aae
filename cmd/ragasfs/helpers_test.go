package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/cache"
)

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/mnt/p/qa.csv": "/mnt/p/qa.csv", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$x;*": "'$x;*'",
	} {
		if got := quote(path); got != want {
			t.Errorf("quote(%q) = %s, want %s", path, got, want)
		}
	}
}

func TestResumeCommand(t *testing.T) {
	a := &app{environment: environment{getenv: func(string) string { return "/xdg" }}}
	store := cache.StoreInfo{Source: "local/csv", Mountpoint: "/mnt/a b", Options: map[string]string{"root_dir": "/x,y", "project": ".", "ro": ""}}
	if got, want := a.resumeCommand("/xdg/ragasfs", store), `ragasfs mount local/csv '/mnt/a b' -o 'project=.,ro,root_dir=/x\,y'`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	store = cache.StoreInfo{Source: "memory", Mountpoint: "/m"}
	if got, want := a.resumeCommand("/own", store), "ragasfs mount memory /m --state-dir /own"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestProgressLine(t *testing.T) {
	for want, p := range map[string]cache.Progress{
		"p/datasets/qa.csv: 10 rows sent, 5 left, about 3s": {Path: "p/datasets/qa.csv", Done: 10, Left: 5, ETA: 3200 * time.Millisecond},
		"0 rows sent": {},
	} {
		if got := progressLine(p, "sent"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestPatience counts from the last progress, not from the start, and repeating
// the same numbers is no progress.
func TestPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := withPatience(t.Context(), time.Minute, func(cache.Progress) {}, func(ctx context.Context, progress func(cache.Progress)) error {
			for done := range 3 {
				<-time.After(50 * time.Second)
				progress(cache.Progress{Done: int64(done + 1)})
			}
			for {
				select {
				case <-time.After(10 * time.Second):
					progress(cache.Progress{Done: 3})
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		})
		if !errors.Is(err, errStalled) || err.Error() != "no progress for 1m0s" {
			t.Errorf("got %v, want errStalled", err)
		}
		if took := time.Since(start); took != 210*time.Second {
			t.Errorf("gave up after %s, want 3m30s", took)
		}
	})
	want := errors.New("other")
	err := withPatience(t.Context(), time.Hour, nil, func(context.Context, func(cache.Progress)) error { return want })
	if !errors.Is(err, want) || errors.Is(err, errStalled) {
		t.Errorf("got %v, want %v", err, want)
	}
}

// TestEveryStateHasARemedy: what is not clean is always named with a command.
func TestEveryStateHasARemedy(t *testing.T) {
	for _, s := range tables()[1:] {
		if got := remedy("/mnt", s); !strings.Contains(got, "`ragasfs ") || !strings.Contains(got, s.Path) {
			t.Errorf("%s: %q names no command", s.State, got)
		}
	}
}
