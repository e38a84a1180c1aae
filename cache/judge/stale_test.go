package judge_test

import (
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// A program read the table, a colleague's change arrived and was taken in, and
// the program saves what it read: df = read_csv(t); ...; df.to_csv(t).
func stale(t *testing.T, arrived string) *fixture {
	f := documents(t, small)
	f.Later = []judge.Arrival{f.stored(arrived)}
	f.S = f.R
	f.Reference = f.R
	return f
}

func TestStaleSaveKeepsWhatArrived(t *testing.T) {
	for name, arrived := range map[string]string{
		"added row":    small + "four,4\n",
		"first row":    "q,a\nzero,0\none,1\ntwo,2\nthree,3\n",
		"changed cell": strings.Replace(small, "two,2", "two,22", 1),
		"deleted row":  strings.Replace(small, "two,2\n", "", 1),
		"all of it":    "q,a\none,11\nthree,3\nfour,4\n",
		"new column":   "q,a,s\none,1,x\ntwo,2,y\nthree,3,z\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := stale(t, arrived)
			v := f.saved(small)
			wantState(t, v, judge.Clean)
			if v.BytesDiffer {
				t.Fatal("the save is what its writer read: no document need be sent")
			}
			if file, document := f.outcome(v); !sameRows(t, file, arrived) || !sameRows(t, document, arrived) {
				t.Fatalf("file %q, store %q", file, document)
			}
		})
	}
}

func TestStaleSaveWithAnEditOfItsOwn(t *testing.T) {
	for name, test := range map[string]struct{ arrived, merged string }{
		"added row":             {small + "four,4\n", "q,a\nONE,1\ntwo,2\nthree,3\nfour,4\n"},
		"changed cell":          {strings.Replace(small, "two,2", "two,22", 1), "q,a\nONE,1\ntwo,22\nthree,3\n"},
		"other cell of the row": {strings.Replace(small, "one,1", "one,11", 1), "q,a\nONE,11\ntwo,2\nthree,3\n"},
		"deleted row":           {strings.Replace(small, "two,2\n", "", 1), "q,a\nONE,1\nthree,3\n"},
		"deleted the edited":    {strings.Replace(small, "one,1\n", "", 1), "q,a\nONE,1\ntwo,2\nthree,3\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := stale(t, test.arrived)
			v := f.saved(strings.Replace(small, "one,1", "ONE,1", 1))
			wantState(t, v, judge.Send)
			if file, document := f.outcome(v); !sameRows(t, file, test.merged) || !sameRows(t, document, test.merged) {
				t.Fatalf("file %q, store %q", file, document)
			}
		})
	}
}

func TestStaleSaveOfTheSameCellIsAConflict(t *testing.T) {
	f := stale(t, strings.Replace(small, "two,2", "two,theirs", 1))
	v := f.saved(strings.Replace(small, "two,2", "two,ours", 1))
	wantState(t, v, judge.Stuck)
	want := table.Conflict{Key: "#2", Column: "a", Base: "2", Ours: "ours", Theirs: "theirs"}
	if len(v.Merged.Conflicts) != 1 || v.Merged.Conflicts[0] != want {
		t.Fatalf("got %+v", v.Merged.Conflicts)
	}
}

func TestSaveOfAWriterThatKnewMayUndo(t *testing.T) {
	f := stale(t, small+"four,4\n")
	f.Later = nil
	wantCounts(t, f.saved(small), 0, 0, 1)
}

// TestOwnLaterValueIsNoConflict: what was written here after an arrival is ours,
// also where the base of a stale save makes it look like theirs.
func TestOwnLaterValueIsNoConflict(t *testing.T) {
	f := stale(t, strings.Replace(small, "two,2", "two,theirs", 1))
	f.stored(strings.Replace(small, "two,2", "two,settled here", 1)) // sent from here
	f.S, f.Reference = f.R, f.R
	v := f.saved(strings.Replace(small, "two,2", "two,once more", 1))
	wantCounts(t, v, 0, 1, 0)
	if file, document := f.outcome(v); file != document || !strings.Contains(file, "once more") {
		t.Fatalf("file %q, store %q", file, document)
	}
}

func TestManyArrivalsArePutBack(t *testing.T) {
	f := documents(t, small)
	text := small
	temps := 0
	f.Temp = func() (judge.Temp, error) { temps++; return newTemp() }
	for i := range 50 {
		text += strings.Repeat("x", i+1) + ",4\n"
		f.Later = append(f.Later, f.stored(text))
	}
	f.Later = append(f.Later, f.stored(strings.Replace(text, "xxx,4", "xxx,5", 1)))
	f.S = f.R
	v := f.saved(small)
	wantState(t, v, judge.Clean)
	if a, _, _ := v.Merged.Take.Count(); a != 50 {
		t.Fatalf("%d rows come back", a)
	}
	if temps > 2 {
		t.Fatalf("%d copies of the table for arrivals that hardly touch each other", temps)
	}
}

func TestConflict(t *testing.T) {
	setup := func(t *testing.T) *fixture {
		f := documents(t, "q,a,s\none,1,x\ntwo,2,y\n")
		f.stored("q,a,s\none,9,x\ntwo,theirs,y\n")
		return f
	}
	ours := "q,a,s\none,1,x\ntwo,ours,Y\n"
	t.Run("held", func(t *testing.T) {
		f := setup(t)
		v := f.saved(ours)
		wantCounts(t, v, 0, 1, 0) // the other cell of the row goes out
		if len(v.Merged.Conflicts) != 1 || v.Exact {
			t.Fatal(show(v))
		}
		file, document := f.outcome(v)
		if file != "q,a,s\none,9,x\ntwo,ours,Y\n" || document != "q,a,s\none,9,x\ntwo,theirs,Y\n" {
			t.Fatalf("file %q, store %q", file, document)
		}
	})
	for resolution, want := range map[table.Resolution]string{
		table.Ours:   "q,a,s\none,9,x\ntwo,ours,Y\n",
		table.Theirs: "q,a,s\none,9,x\ntwo,theirs,Y\n",
	} {
		f := setup(t)
		f.Resolve = func(table.Conflict) table.Resolution { return resolution }
		v := f.saved(ours)
		wantState(t, v, judge.Send)
		if file, document := f.outcome(v); file != want || document != want || len(v.Merged.Conflicts) != 0 {
			t.Fatalf("resolution %d: file %q, store %q, %+v", resolution, file, document, v.Merged.Conflicts)
		}
	}
}

// TestReplacedRowIsNotMerged: a row that keeps no cell of the one in whose place
// it stands is another row; an edit of the old one elsewhere keeps that too.
func TestReplacedRowIsNotMerged(t *testing.T) {
	f := documents(t, small)
	f.stored(strings.Replace(small, "two,2", "two,theirs", 1))
	v := f.saved(strings.Replace(small, "two,2", "TWO,ours", 1))
	wantState(t, v, judge.Send)
	if _, document := f.outcome(v); !sameRows(t, document, "q,a\none,1\nTWO,ours\ntwo,theirs\nthree,3\n") {
		t.Fatalf("store %q", document)
	}
}

// TestRowAddedAgainStays: a colleague deleted a row, a program that knew added it
// again, and a program that knew neither saves the table as it had been.
func TestRowAddedAgainStays(t *testing.T) {
	f := stale(t, strings.Replace(small, "two,2\n", "", 1))
	f.stored(small)
	f.S, f.Reference = f.R, f.R
	wantState(t, f.saved(small), judge.Clean)
	f.Reference = table.Content{}
	v := f.saved(small)
	wantState(t, v, judge.Clean)
	if file, _ := f.outcome(v); file != small {
		t.Fatalf("file %q", file)
	}
}

// TestConflictLasts: after R is taken in, the conflict is still there, until the
// file shows theirs.
func TestConflictLasts(t *testing.T) {
	f := documents(t, small)
	f.stored(strings.Replace(small, "two,2", "two,theirs", 1))
	first := f.saved(strings.Replace(small, "two,2", "two,ours", 1))
	wantState(t, first, judge.Stuck)
	file, _ := f.outcome(first)

	m := &machine{t: t, store: &remote{t: t, form: f.Form}}
	f.S = m.apply(f.R, first.Agreed)
	f.Reference = table.Content{}
	second := f.saved(file)
	wantState(t, second, judge.Stuck)
	if len(second.Merged.Conflicts) != 1 || second.Merged.Conflicts[0] != first.Merged.Conflicts[0] {
		t.Fatalf("first %+v, then %+v", first.Merged.Conflicts, second.Merged.Conflicts)
	}
	wantState(t, f.saved(strings.Replace(small, "two,2", "two,theirs", 1)), judge.Clean)
}

func TestSameEditOnBothSidesIsNoConflict(t *testing.T) {
	f := documents(t, small)
	both := strings.Replace(small, "two,2", "two,22", 1)
	f.stored(both)
	v := f.saved(both)
	wantState(t, v, judge.Clean)
	if !v.Exact || len(v.Merged.Conflicts) > 0 {
		t.Fatal(show(v))
	}
}

// TestMovedAndEditedRowKeepsItsKey: another row stands alone in its old place.
func TestMovedAndEditedRowKeepsItsKey(t *testing.T) {
	f := documents(t, "q,a,s\none,1,x\ntwo,2,y\nthree,3,z\n")
	v := f.saved("q,a,s\nthree,33,z\ntwo,2,y\n")
	wantCounts(t, v, 0, 1, 1)
	if v.Keys.At(0) != "#3" || v.Keys.At(1) != "#2" {
		t.Fatalf("keys %s %s", v.Keys.At(0), v.Keys.At(1))
	}
}

// TestRowAddedByBothIsOne: a push whose answer was lost, found by a reload.
func TestRowAddedByBothIsOne(t *testing.T) {
	f := documents(t, small)
	f.stored(small + "new,0\nnew,0\n")
	v := f.saved("q,a\nnew,0\n" + strings.TrimPrefix(small, "q,a\n"))
	wantState(t, v, judge.Clean)
	if a, u, d := v.Merged.Take.Count(); a != 1 || u != 0 || d != 0 {
		t.Fatal(show(v))
	}
}

// TestUndoOfADeleteKeepsTheRow: a row that was deleted here and comes back with
// an undo before the delete was sent is the same row.
func TestUndoOfADeleteKeepsTheRow(t *testing.T) {
	f := documents(t, small)
	deleted := f.saved(strings.Replace(small, "two,2\n", "", 1))
	wantCounts(t, deleted, 0, 0, 1)
	f.Reference = table.Content{Source: f.L.Source, Keys: deleted.Keys}
	v := f.saved(small)
	wantState(t, v, judge.Clean)
	if v.Keys.At(1) != "#2" {
		t.Fatalf("the row came back as %s", v.Keys.At(1))
	}
}

// TestSameBufferTwiceAddsNothing: the first save of the new row was sent and
// noted; the buffer, saved again, adds nothing.
func TestSameBufferTwiceAddsNothing(t *testing.T) {
	buffer := "q,a\nnew,0\n" + strings.TrimPrefix(small, "q,a\n")
	f := documents(t, small)
	first := f.saved(buffer)
	wantCounts(t, first, 1, 0, 0)
	f.S = table.Content{Source: f.L.Source, Keys: first.Keys}
	f.R, f.Reference = f.S, f.S
	wantState(t, f.saved(buffer), judge.Clean)
}

func TestStoreThatIsNoTable(t *testing.T) {
	f := rowStore(t, "_row_id,q\nra,one\n")
	f.R = table.Content{Source: strings.NewReader("")}
	v := f.saved("_row_id,q\nra,ONE\n")
	wantState(t, v, judge.Held)
	if v.Rule != 0 || v.Reason == "" {
		t.Fatal(show(v))
	}
}

func sameRows(t *testing.T, a, b string) bool {
	t.Helper()
	return sameTable(parse(t, []byte(a)), parse(t, []byte(b)))
}
