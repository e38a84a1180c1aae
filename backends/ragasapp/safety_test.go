package ragasapp_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// While rows change one at a time, every load is one of the contents that there
// were, or fails.
func TestLoadIsOneContent(t *testing.T) {
	b := newBench(t, ragasstore.Switches{MaxPage: 20}, 200, nil)
	const steps = 100
	key := func(changed int) string { return fmt.Sprint(changed) }
	done := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		defer close(done)
		for i := range steps { // alternating ends: first and last page
			at := i
			if i%2 == 1 {
				at = 199 - i
			}
			b.put(t, fmt.Sprint("r", at), `"changed"`, key(i))
		}
	})
	good := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		rows, _, err := b.load(t)
		if err != nil {
			if !errors.Is(err, backends.ErrIncomplete) {
				t.Fatal(err)
			}
			continue
		}
		good++
		if len(rows) != 200 {
			t.Fatalf("%d rows, want 200", len(rows))
		}
		missing := false
		for i := range steps {
			at := i
			if i%2 == 1 {
				at = 199 - i
			}
			changed := rows[fmt.Sprint("r", at)][0] == "changed"
			if changed && missing {
				t.Fatalf("change %d is there, one before it is not", i)
			}
			missing = missing || !changed
		}
	}
	wait.Wait()
	if good == 0 {
		t.Error("no load succeeded, not even the last one")
	}
}

// Rows that are added while pages are read are left out or in, never doubled.
func TestGrowthWhileLoading(t *testing.T) {
	b := newBench(t, ragasstore.Switches{MaxPage: 10}, 3000, nil)
	loaded, err := b.backend.Load(t.Context(), b.ref)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close() //nolint:errcheck // read to the end
	seen := map[string]bool{}
	for r, err := range loaded.Rows {
		if err != nil {
			t.Fatal(err)
		}
		if seen[r.ID] {
			t.Fatalf("row %s came twice", r.ID)
		}
		seen[r.ID] = true
		if len(seen)%100 == 0 {
			b.put(t, fmt.Sprint("late", len(seen)), `"late"`, "1")
		}
	}
	if len(seen) != 3000 {
		t.Errorf("%d rows, want the 3000 that there were", len(seen))
	}
}

// A deletion shifts pages: a row that fell between two of them is missed.
func TestDeletionWhileLoading(t *testing.T) {
	b := newBench(t, ragasstore.Switches{MaxPage: 10}, 3000, nil)
	loaded, err := b.backend.Load(t.Context(), b.ref)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close() //nolint:errcheck // it fails below
	count := 0
	for _, err := range loaded.Rows {
		if err != nil {
			if !errors.Is(err, backends.ErrIncomplete) {
				t.Errorf("error %v, want one that says incomplete", err)
			}
			return
		}
		if count++; count == 1 {
			if err := b.store.DeleteRow(b.in(), "r0"); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Errorf("a load of %d rows ended well although one was deleted meanwhile", count)
}

// The same cell changed on both sides is not overwritten; another is merged.
func TestUpdateKeepsWhatOthersChanged(t *testing.T) {
	b := newBench(t, ragasstore.Switches{}, 3, nil)
	_, base, err := b.load(t)
	if err != nil {
		t.Fatal(err)
	}
	b.put(t, "r0", `"theirs"`, "0")
	b.put(t, "r1", `"question 1"`, "99")
	result, err := b.backend.Apply(t.Context(), b.batch(base,
		update("r0", []string{"question 0", "0"}, []string{"ours", "0"}),
		update("r1", []string{"question 1", "1"}, []string{"ours", "1"}),
		table.Change{Op: table.Delete, Key: "r0", Before: []string{"question 0", "0"}},
	))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 2} {
		if o := result.Outcomes[i]; o.Verdict != backends.Refused || !errors.Is(o.Err, backends.ErrConflict) {
			t.Errorf("change %d of a row that somebody else changed: %+v", i, o)
		}
	}
	rows, version, err := b.load(t)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"r0": {"theirs", "0"}, "r1": {"ours", "99"}, "r2": {"question 2", "2"}}
	if !maps.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("rows are %v, want %v", rows, want)
	}
	entry, err := b.backend.Probe(t.Context(), b.ref)
	if err != nil || entry.Version != version {
		t.Errorf("probe gives %q and %v, the load gave %q", entry.Version, err, version)
	}
	if result.Version == version {
		t.Error("the version after our changes hides that there were others")
	}
}

// A create whose answer was lost is looked up, not repeated; nothing is there twice.
func TestLostAnswers(t *testing.T) {
	for _, action := range []faults.Action{faults.ApplyThenDrop, faults.ApplyThenStatus, faults.Drop, faults.Status} {
		t.Run(string(action), func(t *testing.T) {
			b := newBench(t, ragasstore.Switches{Upsert: true}, 3, map[string]string{"max_retries": "3"})
			if err := b.service.Add(faults.Rule{Method: "POST", Path: "/rows$", Times: 1, Action: action},
				faults.Rule{Method: "PATCH", Times: 1, Action: action}, faults.Rule{Method: "DELETE", Times: 1, Action: action}); err != nil {
				t.Fatal(err)
			}
			result, err := b.backend.Apply(t.Context(), b.batch("",
				table.Change{Op: table.Append, Key: "new", After: []string{"a", "1.50"}},
				update("r0", []string{"question 0", "0"}, []string{"changed", "0"}),
				table.Change{Op: table.Delete, Key: "r1", Before: []string{"question 1", "1"}}))
			if err != nil {
				t.Fatal(err)
			}
			for i, o := range result.Outcomes {
				if o.Verdict != backends.Applied {
					t.Errorf("change %d: %+v", i, o)
				}
			}
			rows, _, err := b.load(t)
			want := map[string][]string{"r0": {"changed", "0"}, "r2": {"question 2", "2"}, "new": {"a", "1.50"}}
			if err != nil || !maps.EqualFunc(rows, want, slices.Equal) {
				t.Errorf("rows are %v (%v), want %v", rows, err, want)
			}
		})
	}
}

func TestCallCounts(t *testing.T) {
	b := newBench(t, ragasstore.Switches{MaxPage: 100}, 1000, nil)
	rows, base, err := b.load(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{1, 5, 500} {
		var changes []table.Change
		for i := range k {
			id := fmt.Sprint("r", i)
			after := []string{fmt.Sprint("edit ", k), rows[id][1]}
			changes = append(changes, update(id, rows[id], after))
			rows[id] = after
		}
		made := b.calls(func() {
			result, err := b.backend.Apply(t.Context(), b.batch(base, changes...))
			if err != nil {
				t.Fatal(err)
			}
			base = result.Version
		})
		if most := min(2*k, k+10); len(made) > most {
			t.Errorf("%d rows changed in %d calls, at most %d are needed", k, len(made), most)
		}
		made = b.calls(func() {
			if entry, err := b.backend.Probe(t.Context(), b.ref); err != nil || entry.Version != base {
				t.Errorf("after %d changes: probe gives %q and %v, want %q", k, entry.Version, err, base)
			}
		})
		if len(made) > 2 {
			t.Errorf("a probe took %q", made)
		}
	}
	made := b.calls(func() {
		row := table.Change{Op: table.Append, Key: "new", After: []string{"a", "1"}}
		if _, err := b.backend.Apply(t.Context(), b.batch(base, row)); err != nil {
			t.Fatal(err)
		}
	})
	if len(made) != 1 {
		t.Errorf("a row was appended to a table whose version is known by %q", made)
	}
}
