package ragasapp_test

import (
	"fmt"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// A text column that holds numbers only is compared by number, until somebody
// writes a text into it: then "007" and "7" are two things.
func TestFirstTextAmongNumbers(t *testing.T) {
	b := newBench(t, ragasstore.Switches{}, 0, nil)
	b.put(t, "r0", "0.50", "0")
	typeOf := func(columns []table.Column) table.Type {
		for _, c := range columns {
			if c.Name == "q" {
				return c.Type
			}
		}
		return ""
	}
	loaded, err := b.backend.Load(t.Context(), b.ref)
	if err != nil {
		t.Fatal(err)
	}
	if got := typeOf(loaded.Columns); got != table.Number {
		t.Errorf("a text column of numbers is compared as %s", got)
	}
	result, err := b.backend.Apply(t.Context(), b.batch(loaded.Version, table.Change{Op: table.Append, Key: "r1", After: []string{"7", "1"}}))
	if err != nil || result.Columns != nil {
		t.Errorf("another number: columns %v, error %v", result.Columns, err)
	}
	result, err = b.backend.Apply(t.Context(), b.batch(result.Version, table.Change{Op: table.Append, Key: "r2", After: []string{"007", "2"}}))
	if err != nil || typeOf(result.Columns) != table.Text {
		t.Errorf("a text: columns %v, error %v", result.Columns, err)
	}
	result, err = b.backend.Apply(t.Context(), b.batch(result.Version, update("r2", []string{"007", "2"}, []string{"7", "2"})))
	if err != nil || result.Outcomes[0].Verdict != backends.Applied {
		t.Errorf("outcome %+v, error %v", result.Outcomes, err)
	}
	row, err := b.store.GetRow(b.in(), "r2")
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range row.Data {
		if string(value) == `"007"` {
			t.Errorf("%s is still %s", key, value)
		}
	}
}

// A big table is given out before all of it is known: what its text columns hold
// is known when the last row was read.
func TestKindsOfABigTable(t *testing.T) {
	b := newBench(t, ragasstore.Switches{MaxPage: 500}, 0, nil)
	for i := range 2100 {
		b.put(t, fmt.Sprint("r", i), `["a", "b"]`, fmt.Sprint(i))
	}
	loaded, err := b.backend.Load(t.Context(), b.ref)
	if err != nil {
		t.Fatal(err)
	}
	columns := loaded.Columns
	if columns[0].Type != table.Text {
		t.Errorf("before the rows are read: %s", columns[0].Type)
	}
	for _, err := range loaded.Rows {
		if err != nil {
			t.Fatal(err)
		}
	}
	if columns[0].Type != table.JSON || columns[1].Type != table.Number {
		t.Errorf("after the rows are read: %s and %s", columns[0].Type, columns[1].Type)
	}
}
