package cache

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
)

// inBubblesWith is inBubbles with n other programs.
func inBubblesWith(t *testing.T, n int, test func(t *testing.T, w *world, who []Caller)) {
	who := people(t, n)
	inBubbles(t, nil, func(t *testing.T, w *world) { test(t, w, who) })
}

// readBy is what a program reads.
func (w *world) readBy(name string, who Caller) string {
	w.t.Helper()
	p := w.start(name, syscall.O_RDONLY, who)
	defer p.h.Release()
	return p.read()
}

// A program that saves what it read before a colleague's changes came in does not
// undo them: neither a new row, nor a deleted one, nor a changed cell.
func TestStaleWriterUndoesNothing(t *testing.T) {
	inBubblesWith(t, 1, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		old := w.readBy("qa.csv", who[0])
		w.elsewhere("qa.csv", "q,a", "1,uno", "2,two", "3,three", "4,quatre")
		w.refresh()
		w.wantShown("qa.csv", "q,a", "1,uno", "2,two", "3,three", "4,quatre")
		w.after(time.Hour)
		must(t, w.put("qa.csv", replaced(old, "2,two", "2,zwei"), truncating, who[0]))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,uno", "2,zwei", "3,three", "4,quatre")
		w.wantShown("qa.csv", "q,a", "1,uno", "2,zwei", "3,three", "4,quatre")
		w.wantState("qa.csv", "clean")
	})
}

// A row that a colleague deleted does not come back by it.
func TestStaleWriterRevivesNothing(t *testing.T) {
	inBubblesWith(t, 1, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		old := w.readBy("qa.csv", who[0])
		w.elsewhere("qa.csv", "q,a", "1,one", "2,two")
		w.refresh()
		w.wantShown("qa.csv", "q,a", "1,one", "2,two")
		must(t, w.put("qa.csv", replaced(old, "2,two", "2,zwei"), truncating, who[0]))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,zwei")
		w.wantState("qa.csv", "clean")
	})
}

// Who has read the changes, and nothing older, may undo them.
func TestKnowingWriterMayUndo(t *testing.T) {
	inBubblesWith(t, 2, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		old := w.readBy("qa.csv", who[0])
		w.elsewhere("qa.csv", "q,a", "1,one", "2,two", "3,trois")
		w.refresh()
		if w.readBy("qa.csv", who[1]) == old {
			t.Fatal("the arrival is not shown")
		}
		must(t, w.put("qa.csv", old, truncating, who[1]))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
		w.wantState("qa.csv", "clean")
	})
}

// Guard (f): it puts back all that just came in, and its writer had read the
// table both before and after, or never.
func TestUndoOfArrivalIsHeld(t *testing.T) {
	cases := map[string]func(w *world, who Caller){
		"never read it":         func(*world, Caller) {},
		"read before and after": func(w *world, who Caller) { w.readBy("qa.csv", who) },
	}
	for name, before := range cases {
		t.Run(name, func(t *testing.T) {
			inBubblesWith(t, 2, func(t *testing.T, w *world, who []Caller) {
				w.have("qa.csv", "q,a", "1,one", "2,two")
				old := w.readBy("qa.csv", who[1])
				before(w, who[0])
				w.elsewhere("qa.csv", "q,a", "1,uno", "2,two")
				w.refresh()
				before(w, who[0])
				must(t, w.put("qa.csv", old, truncating, who[0]))
				w.settled()
				w.wantState("qa.csv", "held")
				w.wantStored("qa.csv", "q,a", "1,uno", "2,two")
				w.wantShown("qa.csv", "q,a", "1,one", "2,two")
				w.discard("qa.csv")
				w.wantShown("qa.csv", "q,a", "1,uno", "2,two")
				w.wantState("qa.csv", "clean")

				must(t, w.put("qa.csv", old, truncating, who[0]))
				w.settled()
				w.wantState("qa.csv", "held")
				w.confirm("qa.csv")
				w.settled()
				w.wantStored("qa.csv", "q,a", "1,one", "2,two")
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// Between programs of this machine the last save wins.
func TestLocalUndoIsNotHeld(t *testing.T) {
	inBubblesWith(t, 2, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		old := w.readBy("qa.csv", who[0])
		must(t, w.put("qa.csv", replaced(old, "2,two", "2,zwei"), truncating, who[1]))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,zwei")
		must(t, w.put("qa.csv", old, truncating, who[0]))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
		w.wantState("qa.csv", "clean")
	})
}

// What a program has read is known after a restart of ragasfs too.
func TestStaleWriterAfterRestart(t *testing.T) {
	inBubblesWith(t, 1, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		old := w.readBy("qa.csv", who[0])
		w.elsewhere("qa.csv", "q,a", "1,one", "2,two", "3,trois")
		w.refresh()
		w.crash()
		must(t, w.put("qa.csv", replaced(old, "2,two", "2,zwei"), truncating, who[0]))
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,zwei", "3,trois")
	})
}

// An editor that has the file open sees no change in it.
func TestOpenFileKeepsItsContent(t *testing.T) {
	inBubblesWith(t, 1, func(t *testing.T, w *world, who []Caller) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		p := w.start("qa.csv", syscall.O_RDONLY, who[0])
		before := p.read()
		w.elsewhere("qa.csv", "q,a", "1,uno", "2,two")
		w.refresh()
		w.wantShown("qa.csv", "q,a", "1,uno", "2,two")
		if now := p.read(); now != before {
			t.Errorf("an open file changes from\n%q to\n%q", before, now)
		}
		p.h.Release()
	})
}

// A table in use is looked at every ttl; what changed elsewhere shows by itself.
// An editor's marker keeps it away.
func TestChangesShowByThemselves(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.elsewhere("qa.csv", "q,a", "1,uno")
		w.after(2 * 5 * time.Second)
		w.wantShown("qa.csv", "q,a", "1,uno")

		must(t, w.put(".qa.csv.swp", "x", truncating, me()))
		w.elsewhere("qa.csv", "q,a", "1,ein")
		w.after(time.Minute)
		w.wantShown("qa.csv", "q,a", "1,uno")
		must(t, w.c.Unlink(t.Context(), datasets, ".qa.csv.swp", me()))
		w.after(time.Minute)
		w.wantShown("qa.csv", "q,a", "1,ein")
	})
}

// A table that nobody uses costs no calls.
func TestUnusedTableCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Rows, memory.Options{})
		w.open()
		w.have("qa.csv", "q,a", "1,one")
		w.after(inUse + time.Minute)
		w.gate.set(func(g *gate) { g.tries = nil })
		w.after(time.Hour)
		if tries := w.gate.tried("load", "probe", "list", "apply"); len(tries) > 0 {
			t.Errorf("%d calls in an hour of which nobody uses the table", len(tries))
		}
	})
}

// While nothing changes in the store the file stays the same, also where only a
// reload can tell, and nothing goes to history.
func TestNothingNewChangesNothing(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.write("qa.csv", "q,a\n2,two\n1,ein\n")
		w.settled()
		attr, text, versions := w.attr("qa.csv"), w.readBy("qa.csv", Caller{}), len(w.kept("qa.csv"))
		p := w.start("qa.csv", syscall.O_RDONLY, Caller{}) // an editor: in use, and ids are not shown under it
		w.after(5 * time.Minute)
		if now := w.attr("qa.csv"); now != attr {
			t.Errorf("stat showed %+v and shows %+v", attr, now)
		}
		if now := w.readBy("qa.csv", Caller{}); now != text {
			t.Errorf("it held\n%q and holds\n%q", text, now)
		}
		if n := len(w.kept("qa.csv")); n != versions {
			t.Errorf("%d versions went to history", n-versions)
		}
		p.h.Release()
	})
}

// With ttl=0 every open asks, and a table in use is asked about a few times a
// second, not as fast as the machine can.
func TestNoTTL(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.TTL = 1 }, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.readBy("qa.csv", Caller{})
		w.gate.set(func(g *gate) { g.calls = nil })
		w.after(time.Second)
		calls := 0
		w.gate.set(func(g *gate) { calls = len(g.calls) })
		if calls > 20 {
			t.Errorf("%d calls in a second", calls)
		}
		w.elsewhere("qa.csv", "q,a", "1,uno")
		w.readBy("qa.csv", Caller{})
		w.after(2 * time.Second) // a check that costs a reload waits for its turn
		w.wantShown("qa.csv", "q,a", "1,uno")
	})
}
