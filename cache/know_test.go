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
