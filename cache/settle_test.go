package cache

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Nothing is sent before the settle time, all of it after, in one go.
func TestSettleTime(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.wantSent(0)
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.wantState("qa.csv", "dirty")
		w.after(settle - time.Millisecond)
		w.wantSent(0)
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
		w.after(2 * time.Millisecond)
		w.wantSent(1)
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two")
		w.wantState("qa.csv", "clean")
	})
}

// A new table waits for its settle time too.
func TestSettleTimeOfNewTable(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.write("new.csv", "q,a\n1,one\n")
		w.after(settle - time.Millisecond)
		w.wantSent(0)
		w.after(100 * time.Millisecond)
		w.wantStored("new.csv", "q,a", "1,one")
		w.wantState("new.csv", "clean")
	})
}

// Each save begins the settle time anew, but ten times that is the most.
func TestConstantSaving(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.wantSent(0)
		begun := time.Now()
		for i := range 35 {
			w.write("qa.csv", fmt.Sprintf("q,a\n1,%d\n", i))
			w.after(time.Second)
		}
		first := w.gate.made("apply")
		if len(first) != 1 {
			t.Fatalf("%d pushes in 35 s of constant saving", len(first))
		}
		if after := first[0].when.Sub(begun); after < 19*time.Second || after > 21*time.Second {
			t.Errorf("the first push came after %v", after)
		}
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,34")
	})
}

// A store that needs long for a push gets pushes less often.
func TestSlowStoreGetsFewerPushes(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.gate.set(func(g *gate) { g.latency = time.Second })
		w.write("qa.csv", "q,a\n1,two\n")
		w.after(time.Minute)
		w.wantState("qa.csv", "clean")
		w.table("qa.csv").mu.Lock()
		took := w.table("qa.csv").pushTook
		w.table("qa.csv").mu.Unlock()
		if took < time.Second {
			t.Errorf("the push took %v", took)
		}
		w.wantSent(1)
		saved := time.Now()
		w.write("qa.csv", "q,a\n1,three\n")
		w.after(10 * took)
		w.wantSent(0)
		w.after(time.Minute)
		if sent := w.gate.made("apply"); len(sent) != 1 || sent[0].when.Sub(saved) < 10*took {
			t.Errorf("the next push: %+v, %v after the save", sent, sent[0].when.Sub(saved))
		}
	})
}

// What is written while a program has the file open does not count, unless it is
// growth.
func TestOpenFileDoesNotCount(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		p := w.start("qa.csv", truncating, me())
		p.write("q,a\n1,ein\n")
		w.after(time.Minute)
		p.write("2,zwei\n")
		w.after(5 * time.Minute)
		w.wantSent(0)
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
		p.close()
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,ein", "2,zwei")
	})
}

// A run that appends for hours is sent all the while: records that are complete,
// every settle time; the one that is being written is not.
func TestGrowthWhileOpen(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		p := w.start("qa.csv", syscall.O_WRONLY|syscall.O_APPEND, me())
		id := "" // of a row store's new rows: none yet
		if w.form == backends.Rows {
			id = ","
		}
		p.write(id + "2,two\n" + id + "3,th")
		w.after(3 * settle)
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
		p.write("ree\n" + id + "4,")
		w.after(3 * settle)
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three")
		for i := 4; i < 10; i++ {
			p.write(fmt.Sprintf("%d\n%s%d,", i, id, i+1))
			w.after(3 * settle)
		}
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three", "4,4", "5,5", "6,6", "7,7", "8,8", "9,9")
		p.write("end") // no newline at the end: complete when the program has closed it
		w.after(3 * settle)
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three", "4,4", "5,5", "6,6", "7,7", "8,8", "9,9")
		p.close()
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three", "4,4", "5,5", "6,6", "7,7", "8,8", "9,9", "10,end")
		w.wantState("qa.csv", "clean")
	})
}

// A new table that its first writer never closes is made after a minute.
func TestNewTableWhileOpen(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		p := w.start("run.csv", truncating, me())
		p.write("q,a\n1,one\n2,t")
		w.after(55 * time.Second)
		w.wantSent(0)
		for range 5 {
			w.after(5 * time.Second)
		}
		w.wantStored("run.csv", "q,a", "1,one")
		p.write("wo\n3,three\n")
		w.after(3 * settle)
		w.wantStored("run.csv", "q,a", "1,one", "2,two", "3,three")
		p.close()
		w.settled()
		w.wantState("run.csv", "clean")
	})
}

// write_back=manual sends at flush only, and says what would be sent.
func TestManual(t *testing.T) {
	inBubbles(t, func(w *world) { w.config.Manual = true }, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.write("qa.csv", "q,a\n1,ein\n2,two\n3,three\n")
		w.write("new.csv", "x\n1\n")
		w.after(5 * time.Minute)
		w.wantSent(0)
		s, err := w.c.Status(datasets + "/qa.csv")
		must(t, err)
		if got := s.Tables[0]; got.State != "dirty" || got.Pending != (PendingRows{Append: 1, Update: 1}) {
			t.Errorf("status: %+v", got)
		}
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
		w.wantStored("new.csv", "x", "1")
		must(t, w.c.Unlink(t.Context(), datasets, "new.csv", Caller{}))
		w.after(5 * time.Minute)
		w.wantStored("new.csv", "x", "1")
		w.flush()
		if _, err := w.tryStored("new.csv"); err == nil {
			t.Error("a flush does not delete")
		}
	})
}

// Rows that come every second are sent every settle time, not only when there is
// a pause.
func TestConstantGrowth(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		p := w.start("qa.csv", syscall.O_WRONLY|syscall.O_APPEND, me())
		for i := range 60 {
			if w.form == backends.Rows {
				p.write(",")
			}
			p.write(fmt.Sprintf("%d,x\n", i))
			w.after(time.Second)
		}
		if n := len(w.gate.made("apply")); n < 60/4 || n > 60 {
			t.Errorf("%d pushes in a minute of growth", n)
		}
		p.close()
		w.settled()
		if n := len(w.stored("qa.csv")); n != 62 {
			t.Errorf("the store holds %d lines", n)
		}
	})
}
