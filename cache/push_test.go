package cache

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// holdUp lets the next call of the verb stand still before it reaches the store.
func (g *gate) holdUp(verb string) (letGo func()) {
	open := make(chan struct{})
	g.during(verb, func() { <-open })
	return func() { close(open) }
}

// A push works on a frozen content: whatever is written while it is under way is
// the next push.
func TestWritesDuringPush(t *testing.T) {
	ways := map[string]func(w *world){
		"in place":     func(w *world) { w.write("qa.csv", "q,a\n1,uno\n2,two\n3,three\n4,cuatro\n") },
		"below S only": func(w *world) { w.overwrite("qa.csv", "1,ein", "1,uno"); w.addRow("qa.csv", "4,cuatro") },
		"by rename":    func(w *world) { w.replace("qa.csv", "q,a\n1,uno\n2,two\n3,three\n4,cuatro\n") },
	}
	for name, save := range ways {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, nil, func(t *testing.T, w *world) {
				w.have("qa.csv", "q,a", "1,one", "2,two")
				w.write("qa.csv", "q,a\n1,ein\n2,two\n")
				w.settled()
				w.wantState("qa.csv", "clean")
				letGo := w.gate.holdUp("apply")
				w.addRow("qa.csv", "3,three")
				w.settled()
				w.wantState("qa.csv", "pushing")
				save(w)
				letGo()
				synctest.Wait()
				w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
				w.wantShown("qa.csv", "q,a", "1,uno", "2,two", "3,three", "4,cuatro")
				w.settled()
				w.wantStored("qa.csv", "q,a", "1,uno", "2,two", "3,three", "4,cuatro")
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// overwrite writes over bytes in place, without truncating.
func (w *world) overwrite(name, old, now string) {
	w.t.Helper()
	at := strings.Index(w.read(name), old)
	p := w.start(name, writeOnly, me())
	p.off = int64(at)
	p.write(now)
	p.close()
}

// A file that is written below what is being sent while it is sent: what was
// frozen is sent.
func TestSentContentIsFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Documents, memory.Options{})
		w.open()
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.gate.during("apply", func() { w.overwrite("qa.csv", "1,ein", "1,uno") })
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.settled()
		if got := w.gate.made("apply"); len(got) != 1 {
			t.Fatalf("%d pushes", len(got))
		}
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two")
		w.wantShown("qa.csv", "q,a", "1,uno", "2,two")
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,uno", "2,two")
	})
}

// ragasfs is killed while a push is under way: not applied, or applied; a
// colleague has changed something else since. What was saved is there once, and so
// is what the colleague did.
func TestKilledDuringPush(t *testing.T) {
	type killed struct {
		name    string
		happens bool
		after   func(w *world)
		want    []string
	}
	mine := []string{"q,a", "1,ein", "2,two", "3,three", "4,four", "5,five"}
	cases := []killed{
		{"not applied", false, func(*world) {}, mine},
		{"applied", true, func(*world) {}, mine},
		{"applied and another row changed since", true, func(w *world) {
			w.elsewhere("qa.csv", "q,a", "1,ein", "2,deux", "3,three", "4,four", "5,five")
		}, []string{"q,a", "1,ein", "2,deux", "3,three", "4,four", "5,five"}},
		{"not applied and another row changed since", false, func(w *world) {
			w.elsewhere("qa.csv", "q,a", "1,one", "2,deux", "3,three")
		}, []string{"q,a", "1,ein", "2,deux", "3,three", "4,four", "5,five"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			inBubbles(t, nil, func(t *testing.T, w *world) {
				w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
				w.write("qa.csv", "q,a\n1,ein\n2,two\n3,three\n4,four\n5,five\n")
				w.killedAtPush(c.happens)
				c.after(w)
				w.open()
				w.after(2 * maxBackoff)
				w.wantStored("qa.csv", c.want...)
				w.wantShown("qa.csv", c.want...)
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// A row of the push was changed since. A store of rows can't tell whether the push
// came first: both values stand. Of a document it is seen what it was made of.
func TestKilledDuringPushAndSameRow(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		w.write("qa.csv", "q,a\n1,ein\n2,two\n3,three\n4,four\n5,five\n")
		w.killedAtPush(true)
		theirs := []string{"q,a", "1,uno", "2,two", "3,three", "4,four", "5,five"}
		w.elsewhere("qa.csv", theirs...)
		w.open()
		w.after(2 * maxBackoff)
		w.wantStored("qa.csv", theirs...)
		if w.form == backends.Documents {
			w.wantShown("qa.csv", theirs...)
			w.wantState("qa.csv", "clean")
			return
		}
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two", "3,three", "4,four", "5,five")
		w.wantState("qa.csv", "conflict")
	})
}

// killedAtPush kills ragasfs during the push of what was just saved. The cache
// is closed.
func (w *world) killedAtPush(happens bool) {
	w.t.Helper()
	kill := func(verb string, _ backends.Ref) error {
		if verb != "apply" || w.dead.Load() {
			return nil
		}
		w.kill0()
		return unreachable()
	}
	w.gate.set(func(g *gate) {
		if happens {
			g.after = kill
		} else {
			g.before = kill
		}
	})
	w.settled()
	if !w.dead.Load() {
		w.t.Fatal("there was no push")
	}
	w.close()
	w.gate.heal()
}

// kill0 is kill from inside a call of the cache: the cache is closed later.
func (w *world) kill0() {
	w.dead.Store(true)
	w.stateDir = w.image()
}

// Half of a push is in the store when ragasfs is killed: only the other half is
// sent again.
func TestKilledHalfWay(t *testing.T) {
	for _, versionless := range []bool{false, true} {
		t.Run(fmt.Sprintf("versionless %v", versionless), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, backends.Rows, memory.Options{Versionless: versionless})
				w.open()
				w.have("qa.csv", many(10)...)
				batches := 0
				w.gate.set(func(g *gate) {
					g.before = func(verb string, _ backends.Ref) error {
						if verb != "apply" {
							return nil
						}
						if batches++; batches == 2 {
							w.kill0()
							return unreachable()
						}
						return nil
					}
				})
				lines := many(2500)
				w.write("qa.csv", joined(lines))
				w.after(time.Minute)
				if !w.dead.Load() {
					t.Fatal("there was no second batch")
				}
				w.close()
				w.gate.heal()
				if n := len(w.stored("qa.csv")); n != 1011 {
					t.Fatalf("the store holds %d lines of the first half", n)
				}
				w.wantSent(1)
				w.open()
				w.after(2 * maxBackoff)
				w.wantStored("qa.csv", lines...)
				sent := 0
				for _, call := range w.gate.made("apply") {
					sent += len(call.batch.Changes.Rows)
				}
				if sent != 1490 {
					t.Errorf("%d rows were sent after the kill, not 1490", sent)
				}
			})
		})
	}
}

// refuseRows lets the store refuse rows with the word in them.
func (w *world) refuseRows(word string) {
	w.memory.SetHooks(memory.Hooks{Row: func(_ backends.Ref, c table.Change) error {
		if word != "" && strings.Contains(strings.Join(c.After, ","), word) {
			return fmt.Errorf("%q is not allowed here: %w", word, backends.ErrRefused)
		}
		return nil
	}})
}

// A row that the store refuses waits, with the store's words; the others go out.
func TestRefusedRow(t *testing.T) {
	for _, versionless := range []bool{false, true} {
		t.Run(fmt.Sprintf("versionless %v", versionless), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, backends.Rows, memory.Options{Versionless: versionless})
				w.open()
				w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
				w.refuseRows("bad")
				w.write("qa.csv", "q,a\n1,bad\n2,zwei\n3,three\n4,bad\n5,five\n")
				w.settled()
				w.wantStored("qa.csv", "q,a", "1,one", "2,zwei", "3,three", "5,five")
				w.wantState("qa.csv", "rejected")
				s, err := w.c.Status(path.Join(datasets, "qa.csv"))
				must(t, err)
				if got := s.Tables[0]; !strings.Contains(got.Error, "is not allowed here") || !strings.HasPrefix(got.Reason, "2 rows") {
					t.Errorf("status: %+v", got)
				}
				w.wantSent(1)
				w.after(time.Hour)
				w.wantSent(0) // not tried again by itself
				w.wantShown("qa.csv", "q,a", "1,bad", "2,zwei", "3,three", "4,bad", "5,five")

				// Another edit goes out, and does not try the others.
				w.write("qa.csv", replaced(w.read("qa.csv"), "2,zwei", "2,deux"))
				w.settled()
				w.wantStored("qa.csv", "q,a", "1,one", "2,deux", "3,three", "5,five")
				w.wantState("qa.csv", "rejected")

				// One of them is changed.
				w.write("qa.csv", replaced(w.read("qa.csv"), "1,bad", "1,good"))
				w.settled()
				w.wantStored("qa.csv", "q,a", "1,good", "2,deux", "3,three", "5,five")
				w.wantState("qa.csv", "rejected")

				// The store has changed its mind.
				if err := w.c.Flush(t.Context(), nil, true, nil); !errors.Is(err, ErrPending) {
					t.Errorf("retry of what is still refused: %v", err)
				}
				w.wantState("qa.csv", "rejected")
				w.refuseRows("")
				must(t, w.c.Flush(t.Context(), nil, true, nil))
				w.wantStored("qa.csv", "q,a", "1,good", "2,deux", "3,three", "4,bad", "5,five")
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// A mount tries what was refused once more; deleting the row ends it; discard
// takes what the store has.
func TestRefusedRowEnds(t *testing.T) {
	ends := map[string]struct {
		end  func(w *world)
		want []string
	}{
		"next mount": {func(w *world) { w.refuseRows(""); w.reopen(); w.settled() }, []string{"q,a", "1,one", "2,two", "3,bad"}},
		"after a crash": {func(w *world) { w.refuseRows(""); w.crash(); w.settled() },
			[]string{"q,a", "1,one", "2,two", "3,bad"}},
		"deleted": {func(w *world) {
			var lines []string
			for line := range strings.Lines(w.read("qa.csv")) {
				if !strings.Contains(line, "bad") {
					lines = append(lines, line)
				}
			}
			w.write("qa.csv", strings.Join(lines, ""))
			w.settled()
		}, []string{"q,a", "1,one", "2,two"}},
		"discarded": {func(w *world) { w.discard("qa.csv") }, []string{"q,a", "1,one", "2,two"}},
	}
	for name, c := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, backends.Rows, memory.Options{})
				w.open()
				w.have("qa.csv", "q,a", "1,one", "2,two")
				w.refuseRows("bad")
				w.addRow("qa.csv", "3,bad")
				w.settled()
				w.wantState("qa.csv", "rejected")
				c.end(w)
				w.wantStored("qa.csv", c.want...)
				w.wantShown("qa.csv", c.want...)
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// A batch that the store refuses as a whole is tried again, and told.
func TestRefusedBatch(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.gate.fail(fmt.Errorf("quota exceeded: %w", backends.ErrRefused), "apply")
		w.write("qa.csv", "q,a\n1,ein\n")
		w.settled()
		s, err := w.c.Status(path.Join(datasets, "qa.csv"))
		must(t, err)
		if got := s.Tables[0]; got.State != "dirty" || !strings.Contains(got.Error, "quota exceeded") {
			t.Errorf("status: %+v", got)
		}
		w.gate.heal()
		w.after(2 * maxBackoff)
		w.wantStored("qa.csv", "q,a", "1,ein")
		w.wantState("qa.csv", "clean")
	})
}
