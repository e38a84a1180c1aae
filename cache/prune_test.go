package cache

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// kept are the versions of a table in history.
func (w *world) kept(name string) []string {
	w.t.Helper()
	return w.files(filepath.Join("history", datasets, strings.TrimSuffix(name, ".csv"), "*.csv"))
}

// History goes by age in mounted time; the last version of each table stays.
func TestHistoryAges(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.History = time.Hour }, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		for i := range 4 {
			w.write("qa.csv", fmt.Sprintf("q,a\n1,%d\n", i))
			w.settled()
		}
		if n := len(w.kept("qa.csv")); n < 4 {
			t.Fatalf("%d versions are kept", n)
		}
		w.close()
		w.after(30 * 24 * time.Hour)
		w.open()
		w.after(30 * time.Minute)
		if n := len(w.kept("qa.csv")); n < 4 {
			t.Errorf("of 4 versions %d are left after a month in which it was not mounted", n)
		}
		w.after(time.Hour)
		if n := len(w.kept("qa.csv")); n != 1 {
			t.Errorf("%d versions are left after their time", n)
		}
		w.wantKept("qa.csv", "1,2")
		list, err := w.c.keptVersions()
		must(t, err)
		if len(list) != 1 {
			t.Errorf("%d versions are on record", len(list))
		}
	})
}

// The oldest goes first when there is too much.
func TestHistorySize(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.HistorySize, w.config.TTL = 3000, time.Minute }, func(t *testing.T, w *world) {
		for _, name := range []string{"a.csv", "b.csv"} {
			w.have(name, "q,a", "1,one")
			for i := range 6 {
				w.write(name, fmt.Sprintf("q,a\n1,%d%s\n", i, strings.Repeat("x", 1000)))
				w.settled()
			}
		}
		w.after(pruneEvery)
		if a, b := len(w.kept("a.csv")), len(w.kept("b.csv")); a != 1 || b != 1 && b != 2 {
			t.Errorf("%d and %d versions are left", a, b)
		}
		w.wantKept("a.csv", "1,4x")
		w.wantKept("b.csv", "1,4x")
	})
}

// A mount that ends at once keeps the limits too.
func TestHistorySizeAtTheEnd(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.HistorySize, w.config.TTL = 1500, time.Minute }, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		for i := range 3 {
			w.write("qa.csv", fmt.Sprintf("q,a\n1,%d%s\n", i, strings.Repeat("x", 1000)))
			w.settled()
		}
		if n := len(w.kept("qa.csv")); n < 3 {
			t.Fatalf("%d versions are kept before the first look", n)
		}
		w.close()
		if n := len(w.kept("qa.csv")); n != 1 {
			t.Errorf("%d versions are left", n)
		}
	})
}

// A version that was moved to history when ragasfs was killed is found.
func TestOrphanInHistory(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.History = time.Hour }, func(t *testing.T, w *world) {
		dir := filepath.Join(w.c.Dir(), "history", datasets, "qa")
		must(t, os.MkdirAll(dir, 0o700))
		for _, name := range []string{"20000101T000000.000000001Z.csv", "20000101T000000.000000002Z.csv", "notes.txt"} {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte("q,a\n"), 0o600))
		}
		w.after(pruneEvery + time.Minute)
		if n := len(w.kept("qa.csv")); n != 2 {
			t.Errorf("%d are left at first", n)
		}
		w.after(2 * time.Hour)
		if n := len(w.kept("qa.csv")); n != 1 {
			t.Errorf("%d are left in the end", n)
		}
	})
}

// clean makes n tables in the store and reads them, by nobody who still runs.
func (w *world) clean(n int) {
	w.t.Helper()
	for i := range n {
		w.elsewhere(fmt.Sprintf("t%d.csv", i), "q,a", "1,"+strings.Repeat("x", 1000), "2,two")
	}
	w.refresh()
	for i := range n {
		w.readBy(fmt.Sprintf("t%d.csv", i), Caller{})
		w.after(time.Second)
	}
}

func (w *world) attr(name string) Attr {
	w.t.Helper()
	node, err := w.c.Lookup(w.t.Context(), datasets, name)
	must(w.t, err)
	attr, err := node.File.Attr(w.t.Context())
	must(w.t, err)
	return attr
}

// contents are the content files of a table.
func (w *world) contents(name string) []string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.table(name).dir, "g*.csv"))
	must(w.t, err)
	return found
}

// Clean content goes when there is too much, what was not used for longest first.
// Nobody sees a difference: attributes, content and what an edit sends are as if it
// had stayed.
func TestCacheSize(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.CacheSize, w.config.TTL = 4000, time.Minute }, func(t *testing.T, w *world) {
		w.clean(5)
		before, text := w.attr("t0.csv"), w.readBy("t1.csv", Caller{})
		w.after(inUse + 2*pruneEvery)
		for i, want := range []int{0, 1, 0, 1, 1} { // t1 was used last
			if n := len(w.contents(fmt.Sprintf("t%d.csv", i))); n != want {
				t.Errorf("t%d.csv has %d contents", i, n)
			}
		}
		w.wantState("t0.csv", "clean")
		loads := len(w.gate.made("load"))
		versioned := w.table("t1.csv").rec.Version != ""
		after := w.attr("t0.csv")
		if versioned && len(w.gate.made("load")) != loads {
			t.Error("stat loads")
		}
		if after.Size != before.Size || !after.Mtime.Equal(before.Mtime) || after.Ino != before.Ino || after.Mode != before.Mode {
			t.Errorf("stat showed %+v and shows %+v", before, after)
		}
		if got := w.readBy("t0.csv", Caller{}); len(got) != len(text) {
			t.Errorf("it has %d bytes, not %d", len(got), len(text))
		}
		if again := w.attr("t0.csv"); again.Size != before.Size || !again.Mtime.Equal(before.Mtime) || again.Mode != before.Mode {
			t.Errorf("stat showed %+v, loaded again %+v", before, again)
		}
		w.gate.set(func(g *gate) { g.calls = nil })
		w.write("t0.csv", replaced(w.readBy("t0.csv", Caller{}), "2,two", "2,zwei"))
		w.settled()
		w.wantStored("t0.csv", "q,a", "1,"+strings.Repeat("x", 1000), "2,zwei")
		for _, call := range w.gate.made("apply") {
			if n := len(call.batch.Changes.Rows); n != 1 {
				t.Errorf("%d rows were sent", n)
			}
		}
	})
}

// It is there after a restart, and when the store has a new version.
func TestEvictedChangesElsewhere(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.CacheSize = 1 }, func(t *testing.T, w *world) {
		w.clean(1)
		before := w.attr("t0.csv")
		w.after(inUse + 2*pruneEvery)
		if n := len(w.contents("t0.csv")); n != 0 {
			t.Fatalf("%d contents are left", n)
		}
		w.crash()
		w.elsewhere("t0.csv", "q,a", "1,y", "2,two")
		w.refresh()
		w.wantShown("t0.csv", "q,a", "1,y", "2,two")
		if after := w.attr("t0.csv"); !after.Mtime.After(before.Mtime) {
			t.Errorf("it is of %v, it was of %v", after.Mtime, before.Mtime)
		}
		w.wantState("t0.csv", "clean")
	})
}

// What must not go: unsent and held saves, open files, what a program that runs
// has read, anything while the store is away, and files of a row store that are
// not as the store would give them.
func TestNotEvicted(t *testing.T) {
	who := people(t, 1)
	stays := map[string]func(w *world){
		"unsent": func(w *world) {
			w.gate.fail(errAway, "apply")
			w.write("t0.csv", replaced(w.readBy("t0.csv", Caller{}), "2,two", "2,zwei"))
		},
		"held": func(w *world) { w.write("t0.csv", "q,a\n") },
		"open": func(w *world) { w.start("t0.csv", writeOnly, Caller{}) },
		"read": func(w *world) { w.readBy("t0.csv", who[0]) },
		"away": func(w *world) { w.gate.fail(errAway); w.write("t1.csv", "q,a\n1,y\n2,two\n") },
		"own bytes": func(w *world) {
			if w.form == backends.Documents {
				w.readBy("t0.csv", who[0])
				return
			}
			must(w.t, w.put("t0.csv", "q,a\n2,two\n1,"+strings.Repeat("x", 1000)+"\n", truncating, Caller{}))
		},
	}
	for name, use := range stays {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, func(w *world) { w.config.CacheSize, w.config.TTL = 1, time.Minute }, func(t *testing.T, w *world) {
				w.clean(2)
				use(w)
				w.after(inUse + 2*pruneEvery)
				if n := len(w.contents("t0.csv")); n == 0 {
					t.Error("it is gone")
				}
			})
		})
	}
}

// A save onto an evicted table is an edit of what the store holds.
func TestSaveOntoEvicted(t *testing.T) {
	saves := map[string]func(w *world, text string){
		"rename":   func(w *world, text string) { w.replace("t0.csv", text) },
		"in place": func(w *world, text string) { w.write("t0.csv", text) },
		"restart":  func(w *world, text string) { w.reopen(); w.write("t0.csv", text) },
	}
	for name, save := range saves {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, func(w *world) { w.config.CacheSize, w.config.TTL = 1, time.Minute }, func(t *testing.T, w *world) {
				w.clean(1)
				text := w.readBy("t0.csv", Caller{})
				w.after(inUse + 2*pruneEvery)
				if n := len(w.contents("t0.csv")); n != 0 {
					t.Fatalf("%d contents are left", n)
				}
				w.gate.set(func(g *gate) { g.calls = nil })
				save(w, replaced(text, "2,two", "2,zwei"))
				w.settled()
				w.settled()
				w.wantStored("t0.csv", "q,a", "1,"+strings.Repeat("x", 1000), "2,zwei")
				w.wantState("t0.csv", "clean")
				rows := 0
				for _, call := range w.gate.made("apply") {
					rows += len(call.batch.Changes.Rows)
				}
				if rows != 1 {
					t.Errorf("%d rows were sent", rows)
				}
			})
		})
	}
}
