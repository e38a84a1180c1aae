package cache

import (
	"errors"
	"path"
	"testing"
)

// The status of a save that is held or invalid tells how many rows it would send.
func TestHeldAndInvalidAreCounted(t *testing.T) {
	none := PendingRows{}
	cases := []struct {
		name, state, save string
		want              PendingRows
	}{
		{"no row is left", "held", "q,a,b\n", PendingRows{Delete: 3}},
		{"a column is gone", "held", "q,a\n1,one\n2,zwei\n3,three\n4,four\n", PendingRows{Append: 1, Update: 3, Columns: 1}},
		{"another header", "invalid", "x,y,z\n1,2,3\n", PendingRows{Update: 1, Delete: 2, Columns: 6}},
		{"no table", "invalid", "q,a,b\n1,\"one\n2,two\"x,\n", none},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubbles(t, nil, func(t *testing.T, w *world) {
				have := []string{"q,a,b", "1,one,x", "2,two,x", "3,three,x"}
				w.have("qa.csv", have...)
				if err := w.put("qa.csv", c.save, truncating, me()); err != nil && !errors.Is(err, ErrInvalid) {
					t.Errorf("close: %v", err)
				}
				w.settled()
				s, err := w.c.Status(path.Join(datasets, "qa.csv"))
				must(t, err)
				if got := s.Tables[0]; got.State != c.state || got.Pending != c.want {
					t.Errorf("%s %+v, not %s %+v", got.State, got.Pending, c.state, c.want)
				}
				if s.Pending.Rows != c.want.Append+c.want.Update+c.want.Delete {
					t.Errorf("%d rows are pending in all", s.Pending.Rows)
				}
				w.wantStored("qa.csv", have...)
				w.discard("qa.csv")
				s, err = w.c.Status(path.Join(datasets, "qa.csv"))
				must(t, err)
				if got := s.Tables[0]; got.State != "clean" || got.Pending != none {
					t.Errorf("after discard: %s %+v", got.State, got.Pending)
				}
			})
		})
	}
}
