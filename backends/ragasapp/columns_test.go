package ragasapp_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// A column that somebody else adds, renames or removes makes another version,
// although no row has changed. It takes a call, but not with every probe.
func TestColumnsChangedElsewhere(t *testing.T) {
	b := newBench(t, ragasstore.Switches{}, 3, nil)
	_, base, err := b.load(t)
	if err != nil {
		t.Fatal(err)
	}
	probe := func() (v backends.Version, calls []string) {
		calls = b.calls(func() {
			entry, err := b.backend.Probe(t.Context(), b.ref)
			if err != nil {
				t.Fatal(err)
			}
			v = entry.Version
		})
		return v, calls
	}
	if v, calls := probe(); v != base || len(calls) != 1 {
		t.Errorf("a probe just after the load gives %q, not %q, in %d calls", v, base, len(calls))
	}
	b.backend.AskForColumnsAfter(0)
	if v, calls := probe(); v != base || len(calls) != 2 {
		t.Errorf("a later probe gives %q, not %q, in %d calls", v, base, len(calls))
	}
	columns, err := b.store.ListColumns(b.in(), ragasapi.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	id, renamed := columns.Items[0].ID, "renamed"
	for what, change := range map[string]func() error{
		"renamed": func() error {
			_, err := b.store.UpdateColumn(b.in(), id, ragasapi.ColumnPatch{Name: &renamed})
			return err
		},
		"added": func() error {
			_, err := b.store.CreateColumn(b.in(), ragasapi.NewColumn{ID: "c", Name: "c", Type: "text"})
			return err
		},
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		v, _ := probe()
		if v == base {
			t.Errorf("a column is %s, the version is the same", what)
		}
		if _, base, err = b.load(t); err != nil || base != v {
			t.Errorf("a column is %s: the load gives %q (%v), the probe gave %q", what, base, err, v)
		}
	}
}

// Our own change of columns and rows leads to the version that a probe finds.
func TestVersionAfterColumnsOfOurs(t *testing.T) {
	b := newBench(t, ragasstore.Switches{}, 3, nil)
	b.backend.AskForColumnsAfter(time.Hour)
	_, base, err := b.load(t)
	if err != nil {
		t.Fatal(err)
	}
	batch := b.batch(base,
		table.Change{Op: table.Update, Key: "r0", Before: []string{"question 0", "0"}, After: []string{"question 0", "0", "x"}},
		table.Change{Op: table.Append, Key: "new", After: []string{"q", "1", "y"}})
	batch.Changes.NewHeader = append(slices.Clone(batch.Changes.NewHeader), "added")
	batch.Changes.Columns = []table.ColumnChange{{Op: table.AddColumn, New: "added", Type: table.Text, Position: 2}}
	var result backends.Result
	calls := b.calls(func() {
		if result, err = b.backend.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	})
	if entry, err := b.backend.Probe(t.Context(), b.ref); err != nil || entry.Version != result.Version || entry.Version == "" {
		t.Errorf("the batch gives %q, a probe %q (%v)", result.Version, entry.Version, err)
	}
	if _, v, err := b.load(t); err != nil || v == base || !strings.HasPrefix(string(result.Version), string(v)) {
		t.Errorf("the batch gives %q, a load %q (%v)", result.Version, v, err)
	}
	// Two lists of columns and the new one, a look, the changed row and its change, the new row.
	if len(calls) > 7 {
		t.Errorf("it took %q", calls)
	}
}
