package cache

import (
	"slices"
	"testing"

	"github.com/ragasfs/ragasfs/backends/table"
)

// -o on_conflict decides without asking.
func TestOnConflict(t *testing.T) {
	for name, c := range map[string]struct {
		how  table.Resolution
		want []string
	}{
		"ours":   {table.Ours, []string{"q,a", "1,ein", "2,two", "3,trois"}},
		"theirs": {table.Theirs, []string{"q,a", "1,uno", "2,two", "3,trois"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, func(w *world) { w.config.OnConflict = c.how }, func(t *testing.T, w *world) {
				w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
				text := w.read("qa.csv")
				w.elsewhere("qa.csv", "q,a", "1,uno", "2,two", "3,trois")
				w.write("qa.csv", replaced(text, "1,one", "1,ein"))
				w.settled()
				w.settled()
				w.wantStored("qa.csv", c.want...)
				w.wantShown("qa.csv", c.want...)
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// An edit beats a delete, whoever made which.
func TestEditBeatsDelete(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		text := w.read("qa.csv")
		// Theirs is deleted here, ours is deleted there.
		w.elsewhere("qa.csv", "q,a", "1,uno", "2,two")
		next := slices.DeleteFunc(linesOf(text), func(line string) bool { return line == "1,one" })
		w.write("qa.csv", replaced(joined(next), "3,three", "3,drei"))
		w.settled()
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,uno", "2,two", "3,drei")
		w.wantShown("qa.csv", "q,a", "1,uno", "2,two", "3,drei")
		w.wantState("qa.csv", "clean")
	})
}

// The same edit on both sides is no conflict, and nothing is updated by it.
func TestSameEditOnBothSides(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		text := w.read("qa.csv")
		w.elsewhere("qa.csv", "q,a", "1,ein", "2,two")
		w.write("qa.csv", replaced(text, "1,one", "1,ein"))
		w.settled()
		w.settled()
		w.wantState("qa.csv", "clean")
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two")
		if n := w.c.calls.get().Update; n != 0 {
			t.Errorf("%d rows were updated", n)
		}
	})
}

// Columns come and go on both sides.
func TestColumnsMerge(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.write("qa.csv", "q,a,b\n1,one,x\n2,two,y\n")
		w.settled()
		w.settled()
		w.wantStored("qa.csv", "q,a,b", "1,one,x", "2,two,y")
		w.wantState("qa.csv", "clean")
		w.write("qa.csv", "q,answer,b\n1,one,x\n2,two,y\n") // renamed: same place, same cells
		w.settled()
		w.settled()
		w.wantStored("qa.csv", "q,answer,b", "1,one,x", "2,two,y")
		w.wantState("qa.csv", "clean")
		w.write("qa.csv", "q,answer\n1,one\n2,two\n") // has values: held
		w.settled()
		w.wantState("qa.csv", "held")
		w.wantStored("qa.csv", "q,answer,b", "1,one,x", "2,two,y")
		w.confirm("qa.csv")
		w.settled()
		w.wantStored("qa.csv", "q,answer", "1,one", "2,two")
		w.wantState("qa.csv", "clean")
	})
}

// A file that is renamed onto a table which was never loaded is an edit of it.
func TestSaveOntoNeverLoaded(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.elsewhere("qa.csv", "q,a", "1,one", "2,two", "3,three")
		w.refresh()
		w.replace("qa.csv", "q,a\n1,one\n2,zwei\n3,three\n")
		w.settled()
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,zwei", "3,three")
		w.wantState("qa.csv", "clean")
		rows := 0
		for _, call := range w.gate.made("apply") {
			rows += len(call.batch.Changes.Rows)
		}
		if rows != 1 {
			t.Errorf("%d rows were sent", rows)
		}
	})
}
