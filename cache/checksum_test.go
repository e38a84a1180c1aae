package cache

import (
	"bytes"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// rot changes a byte of what file and store last agreed on, as a bad disk does.
func (w *world) rot(name, old, now string) {
	w.t.Helper()
	changeAtRest(w.t, w.contentOf(name, func(r *record) content { return r.S }), func(data []byte) []byte {
		if !bytes.Contains(data, []byte(old)) {
			w.t.Fatalf("%q is not in %q", old, data)
		}
		return bytes.ReplaceAll(data, []byte(old), []byte(now))
	})
}

// What was agreed on has rotted. It is loaded again before a save is compared
// with it: nothing goes out but what was edited. Where the store can't tell that it
// is still at the same version, the save waits for a person.
func TestAgreedContentRots(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		if w.form == backends.Rows { // rows without ids are known by their cells only
			w.replace("qa.csv", "q,a\n1,one\n2,two\n3,three\n")
			w.settled()
		}
		w.replace("qa.csv", "q,a\n1,ein\n2,two\n3,three\n")
		w.rot("qa.csv", "2,two", "?,???")
		w.gate.set(func(g *gate) { g.calls = nil })
		w.settled()
		w.after(maxBackoff)
		if v := w.table("qa.csv").rec.Version; w.form == backends.Rows && v == "" {
			w.wantState("qa.csv", "held")
			w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three")
			w.confirm("qa.csv")
			w.settled()
		}
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
		w.wantState("qa.csv", "clean")
		for _, call := range w.gate.made("apply") {
			for _, c := range call.batch.Changes.Rows {
				if !strings.Contains(strings.Join(c.After, ","), "ein") {
					t.Errorf("sent: %+v", c)
				}
			}
		}
	})
}

// The same when something came in from elsewhere: that did not change what has
// rotted.
func TestRottenContentIsNoArrival(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		w.elsewhere("qa.csv", "q,a", "1,uno", "2,two", "3,three")
		w.rot("qa.csv", "2,two", "?,???")
		must(t, w.c.Refresh(t.Context(), ""))
		w.settled()
		w.wantShown("qa.csv", "q,a", "1,uno", "2,two", "3,three")
		w.wantStored("qa.csv", "q,a", "1,uno", "2,two", "3,three")
		w.wantState("qa.csv", "clean")
	})
}

// Every content that is agreed on has a checksum, and the right one, whatever it
// came from.
func TestChecksums(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		check := func(when string) {
			t.Helper()
			x := w.table("qa.csv")
			x.mu.Lock()
			s, r := x.rec.S, x.rec.R
			x.mu.Unlock()
			for _, c := range []content{s, r} {
				src, err := x.openContent(c)
				must(t, err)
				sum, err := checksum(0).extend(src, 0)
				src.close()
				must(t, err)
				if sum != c.Sum {
					t.Errorf("%s: checksum %x of %+v", when, sum, c)
				}
			}
		}
		w.have("qa.csv", "q,a", "1,one", "2,two")
		check("loaded")
		w.addRow("qa.csv", "3,three")
		w.settled()
		check("growth")
		w.addRow("qa.csv", "4,four")
		w.settled()
		check("growth again")
		w.write("qa.csv", replaced(w.read("qa.csv"), "1,one", "1,ein"))
		w.settled()
		check("an edit")
		w.elsewhere("qa.csv", "q,a", "1,ein", "2,two", "3,drei", "4,four")
		w.write("qa.csv", replaced(w.read("qa.csv"), "2,two", "2,zwei"))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,ein", "2,zwei", "3,drei", "4,four")
		check("a merge")
		w.replace("qa.csv", "q,a\n1,ein\n2,zwei\n3,drei\n4,four\n5,five\n")
		w.settled()
		check("a rename")
		w.crash()
		w.addRow("qa.csv", "6,six")
		w.settled()
		w.wantState("qa.csv", "clean")
		check("after a crash")
	})
}
