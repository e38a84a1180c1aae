package cache

import (
	"errors"
	"io/fs"
	"testing"
	"time"
)

// TestProjectSettles: a new project is empty; its folders come after the settle
// time, and then it is made in the store.
func TestProjectSettles(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		mkdir := func(dir, name string, who Caller) {
			t.Helper()
			_, err := w.c.Mkdir(t.Context(), dir, name, 0o755, who)
			must(t, err)
		}
		made := func(n int) {
			t.Helper()
			if got := len(w.gate.made("create")); got != n {
				t.Errorf("%d projects were made, not %d", got, n)
			}
		}
		mkdir("", "new", me())
		mkdir("", "copy", me())
		mkdir("copy", "experiments", me()) // by a process that goes on
		mkdir("", "slow", me())
		w.after(settle - time.Millisecond)
		wantNames(t, "the new project", w.names("new"))
		wantNames(t, "the copied project", w.names("copy"), "experiments")
		made(0)
		mkdir("slow", "datasets", Caller{}) // by one that has ended
		w.after(2 * time.Millisecond)
		wantNames(t, "the new project", w.names("new"), "datasets", "experiments")
		wantNames(t, "the slow project", w.names("slow"), "datasets")
		made(1)
		w.settled()
		wantNames(t, "the slow project", w.names("slow"), "datasets", "experiments")
		made(2)
		w.after(makerPatience - 3*settle)
		mkdir("copy", "datasets", me())
		w.after(makerPatience - settle)
		made(2)
		w.after(2 * settle)
		wantNames(t, "the copied project", w.names("copy"), "datasets", "experiments")
		made(3)

		must(t, w.c.Rmdir(t.Context(), "", "new"))
		if _, err := w.c.Lookup(t.Context(), "", "new"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("removed: %v", err)
		}
		w.after(59 * time.Second)
		if n := len(w.gate.made("delete")); n > 0 {
			t.Errorf("deleted too early")
		}
		w.after(2 * time.Second)
		if n := len(w.gate.made("delete")); n != 1 {
			t.Errorf("%d projects were deleted", n)
		}
	})
}

// TestProjectRemovedAtOnce: the store never hears of it, also if it is just being
// made there: then it is deleted again.
func TestProjectRemovedAtOnce(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		for _, wait := range []time.Duration{0, settle + 500*time.Millisecond} {
			w.gate.set(func(g *gate) { g.latency = time.Second })
			_, err := w.c.Mkdir(t.Context(), "", "new", 0o755, me())
			must(t, err)
			w.after(wait)
			must(t, w.c.Rmdir(t.Context(), "", "new"))
			w.after(10 * time.Minute)
			wantNames(t, "the root", w.names(""), "p")
			if a, b := len(w.gate.made("create")), len(w.gate.made("delete")); a != b || wait == 0 && a > 0 {
				t.Errorf("after %v: made %d times, deleted %d times", wait, a, b)
			}
		}
		w.gate.set(func(g *gate) { g.latency = 0 })
		w.crash()
		wantNames(t, "the root", w.names(""), "p")
	})
}

// TestFoldersWaitForWriters: while a file in a new project is open for writing no
// folder appears.
func TestFoldersWaitForWriters(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		_, err := w.c.Mkdir(t.Context(), "", "new", 0o755, me())
		must(t, err)
		_, err = w.c.Mkdir(t.Context(), "new", "datasets", 0o755, Caller{})
		must(t, err)
		_, h, err := w.c.Create(t.Context(), "new/datasets", "big.csv", truncating, 0o644, me())
		must(t, err)
		w.after(time.Hour)
		wantNames(t, "the project", w.names("new"), "datasets")
		h.Release()
		w.after(settle / 2)
		wantNames(t, "the project", w.names("new"), "datasets")
		w.after(3 * settle)
		wantNames(t, "the project", w.names("new"), "datasets", "experiments")
	})
}
