package cache

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// failsLate lets the next call of the verb stand still, and then fail.
func (g *gate) failsLate(verb string, err error) (letGo func()) {
	open := make(chan struct{})
	done := false
	g.set(func(g *gate) {
		g.before = func(v string, _ backends.Ref) error {
			g.mu.Lock()
			mine := v == verb && !done
			done = done || mine
			g.mu.Unlock()
			if !mine {
				return nil
			}
			<-open
			return err
		}
	})
	return func() { close(open) }
}

// A push that was under way when a flush was asked for, and fails, says nothing
// of what the flush can do.
func TestFlushDuringPushThatFails(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		letGo := w.gate.failsLate("apply", errAway)
		w.write("qa.csv", "q,a\n1,uno\n")
		w.settled()
		w.wantState("qa.csv", "pushing")
		flushed := make(chan error, 1)
		go func() { flushed <- w.tryFlush() }()
		synctest.Wait()
		letGo()
		if err := <-flushed; err != nil {
			t.Errorf("flush: %v", err)
		}
		w.wantStored("qa.csv", "q,a", "1,uno")
		w.wantState("qa.csv", "clean")
	})
}

// A table is found to be gone while its rows are sent, and confirmed meanwhile:
// it is made again, whole.
func TestConfirmGoneDuringPush(t *testing.T) {
	prepare := func(w *world) { w.config.vanishWait = time.Nanosecond }
	inBubbles(t, prepare, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		letGo := w.gate.failsLate("apply", backends.ErrNotFound)
		w.write("qa.csv", "q,a\n1,uno\n")
		w.settled()
		w.wantState("qa.csv", "pushing")
		w.vanish("qa.csv")
		for range 2 {
			must(t, w.c.listAll(t.Context()))
			w.after(time.Millisecond)
		}
		confirmed := make(chan error, 1)
		go func() { confirmed <- w.c.Confirm(t.Context(), datasets+"/qa.csv") }()
		synctest.Wait()
		letGo()
		must(t, <-confirmed)
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,uno")
		w.wantState("qa.csv", "clean")
	})
}
