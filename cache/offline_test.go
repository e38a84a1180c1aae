package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// wantMount compares the state of the whole mount.
func (w *world) wantMount(state string) {
	w.t.Helper()
	s, err := w.c.Status("")
	must(w.t, err)
	if s.State != state {
		w.t.Errorf("the mount is %s, not %s", s.State, state)
	}
}

// While the store is away what was loaded is read and edited, what was not can't
// be opened, and all that was saved goes out when it is back.
func TestOffline(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.elsewhere("other.csv", "x", "1")
		w.refresh()
		w.gate.fail(errAway)
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.settled()
		w.wantMount("offline")
		w.wantState("qa.csv", "dirty")
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two")
		w.addRow("qa.csv", "3,three")
		w.write("new.csv", "x\n1\n")
		if _, err := w.tryRead("other.csv"); !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("opening a table that was never loaded: %v", err)
		}
		if _, err := w.tryRead("nowhere.csv"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("opening a table that is nowhere: %v", err)
		}
		w.after(10 * time.Minute)
		w.wantMount("offline")
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")

		w.gate.heal()
		w.after(maxBackoff + settle)
		w.wantMount("online")
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
		w.wantStored("new.csv", "x", "1")
		w.wantState("qa.csv", "clean")
		if got := w.read("other.csv"); len(got) == 0 {
			t.Error("other.csv is empty")
		}
	})
}

// addRow appends a row, without an id where ids are shown.
func (w *world) addRow(name, line string) {
	w.t.Helper()
	if strings.HasPrefix(w.read(name), table.RowIDColumn) {
		line = "," + line
	}
	w.add(name, line+"\n")
}

// A mount starts from the cache.
func TestOpenedOffline(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.close()
		w.gate.fail(errAway)
		begun := time.Now()
		w.open()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("opening took %v", took)
		}
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two")
		w.addRow("qa.csv", "3,three")
		w.wantState("qa.csv", "dirty")
		w.after(time.Hour)
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two", "3,three")
		w.gate.heal()
		w.after(maxBackoff + settle)
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
		w.wantState("qa.csv", "clean")
	})
}

// A store that was never seen can't be mounted while it is away: an empty mount
// would look like an empty store.
func TestNeverListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Rows, memory.Options{})
		w.gate.fail(errAway)
		if err := w.tryOpen(); !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("open: %v", err)
		}
		w.gate.heal()
		w.open()
	})
}

// Expired credentials are a state of their own, and nothing is lost.
func TestCredentialsExpired(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.gate.fail(fmt.Errorf("token expired: %w", backends.ErrAuth))
		w.write("qa.csv", "q,a\n1,ein\n")
		w.after(time.Hour)
		w.wantMount("auth")
		w.wantState("qa.csv", "dirty")
		w.gate.heal()
		w.after(maxBackoff + settle)
		w.wantMount("online")
		w.wantStored("qa.csv", "q,a", "1,ein")
	})
}

// Tries become rarer, never end, and keep to what the store asks for.
func TestBackoff(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.wantSent(0)
		w.gate.fail(errAway)
		w.write("qa.csv", "q,a\n1,ein\n")
		w.after(20 * time.Minute)
		tries := w.gate.tried("apply", "probe", "load")
		if n := len(tries); n < 20*60/45 || n > 120 {
			t.Errorf("%d tries in 20 minutes", n)
		}
		for i := range tries[1:] {
			if gap := tries[i+1].when.Sub(tries[i].when); gap > maxBackoff+settle {
				t.Errorf("no try for %v", gap)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.wantSent(0)
		w.gate.failTimes(1, "apply", &backends.RetryAfter{Err: errAway, Wait: 2 * time.Minute})
		w.write("qa.csv", "q,a\n1,ein\n")
		w.after(5 * time.Minute)
		tries := w.gate.tried("apply")
		if len(tries) != 2 || tries[1].when.Sub(tries[0].when) < 2*time.Minute {
			t.Errorf("tries: %+v", tries)
		}
		w.wantStored("qa.csv", "q,a", "1,ein")
	})
}

// Unmounting waits for a store that is away, as long as it is told to.
func TestDrainWaits(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one")
		w.gate.fail(errAway)
		w.write("qa.csv", "q,a\n1,ein\n")
		w.settled()
		w.wantMount("offline")

		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		begun := time.Now()
		if err := w.c.Drain(ctx, nil); !errors.Is(err, ErrPending) {
			t.Errorf("drain: %v", err)
		}
		if took := time.Since(begun); took < 3*time.Minute || took > 4*time.Minute {
			t.Errorf("it took %v", took)
		}

		done := make(chan error, 1)
		go func() { done <- w.c.Drain(t.Context(), nil) }()
		w.after(2 * time.Minute)
		w.gate.heal()
		begun = time.Now()
		must(t, <-done)
		if took := time.Since(begun); took > maxBackoff+settle {
			t.Errorf("when the store was back, it took %v", took)
		}
		w.wantStored("qa.csv", "q,a", "1,ein")
	})
}

// An answer that was lost: what has happened is not done again, what has not is.
func TestLostAnswers(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.gate.loseAnswers(1, "apply")
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.addRow("qa.csv", "3,three")
		w.after(maxBackoff)
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
		w.wantState("qa.csv", "clean")

		w.gate.heal()
		w.gate.failTimes(2, "apply", errLostAnswer)
		w.addRow("qa.csv", "4,four")
		w.after(2 * maxBackoff)
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three", "4,four")
		w.wantState("qa.csv", "clean")

		w.gate.heal()
		w.gate.loseAnswers(2, "create")
		w.write("new.csv", "x\n1\n")
		w.after(2 * maxBackoff)
		w.wantStored("new.csv", "x", "1")
		w.wantState("new.csv", "clean")

		w.gate.heal()
		w.gate.loseAnswers(1, "delete")
		must(t, w.c.Unlink(t.Context(), datasets, "new.csv", Caller{}))
		w.after(3 * time.Minute)
		if _, err := w.tryStored("new.csv"); !errors.Is(err, backends.ErrNotFound) {
			t.Errorf("new.csv: %v", err)
		}
	})
}

// A colleague writes between our look and our push. Both are in the store then.
func TestColleagueDuringPush(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two", "3,three")
		w.gate.during("apply", func() { w.elsewhere("qa.csv", "q,a", "1,one", "2,two", "3,trois", "4,quatre") })
		w.write("qa.csv", "q,a\n1,ein\n2,two\n3,three\n")
		w.after(time.Minute)
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,trois", "4,quatre")
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two", "3,trois", "4,quatre")
		w.wantState("qa.csv", "clean")
	})
}
