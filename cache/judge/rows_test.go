package judge_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

const withIDs = "_row_id,q,score,done\nra,one,0.10,True\nrb,two,1,False\nrc,three,,\n"

func typed(t *testing.T) *fixture {
	return rowStore(t, withIDs,
		table.Column{Name: "q", Type: table.Text},
		table.Column{Name: "score", Type: table.Number},
		table.Column{Name: "done", Type: table.Bool})
}

func TestRowsRespelledAreClean(t *testing.T) {
	f := typed(t)
	v := f.saved("_row_id,q,score,done\nra,one,0.1,TRUE\nrb,two,1.0,false\nrc,three,,\n")
	wantState(t, v, judge.Clean)
}

func TestRowsSendKeepsTheStoresSpelling(t *testing.T) {
	f := typed(t)
	v := f.saved("_row_id,q,score,done\nra,ONE,0.1,TRUE\nrb,two,1.0,false\nrc,three,,\n")
	wantCounts(t, v, 0, 1, 0)
	if row := v.Merged.Send.Rows[0]; row.Key != "ra" || !slices.Equal(row.After, []string{"ONE", "0.10", "True"}) {
		t.Fatalf("%+v", row)
	}
}

func TestRowsWithoutIDsAreAligned(t *testing.T) {
	f := typed(t)
	v := f.saved("q,score,done\none,0.1,True\nzwei,1,False\nthree,,\n")
	wantCounts(t, v, 0, 1, 0)
	if v.Merged.Send.Rows[0].Key != "rb" {
		t.Fatalf("%+v", v.Merged.Send.Rows)
	}
}

func TestRowsNewRowGetsAnIDOnce(t *testing.T) {
	f := typed(t)
	buffer := withIDs + ",four,4,\n"
	first := f.saved(buffer)
	wantCounts(t, first, 1, 0, 0)
	id := first.Merged.Send.Rows[0].Key

	f.Reference = table.Content{Source: f.L.Source, Keys: first.Keys}
	second := f.saved(buffer)
	wantCounts(t, second, 1, 0, 0)
	if second.Merged.Send.Rows[0].Key != id {
		t.Fatalf("first %s, then %s", id, second.Merged.Send.Rows[0].Key)
	}
	f.S = table.Content{Source: f.L.Source, Keys: second.Keys} // sent
	f.R = f.S
	wantState(t, f.saved(buffer), judge.Clean)
	wantState(t, f.saved(strings.Replace(buffer, "four,4", "four,5", 1)), judge.Send)
}

func TestRowsUnknownID(t *testing.T) {
	f := typed(t)
	buffer := withIDs + "torn,four,4,\n"
	v := f.saved(buffer)
	wantState(t, v, judge.Invalid)
	if v.Problem.Kind != table.UnknownRowID || v.Problem.Line != 5 {
		t.Fatalf("%v", v.Problem)
	}
	f.Foreign = func(string) table.ForeignKey { return table.ForeignAdopt }
	if v := f.saved(buffer); v.State != judge.Send || v.Merged.Send.Rows[0].Key != "torn" {
		t.Fatal(show(v))
	}
	f.Foreign = func(string) table.ForeignKey { return table.ForeignFresh }
	if v := f.saved(buffer); v.State != judge.Send || v.Merged.Send.Rows[0].Key == "torn" {
		t.Fatal(show(v))
	}
	f.Foreign = nil
	f.Confirmed = true
	if v := f.saved(buffer); v.State != judge.Send || v.Merged.Send.Rows[0].Key == "torn" {
		t.Fatal(show(v))
	}
}

// TestRowsUndoOfADelete: the id of a row that was deleted here, not yet sent,
// and put back is known, though the last judged content lacks it.
func TestRowsUndoOfADelete(t *testing.T) {
	f := typed(t)
	v := f.saved(strings.Replace(withIDs, "rb,two,1,False\n", "", 1))
	wantCounts(t, v, 0, 0, 1)
	f.Reference = table.Content{Source: f.L.Source, Keys: v.Keys}
	wantState(t, f.saved(withIDs), judge.Clean)
}

func TestRowsParked(t *testing.T) {
	f := typed(t)
	buffer := strings.Replace(withIDs, "rb,two,1", "rb,two,7", 1)
	row := f.saved(buffer).Merged.Send.Rows[0]
	f.Parked = map[table.Key]uint64{row.Key: judge.HashCells(row.After)}

	v := f.saved(buffer)
	wantState(t, v, judge.Stuck)
	if len(v.Parked) != 1 || v.Parked[0].Key != "rb" || v.Exact {
		t.Fatal(show(v))
	}
	more := f.saved(buffer + ",four,4,\n")
	wantCounts(t, more, 1, 0, 0) // the rest goes on
	if len(more.Parked) != 1 {
		t.Fatal(show(more))
	}
	changed := f.saved(strings.Replace(withIDs, "rb,two,1", "rb,two,8", 1))
	wantCounts(t, changed, 0, 1, 0) // it has changed: tried again
	if len(changed.Parked) != 0 {
		t.Fatal(show(changed))
	}
}

func TestRowsAccidentalColumns(t *testing.T) {
	f := typed(t)
	v := f.saved("Unnamed: 0,_row_id,q,score,done\n0,ra,one,0.1,True\n1,rb,two,1,False\n2,rc,three,,\n")
	wantState(t, v, judge.Clean)
	if len(v.Warnings) != 1 || !strings.Contains(v.Warnings[0], "Unnamed: 0") {
		t.Fatalf("%q", v.Warnings)
	}
}

func TestRowsEqualByTypeIsNoConflict(t *testing.T) {
	f := typed(t)
	f.stored(strings.Replace(withIDs, "rb,two,1", "rb,two,2.50", 1))
	v := f.saved(strings.Replace(withIDs, "rb,two,1", "rb,two,2.5", 1))
	wantState(t, v, judge.Clean)
}

func TestHashCells(t *testing.T) {
	if got := judge.HashCells([]string{"a", "b"}); got != 0x912394e313b66acf {
		t.Fatalf("%#x: the hash is kept on disk and must not change", got)
	}
	for _, other := range [][]string{{"ab"}, {"ab", ""}, {"", "ab"}, {"a", "b", ""}, nil} {
		if judge.HashCells([]string{"a", "b"}) == judge.HashCells(other) {
			t.Errorf("%q hashes like a,b", other)
		}
	}
}
