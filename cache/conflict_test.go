package cache

import (
	"errors"
	"path"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// inConflict is a world in which the cell a of the last row is "eins" here and "uno" in
// the store; it was "one".
func inConflict(t *testing.T, form backends.Form) *world {
	w := newWorld(t, form)
	w.write("qa.csv", "q,a\n2,two\n3,three\n1,one\n")
	w.flush()
	w.elsewhere("qa.csv", "q,a", "2,two", "3,three", "1,uno")
	w.replace("qa.csv", "q,a\n2,two\n3,three\n1,eins\n")
	w.pending()
	w.wantConflict()
	return w
}

// pending flushes and wants that something stays.
func (w *world) pending() {
	w.t.Helper()
	if err := w.tryFlush(); !errors.Is(err, ErrPending) {
		w.t.Fatalf("flush: %v; something was to stay", err)
	}
}

// wantConflict checks that each side has kept its own.
func (w *world) wantConflict() {
	w.t.Helper()
	w.wantState("qa.csv", "conflict")
	w.wantStored("qa.csv", "q,a", "2,two", "3,three", "1,uno")
	w.wantShown("qa.csv", "q,a", "2,two", "3,three", "1,eins")
}

func (w *world) confirm(name string) {
	w.t.Helper()
	must(w.t, w.c.Confirm(w.t.Context(), path.Join(datasets, name)))
}

func (w *world) discard(name string) {
	w.t.Helper()
	must(w.t, w.c.Discard(w.t.Context(), path.Join(datasets, name)))
}

func TestConflictDecided(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		for _, c := range []struct {
			name   string
			decide func(w *world)
			word   string
		}{
			{"confirm", func(w *world) { w.confirm("qa.csv") }, "eins"},
			{"discard", func(w *world) { w.discard("qa.csv") }, "uno"},
			{"confirm and crash", func(w *world) { w.confirm("qa.csv"); w.crash() }, "eins"},
			{"discard and crash", func(w *world) { w.discard("qa.csv"); w.crash() }, "uno"},
			{"the store takes ours", func(w *world) { w.elsewhere("qa.csv", "q,a", "2,two", "3,three", "1,eins"); w.refresh() }, "eins"},
			{"the store goes back", func(w *world) { w.elsewhere("qa.csv", "q,a", "2,two", "3,three", "1,one"); w.refresh() }, "eins"},
			{"the file goes back", func(w *world) { w.replace("qa.csv", "q,a\n2,two\n3,three\n1,one\n") }, "uno"},
			{"the file takes theirs", func(w *world) { w.replace("qa.csv", "q,a\n2,two\n3,three\n1,uno\n") }, "uno"},
		} {
			t.Run(c.name, func(t *testing.T) {
				w := inConflict(t, form)
				c.decide(w)
				w.flush()
				w.wantStored("qa.csv", "q,a", "2,two", "3,three", "1,"+c.word)
				w.refresh()
				w.wantShown("qa.csv", "q,a", "2,two", "3,three", "1,"+c.word)
				w.wantState("qa.csv", "clean")
			})
		}
	})
}

// TestConflictLasts: whatever else is saved or comes in, neither side of a
// conflict is overwritten until a person decides.
func TestConflictLasts(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		t.Run("flush and crash", func(t *testing.T) {
			w := inConflict(t, form)
			w.pending()
			w.crash()
			w.wantConflict()
			w.refresh()
			w.pending()
			w.wantConflict()
		})
		t.Run("another cell", func(t *testing.T) {
			w := inConflict(t, form)
			w.replace("qa.csv", "q,a\n2,zwei\n3,three\n1,eins\n")
			w.pending()
			w.wantState("qa.csv", "conflict")
			w.wantStored("qa.csv", "q,a", "2,zwei", "3,three", "1,uno")
			w.discard("qa.csv")
			w.flush()
			w.wantShown("qa.csv", "q,a", "2,zwei", "3,three", "1,uno")
		})
		t.Run("another column", func(t *testing.T) {
			w := inConflict(t, form)
			w.replace("qa.csv", "q,a,n\n2,two,y\n3,three,z\n1,eins,x\n")
			w.pending()
			w.wantState("qa.csv", "conflict")
			w.wantStored("qa.csv", "q,a,n", "2,two,y", "3,three,z", "1,uno,x")
			w.confirm("qa.csv")
			w.flush()
			w.wantStored("qa.csv", "q,a,n", "2,two,y", "3,three,z", "1,eins,x")
		})
		t.Run("an edit beats a delete", func(t *testing.T) {
			w := inConflict(t, form)
			w.replace("qa.csv", "q,a\n2,two\n3,three\n")
			w.flush()
			w.wantStored("qa.csv", "q,a", "2,two", "3,three", "1,uno")
			if got := sorted(w.shown("qa.csv")); len(got) != 4 {
				t.Errorf("the mount shows %q", got)
			}
		})
		t.Run("and the other way round", func(t *testing.T) {
			w := inConflict(t, form)
			w.elsewhere("qa.csv", "q,a", "2,deux", "3,three")
			w.refresh()
			w.flush()
			w.wantStored("qa.csv", "q,a", "2,deux", "3,three", "1,eins")
			w.wantShown("qa.csv", "q,a", "2,deux", "3,three", "1,eins")
		})
		t.Run("new values are not what was decided", func(t *testing.T) {
			w := inConflict(t, form)
			w.confirm("qa.csv")
			w.elsewhere("qa.csv", "q,a", "2,two", "3,three", "1,un")
			w.pending()
			w.wantState("qa.csv", "conflict")
			w.wantStored("qa.csv", "q,a", "2,two", "3,three", "1,un")
		})
		t.Run("two cells, one is taken back", func(t *testing.T) {
			w := inConflict(t, form)
			w.elsewhere("qa.csv", "q,a", "2,two", "3,tre", "1,uno")
			w.replace("qa.csv", "q,a\n2,two\n3,drei\n1,eins\n")
			w.pending()
			w.replace("qa.csv", "q,a\n2,two\n3,drei\n1,one\n")
			w.pending()
			w.wantState("qa.csv", "conflict")
			w.wantShown("qa.csv", "q,a", "2,two", "3,drei", "1,uno")
			w.wantStored("qa.csv", "q,a", "2,two", "3,tre", "1,uno")
		})
	})
}

// TestDiscardKeepsTheRest: discard in a conflict drops the cells in conflict and
// nothing else, also of what is not sent yet.
func TestDiscardKeepsTheRest(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := inConflict(t, form)
		w.replace("qa.csv", "q,a\n2,zwei\n3,three\n1,eins\n4,four\n")
		w.discard("qa.csv")
		w.wantShown("qa.csv", "q,a", "2,zwei", "3,three", "1,uno", "4,four")
		w.wantStored("qa.csv", "q,a", "2,two", "3,three", "1,uno")
		w.flush()
		w.wantStored("qa.csv", "q,a", "2,zwei", "3,three", "1,uno", "4,four")
	})
}
