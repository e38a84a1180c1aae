package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// mv renames within the folder.
func (w *world) mv(from, to string) error {
	return w.c.Rename(w.t.Context(), datasets, from, datasets, to, 0, me())
}

// tables are the tables of a project in the store.
func (w *world) tables(project string) []string {
	w.t.Helper()
	entries, err := w.c.cfg.Store.Backend.List(w.t.Context(), backends.Ref{Project: project})
	must(w.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Ref.Name)
	}
	slices.Sort(names)
	return names
}

func wantNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// names are the names that a directory shows.
func (w *world) names(dir string) []string {
	w.t.Helper()
	entries, err := w.c.ReadDir(w.t.Context(), dir)
	must(w.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

// readAt reads a file by its whole path.
func (w *world) readAt(p string) string {
	w.t.Helper()
	var h *Handle
	err := ErrStale
	for range 5 {
		node, lerr := w.c.Lookup(w.t.Context(), path.Dir(p), path.Base(p))
		must(w.t, lerr)
		if h, err = node.File.Open(w.t.Context(), syscall.O_RDONLY, me()); !errors.Is(err, ErrStale) {
			break
		}
	}
	must(w.t, err)
	defer h.Release()
	data, err := io.ReadAll(io.NewSectionReader(h, 0, 1<<30))
	must(w.t, err)
	return string(data)
}

// TestRenameWithoutRenamer: in a store that can't rename, mv makes a new table;
// the old one is deleted when the new one is there, not before.
func TestRenameWithoutRenamer(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newStore(t, form)
		w.only = true
		t.Cleanup(w.close)
		w.open()
		w.write("a.csv", "q\n1\n2\n")
		w.flush()
		w.add("a.csv", "3\n")
		must(t, w.mv("a.csv", "b.csv"))
		w.wantShown("b.csv", "q", "1", "2", "3")
		if _, err := w.tryRead("a.csv"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the old name: %v", err)
		}
		w.crash()
		must(t, w.mv("b.csv", "c.csv")) // the store has not seen b
		wantNames(t, "before the flush the store has", w.tables("p"), "a")
		w.flush()
		wantNames(t, "the store has", w.tables("p"), "c")
		w.wantStored("c.csv", "q", "1", "2", "3")
		w.wantShown("c.csv", "q", "1", "2", "3")
	})
}

// TestRenameKeepsBothUntilSent: the table that was renamed over another is
// deleted in the store only when its content has arrived there under the new name.
func TestRenameKeepsBothUntilSent(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		var rows strings.Builder
		for i := range 100 {
			fmt.Fprintf(&rows, "%d\n", i)
		}
		w.write("b.csv", "q\n"+rows.String())
		w.write("a.csv", "q\n1\n2\n")
		w.flush()
		must(t, w.mv("a.csv", "b.csv")) // leaves fewer than half of the rows: held
		if err := w.tryFlush(); !errors.Is(err, ErrPending) {
			t.Errorf("flush: %v", err)
		}
		w.wantState("b.csv", "held")
		wantNames(t, "the store has", w.tables("p"), "a", "b")
		must(t, w.c.Confirm(t.Context(), path.Join(datasets, "b.csv")))
		w.flush()
		wantNames(t, "the store has", w.tables("p"), "b")
		w.wantStored("b.csv", "q", "1", "2")
	})
}

// TestProjectIsRenamed: everything in it follows at once, the store later; what
// was not sent goes out under the new name.
func TestProjectIsRenamed(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("sent.csv", "q\n1\n")
		w.flush()
		w.add("sent.csv", "2\n")
		w.write("new.csv", "q\n5\n")
		w.write("scratch", "x")
		open, err := w.openFile("sent.csv", appending&^syscall.O_CREAT, me())
		must(t, err)
		must(t, w.c.Rename(t.Context(), "", "p", "", "q", 0, me()))
		wantNames(t, "the root", w.names(""), "q")
		wantNames(t, "the folder", w.names("q/datasets"), "new.csv", "scratch", "sent.csv")
		if _, err := w.c.Lookup(t.Context(), "", "p"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the old name: %v", err)
		}
		_, err = open.WriteAt([]byte("3\n"), 1<<20)
		must(t, err)
		must(t, open.Flush(t.Context(), me()))
		open.Release()
		w.crash()
		w.flush()
		wantNames(t, "the store has", w.tables("q"), "new", "sent")
		if got := linesOf(w.readAt("q/datasets/sent.csv")); !slices.Equal(got, []string{"q", "1", "2", "3"}) {
			t.Errorf("sent.csv holds %q", got)
		}
		if got := w.readAt("q/datasets/scratch"); got != "x" {
			t.Errorf("scratch holds %q", got)
		}
		must(t, w.c.Refresh(t.Context(), ""))
		wantNames(t, "after a listing the root", w.names(""), "q")
		before := w.c.calls.get()
		w.flush()
		if after := w.c.calls.get(); after.Append != before.Append || after.Delete != before.Delete {
			t.Errorf("sent again: %+v, before %+v", after, before)
		}
		// And back, before the store hears of it.
		must(t, w.c.Rename(t.Context(), "", "q", "", "r", 0, me()))
		must(t, w.c.Rename(t.Context(), "", "r", "", "q", 0, me()))
		if left := w.c.projectStatus(projectsAt("")); len(left) > 0 {
			t.Errorf("to be sent: %q", left)
		}
		w.flush()
		wantNames(t, "the store has", w.tables("q"), "new", "sent")
	})
}

// losing renames in the store and loses the answer.
type losing struct {
	backends.Backend
	lose *atomic.Bool
}

func (l losing) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	entry, err := l.Backend.(backends.Renamer).Rename(ctx, ref, name)
	if l.lose.Load() {
		return backends.Entry{}, fmt.Errorf("%s: no answer: %w", ref, backends.ErrUnknown)
	}
	return entry, err
}

func (l losing) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	return l.Backend.(backends.Prober).Probe(ctx, ref)
}

// TestProjectRenameAnswerLost: the project is known again, here and after a crash.
func TestProjectRenameAnswerLost(t *testing.T) {
	for _, how := range []string{"again", "listed", "crash"} {
		t.Run(how, func(t *testing.T) {
			bothForms(t, func(t *testing.T, form backends.Form) {
				lose := &atomic.Bool{}
				w := newStore(t, form)
				w.backend = func(b backends.Backend) backends.Backend { return losing{b, lose} }
				t.Cleanup(w.close)
				w.open()
				w.write("a.csv", "q\n1\n")
				w.flush()
				w.add("a.csv", "2\n")
				must(t, w.c.Rename(t.Context(), "", "p", "", "q", 0, me()))
				lose.Store(true)
				if err := w.tryFlush(); !errors.Is(err, ErrPending) {
					t.Errorf("flush: %v", err)
				}
				lose.Store(false)
				switch how {
				case "crash":
					w.crash()
				case "listed":
					must(t, w.c.listAll(t.Context()))
				}
				w.flush()
				must(t, w.c.Refresh(t.Context(), ""))
				wantNames(t, "the root", w.names(""), "q")
				wantNames(t, "the folder", w.names("q/datasets"), "a.csv")
				wantNames(t, "the store has", w.tables("q"), "a")
				if got := linesOf(w.readAt("q/datasets/a.csv")); !slices.Equal(got, []string{"q", "1", "2"}) {
					t.Errorf("a.csv holds %q", got)
				}
			})
		})
	}
}

// TestProjectNameTaken: somebody makes a project of that name before the store
// hears of the rename. Both stay, and another name settles it.
func TestProjectNameTaken(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("a.csv", "q\n1\n")
		w.flush()
		must(t, w.c.Rename(t.Context(), "", "p", "", "q", 0, me()))
		_, err := w.c.cfg.Store.Backend.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "q"}})
		must(t, err)
		must(t, w.c.listAll(t.Context()))
		names := w.names("")
		if len(names) != 2 || !slices.Contains(names, "q") {
			t.Errorf("the root shows %q", names)
		}
		if err := w.tryFlush(); !errors.Is(err, ErrPending) {
			t.Errorf("flush: %v", err)
		}
		s, err := w.c.Status("")
		must(t, err)
		if p := s.Projects; len(p) != 1 || p[0].Path != "q" || p[0].Op != "rename" || p[0].Error == "" {
			t.Errorf("the status says %+v", p)
		}
		must(t, w.c.Rename(t.Context(), "", "q", "", "r", 0, me()))
		w.flush()
		wantNames(t, "the store has", w.tables("r"), "a")
		if got := linesOf(w.readAt("r/datasets/a.csv")); !slices.Equal(got, []string{"q", "1"}) {
			t.Errorf("a.csv holds %q", got)
		}
	})
}

// TestTableNameTaken: a table renamed here and one made in the store under that
// name show side by side.
func TestTableNameTaken(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("a.csv", "q\n1\n")
		w.flush()
		must(t, w.mv("a.csv", "b.csv"))
		w.elsewhere("b.csv", "q", "7")
		must(t, w.c.listAll(t.Context()))
		names := w.names(datasets)
		if len(names) != 2 || !slices.Contains(names, "b.csv") {
			t.Fatalf("the folder shows %q", names)
		}
		w.wantShown("b.csv", "q", "1")
		other := names[0]
		if other == "b.csv" {
			other = names[1]
		}
		w.wantShown(other, "q", "7")
		must(t, w.mv("b.csv", "c.csv"))
		w.flush()
		wantNames(t, "the store has", w.tables("p"), "b", "c")
		w.wantStored("b.csv", "q", "7")
		w.wantStored("c.csv", "q", "1")
	})
}
