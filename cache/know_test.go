package cache

import "testing"

// TestKnown: what counts is what a program read last; what it read both with and
// without an arrival is in doubt; who never read knows what is shown, with doubt.
func TestKnown(t *testing.T) {
	const newest = 5
	cases := []struct {
		name         string
		seen         []knowledge
		before       uint64
		known, doubt int64
	}{
		{"never opened", nil, 10, newest, 1},
		{"once", []knowledge{{1, 3}}, 10, 3, 0},
		{"before and after", []knowledge{{1, 2}, {2, 4}}, 10, 4, 3},
		{"an older content last", []knowledge{{1, 4}, {2, 1}}, 10, 1, 0},
		{"only what was read before it was created", []knowledge{{1, 2}, {7, 4}}, 3, 2, 0},
		{"opened after it was created", []knowledge{{7, 4}}, 3, newest, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			table := &Table{id: "r1"}
			k := &knower{known: map[knowKey][]knowledge{{"r1", "1/2"}: c.seen}}
			known, doubt := k.of(table, "1/2", c.before, newest)
			if known != c.known || doubt != c.doubt {
				t.Errorf("known %d, doubt %d; want %d, %d", known, doubt, c.known, c.doubt)
			}
		})
	}
}

// What was read just before the cache was closed is known to the next.
func TestKnownAfterClose(t *testing.T) {
	inBubblesWith(t, 1, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one")
		for range 20 {
			w.readBy("qa.csv", who[0])
			id, seen := w.table("qa.csv").id, w.table("qa.csv").rec.L.Arrival
			w.reopen()
			known, doubt := w.c.know.of(w.table("qa.csv"), processOf(who[0].TID), ^uint64(0), seen+1)
			if known != seen || !w.c.know.isKnown(id) {
				t.Fatalf("it had read arrival %d, known are %d and %d", seen, known, doubt)
			}
			w.elsewhere("qa.csv", "q,a", "1,"+newRowID())
			w.refresh()
		}
	})
}
