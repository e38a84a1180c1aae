package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// world is a state in a bubble, with what the tests here look at.
type world struct {
	*testing.T
	db    *DB
	dir   string
	syncs atomic.Int64 // calls of BeforeSync
}

func inBubble(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{T: t, dir: t.TempDir()}
		db, _, err := Open(Options{Dir: w.dir, BeforeSync: func() error { w.syncs.Add(1); return nil }})
		if err != nil {
			t.Fatal(err)
		}
		w.db = db
		defer func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}()
		// Open has committed, and left a log that is emptied when nothing happens.
		w.after(time.Minute)
		if w.logSize() != 0 {
			t.Errorf("a minute after Open the log has %d bytes", w.logSize())
		}
		w.syncs.Store(0)
		test(w)
	})
}

// after waits, and for what has begun by then.
func (w *world) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) put(level Level, id string, size int) {
	w.Helper()
	err := w.db.Update(level, func(tx *Tx) error { return tx.Put("k", id, strings.Repeat("x", size)) })
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) logSize() int64 {
	w.Helper()
	info, err := os.Stat(filepath.Join(w.dir, "state.db-wal"))
	if err != nil {
		w.Fatal(err)
	}
	return info.Size()
}

// safe: a power cut would undo nothing.
func (w *world) safe() bool {
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	return !w.db.unsafe
}

func TestNormalCommitBecomesSafe(t *testing.T) {
	inBubble(t, func(w *world) {
		w.put(Normal, "a", 10)
		w.after(5*time.Second - time.Millisecond)
		if w.safe() || w.syncs.Load() != 0 {
			t.Errorf("before five seconds: safe %v, contents synced %d times", w.safe(), w.syncs.Load())
		}
		w.after(2 * time.Millisecond)
		if !w.safe() || w.syncs.Load() != 1 || w.logSize() != 0 {
			t.Errorf("after five seconds: safe %v, contents synced %d times, log of %d bytes", w.safe(), w.syncs.Load(), w.logSize())
		}
		w.after(time.Hour)
		if w.syncs.Load() != 1 {
			t.Errorf("with nothing to do contents were synced %d times", w.syncs.Load())
		}
	})
}

func TestSteadyCommitsBecomeSafe(t *testing.T) {
	inBubble(t, func(w *world) {
		for i := range 200 { // 20 s
			w.put(Normal, "a", 10)
			w.after(100 * time.Millisecond)
			if i > 0 && i%50 == 0 && (w.syncs.Load() != int64(i/50) || w.logSize() == 0) {
				t.Errorf("after %d commits: contents synced %d times, log of %d bytes", i, w.syncs.Load(), w.logSize())
			}
		}
		w.after(10 * time.Second)
		if !w.safe() || w.logSize() != 0 {
			t.Errorf("afterwards: safe %v, log of %d bytes", w.safe(), w.logSize())
		}
	})
}

func TestFullCommitIsSafe(t *testing.T) {
	inBubble(t, func(w *world) {
		w.put(Normal, "a", 10)
		before := w.logSize()
		if err := w.db.Sync(); err != nil {
			t.Fatal(err)
		}
		if !w.safe() || w.logSize() == before {
			t.Error("Sync wrote nothing, so nothing was synced")
		}
		before = w.logSize()
		if err := w.db.Sync(); err != nil || w.logSize() != before {
			t.Errorf("a second Sync wrote something: %v", err)
		}
		w.put(Normal, "b", 10)
		w.put(Full, "c", 10)
		if !w.safe() {
			t.Error("a Full commit is not safe")
		}
		// What the pragma says is what SQLite does.
		for level, want := range map[Level]string{Normal: "1", Full: "2"} {
			w.put(level, "d", 10)
			if got, err := w.db.conn.pragma("synchronous"); got != want || err != nil {
				t.Errorf("level %d: synchronous is %s, %v", level, got, err)
			}
		}
	})
}

func TestLongLogIsEmptiedAtOnce(t *testing.T) {
	inBubble(t, func(w *world) {
		for i := range 17 {
			w.put(Normal, string(rune('a'+i)), 1<<20)
		}
		w.after(time.Millisecond)
		if w.logSize() != 0 || w.syncs.Load() != 1 {
			t.Errorf("log of %d bytes, contents synced %d times", w.logSize(), w.syncs.Load())
		}
		w.put(Normal, "z", 10)
		if size := w.logSize(); size == 0 || size > 1<<20 {
			t.Errorf("after the next commit the log has %d bytes", size)
		}
	})
}

// A commit that comes while contents are being synced waits for its own turn.
func TestCommitWhileContentsAreSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late atomic.Pointer[DB]
		var syncs atomic.Int64
		failing := errors.New("no disk")
		db, _, err := Open(Options{Dir: t.TempDir(), BeforeSync: func() error {
			if syncs.Add(1) == 1 { // also: it may use the DB, and its error stops nothing
				return errors.Join(failing, late.Load().Update(Normal, func(tx *Tx) error { return tx.Put("k", "late", 1) }))
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		late.Store(db)
		<-time.After(5*time.Second + time.Millisecond)
		synctest.Wait()
		if syncs.Load() != 1 {
			t.Errorf("contents synced %d times", syncs.Load())
		}
		<-time.After(5*time.Second + time.Millisecond)
		synctest.Wait()
		if syncs.Load() != 2 {
			t.Errorf("after the late commit contents were synced %d times", syncs.Load())
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}
