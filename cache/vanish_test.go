package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// drop deletes tables (all: none given) in the store behind the back of the mount.
func (w *world) drop(names ...string) {
	w.t.Helper()
	if len(names) == 0 {
		names = w.tables("p")
	}
	for _, name := range names {
		must(w.t, w.c.cfg.Store.Backend.Delete(w.t.Context(), w.ref(name), ""))
	}
}

// TestGoneFromTheStore: one clean table goes; one with unsent edits, and more
// than half of at least four, are kept, then held at a second listing.
func TestGoneFromTheStore(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newStore(t, form)
		w.config.vanishWait = time.Nanosecond
		t.Cleanup(w.close)
		w.open()
		for i := range 5 {
			w.write(fmt.Sprintf("t%d.csv", i), fmt.Sprintf("q\n%d\n", i))
		}
		w.flush()
		w.drop("t4")
		must(t, w.c.listAll(t.Context()))
		wantNames(t, "one is gone", w.names(datasets), "t0.csv", "t1.csv", "t2.csv", "t3.csv")
		w.drop("t0")
		must(t, w.c.listAll(t.Context()))
		wantNames(t, "two are gone", w.names(datasets), "t1.csv", "t2.csv", "t3.csv")
		w.write("t0.csv", "q\n0\n")
		w.flush()

		w.drop()
		for range 2 { // kept, then held
			must(t, w.c.listAll(t.Context()))
			wantNames(t, "all are gone", w.names(datasets), "t0.csv", "t1.csv", "t2.csv", "t3.csv")
		}
		w.wantState("t0.csv", "held")
		w.wantShown("t0.csv", "q", "0")
		w.crash()
		must(t, w.c.listAll(t.Context()))
		for i := range 4 {
			w.wantState(fmt.Sprintf("t%d.csv", i), "held")
		}
		must(t, w.c.Confirm(t.Context(), datasets+"/t0.csv"))
		must(t, w.c.Discard(t.Context(), datasets+"/t1.csv"))
		must(t, w.c.Confirm(t.Context(), datasets+"/t3.csv"))
		if form == backends.Documents {
			w.elsewhere("t2.csv", "q", "8") // it was not gone after all
			must(t, w.c.listAll(t.Context()))
		} else { // one of that name would be another table: it has another id
			must(t, w.c.Confirm(t.Context(), datasets+"/t2.csv"))
		}
		w.flush()
		w.refresh()
		wantNames(t, "the store has", w.tables("p"), "t0", "t2", "t3")
		wantNames(t, "the mount has", w.names(datasets), "t0.csv", "t2.csv", "t3.csv")
		w.wantStored("t0.csv", "q", "0")
		w.wantStored("t3.csv", "q", "3")
		w.wantState("t2.csv", "clean")
		if form == backends.Documents {
			w.wantShown("t2.csv", "q", "8")
		}
	})
}

// TestGoneWithUnsentEdits: a table that has them is not believed to be gone.
func TestGoneWithUnsentEdits(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newStore(t, form)
		w.config.vanishWait = time.Nanosecond
		t.Cleanup(w.close)
		w.open()
		w.write("a.csv", "q\n1\n")
		w.flush()
		w.add("a.csv", "2\n")
		w.drop("a")
		must(t, w.c.listAll(t.Context()))
		must(t, w.c.listAll(t.Context()))
		w.wantState("a.csv", "held")
		if err := w.tryFlush(); !errors.Is(err, ErrPending) {
			t.Errorf("flush: %v", err)
		}
		w.wantShown("a.csv", "q", "1", "2")
		must(t, w.c.Confirm(t.Context(), datasets+"/a.csv"))
		w.flush()
		w.wantStored("a.csv", "q", "1", "2")
	})
}

// TestProjectGoneFromTheStore with all its tables: confirm makes it again; what is
// only on this machine stays.
func TestProjectGoneFromTheStore(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newStore(t, form)
		w.config.vanishWait = time.Nanosecond
		t.Cleanup(w.close)
		w.open()
		w.write("notes.txt", "mine")
		w.write("a.csv", "q\n1\n")
		w.flush()
		w.add("a.csv", "2\n")
		w.drop("a")
		if form == backends.Documents {
			must(t, os.RemoveAll(filepath.Join(w.root, "p")))
		} else {
			must(t, w.memory.Delete(t.Context(), backends.Ref{Project: "p"}, ""))
		}
		must(t, w.c.listAll(t.Context()))
		must(t, w.c.listAll(t.Context()))
		w.wantState("a.csv", "held")
		must(t, w.c.Confirm(t.Context(), datasets+"/a.csv"))
		w.flush()
		w.wantStored("a.csv", "q", "1", "2")

		w.drop("a")
		if form == backends.Documents {
			must(t, os.RemoveAll(filepath.Join(w.root, "p")))
		} else {
			must(t, w.memory.Delete(t.Context(), backends.Ref{Project: "p"}, ""))
		}
		for range 2 {
			must(t, w.c.listAll(t.Context()))
		}
		w.crash()
		wantNames(t, "what is only here", w.names(datasets), "notes.txt")
		w.flush()
		if entries, err := w.c.cfg.Store.Backend.List(t.Context(), backends.Ref{}); err != nil || len(entries) > 0 {
			t.Errorf("the store has %+v, %v", entries, err)
		}
		must(t, w.c.Unlink(t.Context(), datasets, "notes.txt", me()))
		must(t, w.c.Rmdir(t.Context(), "p", "datasets"))
		must(t, w.c.Rmdir(t.Context(), "p", "experiments"))
		must(t, w.c.Rmdir(t.Context(), "", "p"))
		wantNames(t, "the root", w.names(""))
	})
}
