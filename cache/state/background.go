package state

import (
	"sync"
	"time"
)

const (
	// syncAfter is how long a Normal commit is not power safe.
	syncAfter = 5 * time.Second
	// idleAfter a commit it is a good moment for a checkpoint.
	idleAfter = time.Second
	// logLimit is the size of the write-ahead log that no longer waits for that.
	logLimit = 16 << 20
)

// background is what makes commits power safe and keeps the log short while
// nobody waits for it: one timer, armed by a commit. Its fields are guarded by
// DB.mu.
type background struct {
	timer   *time.Timer
	armed   bool           // the timer is set, or its function runs
	running sync.WaitGroup // 1 while armed

	commits  uint64 // with something in them, since Open
	last     time.Time
	unsafe   bool // there are commits that a power cut could undo
	urgent   bool // the log should be emptied soon: it is long, or has rubbish at its end
	logBytes int64
}

// noteCommit is called after a commit that wrote something.
func (db *DB) noteCommit(level Level) {
	db.commits++
	db.last = time.Now()
	db.unsafe = level == Normal
	db.measureLog()
	db.arm(syncAfter)
	if db.logBytes > logLimit {
		db.hurry()
	}
}

// hurry makes settle run now.
func (db *DB) hurry() {
	db.urgent = true
	db.arm(0)
	if db.armed && db.timer.Stop() { // else it runs already
		db.timer.Reset(0)
	}
}

func (db *DB) measureLog() {
	size, err := db.conn.logSize()
	if err != nil {
		db.log.Warn("the size of the state's log is not known", "dir", db.opt.Dir, "err", err)
		return
	}
	db.logBytes = size
}

// arm makes settle run after the time, if it is not about to.
func (db *DB) arm(delay time.Duration) {
	if db.armed || db.closed {
		return
	}
	db.armed = true
	db.running.Add(1)
	db.timer = time.AfterFunc(delay, db.settle)
}

// stopTimer takes back a timer that has not fired.
func (db *DB) stopTimer() {
	if db.armed && db.timer.Stop() {
		db.armed = false
		db.running.Done()
	}
}

// settle is the timer's function.
func (db *DB) settle() {
	defer db.running.Done()

	db.mu.Lock()
	before := db.commits
	db.mu.Unlock()
	if db.opt.BeforeSync != nil {
		if err := db.opt.BeforeSync(); err != nil {
			db.log.Error("contents could not be made power safe", "dir", db.opt.Dir, "err", err)
		}
	}

	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return // Close does all of it
	}
	newer := db.commits != before // not covered by BeforeSync: they get their own turn
	err := db.makeSafe()
	if err != nil {
		db.log.Error("the state could not be made power safe, trying again", "dir", db.opt.Dir, "err", err)
	}
	db.armed = false
	if err != nil || newer || db.logBytes > 0 {
		db.arm(syncAfter)
	}
}

// makeSafe checkpoints if the moment is good, else it only syncs the log.
func (db *DB) makeSafe() error {
	if !db.urgent && time.Since(db.last) < idleAfter {
		if !db.unsafe {
			return nil
		}
		return db.update(Full, func(tx *Tx) error { return tx.put(ownKind, "sync", db.commits) })
	}
	if err := db.conn.checkpoint(); err != nil {
		return db.note(err)
	}
	db.unsafe, db.urgent = false, false
	db.measureLog()
	return nil
}
