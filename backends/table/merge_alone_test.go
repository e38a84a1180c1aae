package table

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestLawMergeAlone: the short way of a merge gives what the long way gives.
func TestLawMergeAlone(t *testing.T) {
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawMerging(t, rapid.Bool().Draw(t, "columns"))
		theirs := m.their
		if rapid.IntRange(0, 4).Draw(t, "both") > 0 {
			theirs = Changes{}
			if rapid.Bool().Draw(t, "header") {
				theirs = Changes{OldHeader: m.our.OldHeader, NewHeader: m.our.OldHeader}
			}
		}
		short, alone := mergeAlone(m.our, theirs)
		if !alone {
			return
		}
		taken++
		long := mergeBoth(m.our, theirs, func(Conflict) Resolution { return Hold }, func(_, a, b string) bool { return a == b })
		for name, pair := range map[string][2]Changes{
			"send": {short.Send, long.Send}, "take": {short.Take, long.Take}, "document": {short.Document, long.Document},
		} {
			got, want := pair[0], pair[1]
			if show(got) != show(want) || !reflect.DeepEqual(got.OldHeader, want.OldHeader) || !reflect.DeepEqual(got.NewHeader, want.NewHeader) {
				t.Fatalf("%s is\n%s%q %q\nnot\n%s%q %q", name, show(got), got.OldHeader, got.NewHeader, show(want), want.OldHeader, want.NewHeader)
			}
			for i := range got.Rows {
				if got.Rows[i].Key != want.Rows[i].Key || got.Rows[i].Prev != want.Rows[i].Prev {
					t.Fatalf("%s: row %d is %v, not %v", name, i, got.Rows[i], want.Rows[i])
				}
			}
		}
		if len(long.Conflicts) > 0 {
			t.Fatalf("alone, and in conflict: %v", long.Conflicts)
		}
	})
	if taken < 10 {
		t.Errorf("the short way was taken %d times only", taken)
	}
}
