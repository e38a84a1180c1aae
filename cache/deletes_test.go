package cache

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
)

// notStored wants a table not to be in the store.
func (w *world) notStored(name string) {
	w.t.Helper()
	if _, err := w.tryStored(name); !errors.Is(err, backends.ErrNotFound) {
		w.t.Errorf("%s is in the store: %v", name, err)
	}
}

func (w *world) remove(name string) {
	w.t.Helper()
	must(w.t, w.c.Unlink(w.t.Context(), datasets, name, Caller{}))
}

// vanish removes a table from the store, as a colleague does.
func (w *world) vanish(name string) {
	w.t.Helper()
	if w.docs != nil {
		must(w.t, w.docs.Delete(w.t.Context(), w.ref(name), ""))
		return
	}
	must(w.t, w.memory.Delete(w.t.Context(), w.ref(name), ""))
}

// A name that goes for less than a minute is not deleted; back again it is an
// edit of the same table.
func TestDeleteWaits(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.remove("qa.csv")
		w.after(59 * time.Second)
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
		w.write("qa.csv", "q,a\n1,one\n2,zwei\n")
		w.after(5 * time.Minute)
		w.wantStored("qa.csv", "q,a", "1,one", "2,zwei")
		for _, call := range w.gate.made("apply") {
			if n := len(call.batch.Changes.Rows); n != 1 {
				t.Errorf("%d rows were sent", n)
			}
		}
		if n := len(w.gate.made("delete", "create")); n > 0 {
			t.Errorf("%d deletes and creates", n)
		}
		w.remove("qa.csv")
		w.after(61 * time.Second)
		w.notStored("qa.csv")
		w.wantKept("qa.csv", "2,zwei")
	})
}

// wantKept wants a text in the history of a table.
func (w *world) wantKept(name, text string) {
	w.t.Helper()
	files := w.files(filepath.Join("history", datasets, strings.TrimSuffix(name, ".csv"), "*.csv"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		must(w.t, err)
		if strings.Contains(string(data), text) {
			return
		}
	}
	w.t.Errorf("%q is in none of the %d kept versions of %s", text, len(files), name)
}

// Deletes go last: while anything that was saved before is not in the store, it
// might be what the deleted table was moved to.
func TestDeletesGoLast(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.have("other.csv", "q,a", "1,one")
		w.gate.set(func(g *gate) {
			g.before = func(verb string, ref backends.Ref) error {
				if verb == "apply" && ref.Name == "other" {
					return errAway
				}
				return nil
			}
		})
		w.write("other.csv", "q,a\n1,one\n2,two\n")
		w.remove("qa.csv")
		w.after(10 * time.Minute)
		w.wantStored("qa.csv", "q,a", "1,one")
		if err := w.tryFlush(); !errors.Is(err, ErrPending) {
			t.Errorf("flush: %v", err)
		}
		w.wantStored("qa.csv", "q,a", "1,one")
		w.gate.heal()
		w.after(2 * time.Minute)
		w.wantStored("other.csv", "q,a", "1,one", "2,two")
		w.notStored("qa.csv")
	})
}

// What a colleague has changed since is not deleted without asking.
func TestDeleteOfChangedTable(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.remove("qa.csv")
		w.elsewhere("qa.csv", "q,a", "1,one", "2,deux")
		w.after(10 * time.Minute)
		w.wantStored("qa.csv", "q,a", "1,one", "2,deux")
		w.wantState("qa.csv", "held")
		w.discard("qa.csv")
		w.after(10 * time.Second)
		w.wantShown("qa.csv", "q,a", "1,one", "2,deux")
		w.wantState("qa.csv", "clean")

		w.remove("qa.csv")
		w.elsewhere("qa.csv", "q,a", "1,one", "2,deux", "3,trois")
		w.after(10 * time.Minute)
		w.wantState("qa.csv", "held")
		w.confirm("qa.csv")
		w.after(10 * time.Minute)
		w.notStored("qa.csv")
		w.wantKept("qa.csv", "3,trois")
	})
}

// A table is in history, power safe, before it is deleted.
func TestDeleteNeedsHistory(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		for _, label := range []string{"history:mkdir", "history:copy", "history:sync", "history:move", "history:syncdir"} {
			met := w.failDisk(label)
			w.remove("qa.csv")
			w.after(3 * time.Minute)
			if !met() {
				t.Errorf("%s was not asked for", label)
			}
			w.wantStored("qa.csv", "q,a", "1,one")
			w.failDisk("")
			w.discard("qa.csv")
			w.wantShown("qa.csv", "q,a", "1,one")
		}
		w.remove("qa.csv")
		w.after(3 * time.Minute)
		w.notStored("qa.csv")
		w.wantKept("qa.csv", "1,one")
	})
}

// More than three at once wait for a person.
func TestManyDeletes(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		for i := range 5 {
			w.have(fmt.Sprintf("t%d.csv", i), "q,a", "1,one")
		}
		for i := range 4 {
			w.remove(fmt.Sprintf("t%d.csv", i))
		}
		w.after(10 * time.Minute)
		if n := len(w.gate.made("delete")); n > 0 {
			t.Fatalf("%d are deleted", n)
		}
		w.wantState("t0.csv", "held")
		must(t, w.c.Confirm(t.Context(), datasets))
		w.after(10 * time.Minute)
		for i := range 4 {
			w.notStored(fmt.Sprintf("t%d.csv", i))
		}
		w.wantStored("t4.csv", "q,a", "1,one")
	})
}

// A table that is missing in the store and has unsent edits is held after a
// second listing, a minute later. confirm makes it again.
func TestVanishedWithEdits(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.vanish("qa.csv")
		w.write("qa.csv", "q,a\n1,ein\n")
		w.settled()
		w.after(30 * time.Second)
		w.wantShown("qa.csv", "q,a", "1,ein")
		w.notStored("qa.csv")
		w.after(3 * time.Minute)
		w.wantState("qa.csv", "held")
		w.wantShown("qa.csv", "q,a", "1,ein")
		w.notStored("qa.csv")
		w.confirm("qa.csv")
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,ein")
		w.wantState("qa.csv", "clean")
	})
}

// One that comes back in time was never gone.
func TestVanishedAndBack(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.vanish("qa.csv")
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.settled()
		w.after(20 * time.Second)
		w.elsewhere("qa.csv", "q,a", "1,one", "2,two")
		w.after(5 * time.Minute)
		if w.form == backends.Documents {
			w.wantStored("qa.csv", "q,a", "1,ein", "2,two")
			w.wantState("qa.csv", "clean")
		}
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two")
	})
}

// confirm of a table that vanished and was never loaded here: there is nothing
// that could be made again, and that is said.
func TestVanishedNeverLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Rows, memory.Options{})
		w.open()
		for i := range 4 {
			w.elsewhere(fmt.Sprintf("t%d.csv", i), "q,a", "1,one")
		}
		w.refresh()
		w.read("t0.csv")
		for i := range 4 {
			w.vanish(fmt.Sprintf("t%d.csv", i))
		}
		must(t, w.c.Refresh(t.Context(), ""))
		w.after(3 * time.Minute)
		w.wantState("t0.csv", "held")
		w.wantState("t1.csv", "held")
		if err := w.c.Confirm(t.Context(), datasets+"/t1.csv"); err == nil {
			t.Error("confirm has nothing to make t1.csv of, and does not say so")
		}
		w.wantState("t1.csv", "held")
		must(t, w.c.Confirm(t.Context(), datasets+"/t0.csv"))
		w.settled()
		w.wantStored("t0.csv", "q,a", "1,one")
		w.discard("t1.csv")
		if _, err := w.c.Status(datasets + "/t1.csv"); err == nil {
			t.Error("t1.csv is still there")
		}
	})
}
