package cache

import (
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// inRowStores runs a test over stores of rows, which give rows ids.
func inRowStores(t *testing.T, test func(t *testing.T, w *world)) {
	for name, versionless := range map[string]bool{"with versions": false, "without versions": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, backends.Rows, memory.Options{Versionless: versionless})
				w.open()
				test(t, w)
			})
		})
	}
}

// ids are the ids in the store, by the first cell.
func (w *world) ids(name string) map[string]string {
	w.t.Helper()
	loaded, err := w.memory.Load(w.t.Context(), w.ref(name))
	must(w.t, err)
	ids := map[string]string{}
	for row, err := range loaded.Rows {
		must(w.t, err)
		ids[row.Cells[0].Text] = row.ID
	}
	must(w.t, loaded.Close())
	return ids
}

// rowsSent are the changes of rows that were sent since the last call.
func (w *world) rowsSent() (changes []table.Change) {
	for _, call := range w.gate.made("apply") {
		changes = append(changes, call.batch.Changes.Rows...)
	}
	w.gate.set(func(g *gate) { g.calls = nil })
	return changes
}

// A buffer without ids that is saved again adds nothing, however often; what is
// changed in it is changed in the store.
func TestBufferWithoutIDsIsSavedAgain(t *testing.T) {
	inRowStores(t, func(t *testing.T, w *world) {
		w.write("qa.csv", "q,a\n1,one\n2,two\n")
		w.settled()
		w.settled()
		ids := w.ids("qa.csv")
		w.rowsSent()
		w.write("qa.csv", "q,a\n1,one\n2,two\n")
		w.settled()
		w.write("qa.csv", "q,a\n2,two\n1,one\n3,three\n")
		w.settled()
		w.write("qa.csv", "q,a\n2,zwei\n1,one\n3,three\n")
		w.settled()
		sent := w.rowsSent()
		if len(sent) != 2 || sent[0].Op != table.Append || sent[1].Op != table.Update {
			t.Errorf("sent: %+v", sent)
		}
		now := w.ids("qa.csv")
		if now["1"] != ids["1"] || now["2"] != ids["2"] {
			t.Errorf("ids were %v and are %v", ids, now)
		}
		w.crash()
		w.write("qa.csv", "q,a\n2,zwei\n1,one\n3,drei\n")
		w.settled()
		if sent := w.rowsSent(); len(sent) != 1 || string(sent[0].Key) != now["3"] {
			t.Errorf("sent after a crash: %+v", sent)
		}
	})
}

// Ids that were assigned show at a later open, never while somebody has the file
// open, and no row is changed by that.
func TestAssignedIDsShow(t *testing.T) {
	inRowStores(t, func(t *testing.T, w *world) {
		w.write("qa.csv", "q,a\n1,one\n2,two\n")
		p := w.start("qa.csv", syscall.O_RDONLY, me())
		w.after(time.Minute)
		if text := p.read(); strings.Contains(text, table.RowIDColumn) {
			t.Errorf("under an open file: %q", text)
		}
		if text := w.read("qa.csv"); strings.Contains(text, table.RowIDColumn) {
			t.Errorf("while another has it open: %q", text)
		}
		p.h.Release()
		w.after(time.Minute)
		text := w.read("qa.csv")
		for q, id := range w.ids("qa.csv") {
			if !strings.Contains(text, id+","+q+",") {
				t.Errorf("%s of row %s is not in %q", id, q, text)
			}
		}
		w.rowsSent()
		w.write("qa.csv", text)
		w.settled()
		if sent := w.rowsSent(); len(sent) > 0 {
			t.Errorf("sent: %+v", sent)
		}
	})
}

// A copy of a table has rows of its own.
func TestCopyHasIDsOfItsOwn(t *testing.T) {
	inRowStores(t, func(t *testing.T, w *world) {
		w.have("a.csv", "q,a", "1,one", "2,two")
		w.write("b.csv", w.read("a.csv"))
		w.settled()
		w.settled()
		w.wantStored("b.csv", "q,a", "1,one", "2,two")
		a, b := w.ids("a.csv"), w.ids("b.csv")
		if a["1"] == b["1"] || a["2"] == b["2"] || b["1"] == "" {
			t.Errorf("a has %v, b %v", a, b)
		}
		w.wantState("b.csv", "clean")
	})
}

// An id is durable before it is used: what is sent again after a kill has the same.
func TestIDsAreDurable(t *testing.T) {
	inRowStores(t, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		var first []table.Change
		w.gate.set(func(g *gate) {
			g.before = func(verb string, _ backends.Ref) error {
				if verb != "apply" || w.dead.Load() {
					return nil
				}
				for _, call := range w.gate.tried("apply") {
					first = append(first, call.batch.Changes.Rows...)
				}
				w.kill0()
				return unreachable()
			}
		})
		w.addRow("qa.csv", "2,two")
		w.addRow("qa.csv", "3,three")
		w.settled()
		w.close()
		w.gate.heal()
		w.rowsSent()
		w.open()
		w.after(time.Minute)
		again := w.rowsSent()
		if len(first) != 2 || len(again) != 2 || first[0].Key != again[0].Key || first[1].Key != again[1].Key {
			t.Errorf("sent first %+v and then %+v", first, again)
		}
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three")
	})
}

// Of an id that is there twice the first row keeps it, the other is new; an id
// that can't be one of this table is an error.
func TestRepeatedAndStrangeIDs(t *testing.T) {
	inRowStores(t, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		ids := w.ids("qa.csv")
		w.write("qa.csv", "_row_id,q,a\n"+ids["1"]+",1,one\n"+ids["1"]+",1b,one\n"+ids["2"]+",2,two\n")
		w.settled()
		now := w.ids("qa.csv")
		if len(now) != 3 || now["1"] != ids["1"] || now["2"] != ids["2"] || now["1b"] == "" {
			t.Errorf("ids were %v and are %v", ids, now)
		}
		w.wantState("qa.csv", "clean")
		err := w.put("qa.csv", "_row_id,q,a\n"+ids["1"]+",1,one\nno id of ours,9,nine\n", truncating, me())
		w.settled()
		if w.state("qa.csv") != "invalid" {
			t.Errorf("a strange id: %v, %s", err, w.state("qa.csv"))
		}
	})
}
