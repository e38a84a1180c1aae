package memory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// withTable returns a store with the table qa, which has one text column q.
func withTable(t *testing.T, options memory.Options) (*memory.Store, backends.Entry) {
	t.Helper()
	store := memory.NewStore(options)
	if _, err := store.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "demo"}}); err != nil {
		t.Fatal(err)
	}
	return store, newTable(t, store)
}

func newTable(t *testing.T, store *memory.Store) backends.Entry {
	t.Helper()
	entry, err := store.Create(t.Context(), backends.Create{Ref: qa, Columns: []table.Column{{Name: "q"}}})
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

// ids returns the rows of a table in their order.
func ids(t *testing.T, store *memory.Store, ref backends.Ref) []string {
	t.Helper()
	loaded, err := store.Load(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close() //nolint:errcheck // of memory
	var found []string
	for r, err := range loaded.Rows {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, r.ID)
	}
	return found
}

func TestEqualNamesAreToldApartByID(t *testing.T) {
	store, first := withTable(t, memory.Options{DuplicateNames: true})
	second := newTable(t, store)
	if first.Ref.ID == second.Ref.ID {
		t.Fatalf("two tables have the id %q", first.Ref.ID)
	}
	toSecond := batch
	toSecond.Ref = second.Ref
	if _, err := store.Apply(t.Context(), toSecond); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, store, second.Ref); len(got) != 1 {
		t.Errorf("the second table holds %q, want one row", got)
	}
	if got := ids(t, store, qa); len(got) != 0 {
		t.Errorf("by name alone the oldest is meant, which holds %q", got)
	}
	if err := store.Delete(t.Context(), first.Ref, ""); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, store, qa); len(got) != 1 {
		t.Errorf("the remaining table holds %q, want one row", got)
	}
}

func TestLongCellsAreRefused(t *testing.T) {
	store, entry := withTable(t, memory.Options{MaxCell: 3})
	result, err := store.Apply(t.Context(), backends.Batch{Ref: entry.Ref, Grows: -1, Changes: table.Changes{
		NewHeader: []string{"q"}, Rows: []table.Change{
			{Op: table.Append, Key: "short", After: []string{"abc"}},
			{Op: table.Append, Key: "long", After: []string{"abcd"}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if o := result.Outcomes[0]; o.Verdict != backends.Applied {
		t.Errorf("outcome of a short cell: %+v", o)
	}
	if o := result.Outcomes[1]; o.Verdict != backends.Refused || !errors.Is(o.Err, backends.ErrRefused) {
		t.Errorf("outcome of a long cell: %+v", o)
	}
}

func TestHookRefusesARow(t *testing.T) {
	store, entry := withTable(t, memory.Options{})
	words := fmt.Errorf("I don't like it: %w", backends.ErrRefused)
	store.SetHooks(memory.Hooks{Row: func(_ backends.Ref, change table.Change) error {
		if change.Key == "r1" {
			return words
		}
		return nil
	}})
	toTable := batch
	toTable.Ref = entry.Ref
	result, err := store.Apply(t.Context(), toTable)
	if err != nil {
		t.Fatal(err)
	}
	if o := result.Outcomes[0]; o.Verdict != backends.Refused || !errors.Is(o.Err, words) {
		t.Errorf("outcome: %+v", o)
	}
	if got := ids(t, store, entry.Ref); len(got) != 0 {
		t.Errorf("refused, and yet the table holds %q", got)
	}
}

// A column that comes back under the same name is another one: what the old one
// held does not come back with it.
func TestDroppedColumnDoesNotComeBack(t *testing.T) {
	store, entry := withTable(t, memory.Options{})
	toTable := batch
	toTable.Ref = entry.Ref
	if _, err := store.Apply(t.Context(), toTable); err != nil {
		t.Fatal(err)
	}
	for _, change := range []table.ColumnChange{
		{Op: table.DropColumn, Old: "q"}, {Op: table.AddColumn, New: "q", Type: table.Text},
	} {
		if _, err := store.Apply(t.Context(), backends.Batch{
			Ref: entry.Ref, Grows: -1, Changes: table.Changes{Columns: []table.ColumnChange{change}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := store.GetRows(t.Context(), entry.Ref, []table.Column{{Name: "q"}}, []string{"r1"})
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1 || !rows[0].Cells[0].Null {
		t.Errorf("the row is %+v, want one empty cell", rows)
	}
}

func TestRefusedColumnsChangeNothing(t *testing.T) {
	store, entry := withTable(t, memory.Options{})
	_, err := store.Apply(t.Context(), backends.Batch{Ref: entry.Ref, Grows: -1, Changes: table.Changes{
		Columns: []table.ColumnChange{
			{Op: table.AddColumn, New: "new"}, {Op: table.RenameColumn, Old: "nobody", New: "else"},
		},
		NewHeader: []string{"q", "new"},
		Rows:      []table.Change{{Op: table.Append, Key: "r1", After: []string{"a", "b"}}},
	}})
	if !errors.Is(err, backends.ErrRefused) {
		t.Errorf("error %v, want refused", err)
	}
	loaded, err := store.Load(t.Context(), entry.Ref)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close() //nolint:errcheck // of memory
	if len(loaded.Columns) != 1 || loaded.Total != 0 || loaded.Version != entry.Version {
		t.Errorf("columns %v, %d rows, version %s; want what was there", loaded.Columns, loaded.Total, loaded.Version)
	}
}

// A watcher that is slow is told "anything" instead of what did not fit.
func TestSlowWatcherMissesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, entry := withTable(t, memory.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		proceed := make(chan struct{})
		var reports []backends.Ref
		done := make(chan error)
		go func() {
			done <- store.Watch(ctx, func(ref backends.Ref) {
				<-proceed
				reports = append(reports, ref)
			})
		}()
		synctest.Wait()
		const many = 2000
		for i := range many {
			if err := store.PutRow(entry.Ref, fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		last := newTableIn(t, store, "late") // does not fit any more
		close(proceed)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
		for _, ref := range reports {
			if ref == (backends.Ref{}) || ref == last {
				return
			}
		}
		t.Errorf("none of %d reports stands for the last change", len(reports))
	})
}

func newTableIn(t *testing.T, store *memory.Store, name string) backends.Ref {
	t.Helper()
	ref := qa
	ref.Name = name
	entry, err := store.Create(t.Context(), backends.Create{Ref: ref})
	if err != nil {
		t.Fatal(err)
	}
	return entry.Ref
}
