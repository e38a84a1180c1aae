package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// worker runs the steps of one table, one at a time, when it is woken.
type worker struct {
	t *Table
	// Guarded by Table.mu.
	running bool
	again   bool
	force   int  // flush, unmount: settle time and backoff do not count
	retry   bool // parked rows are tried again
	old     bool // the step under way began before what it does was wanted anew
	timer   *time.Timer
	due     time.Time
	done    chan struct{} // closed and replaced after each run
}

func (w *worker) init(t *Table) {
	w.t = t
	w.done = make(chan struct{})
}

// wakeLocked runs a step after d, unless one is due earlier.
func (t *Table) wakeLocked(d time.Duration) {
	w := &t.worker
	if t.c.ctx.Err() != nil {
		return
	}
	if w.running {
		w.again = true
		return
	}
	due := time.Now().Add(d)
	if w.timer != nil && !w.due.IsZero() && w.due.Before(due) && time.Now().Before(w.due) {
		return
	}
	w.due = due
	if w.timer == nil {
		w.timer = time.AfterFunc(d, w.fire)
		return
	}
	w.timer.Reset(d)
}

func (t *Table) wake(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wakeLocked(d)
}

func (w *worker) fire() {
	t := w.t
	t.mu.Lock()
	if w.running || t.c.ctx.Err() != nil {
		w.again = true
		t.mu.Unlock()
		return
	}
	w.running = true
	w.due = time.Time{}
	t.c.workers.Add(1) // under the lock, as Close takes it before it waits
	t.mu.Unlock()
	defer t.c.workers.Done()
	w.run(t.c.ctx)
}

// alone waits until the worker rests, and keeps it at rest until done is called:
// for what a person decides while a push may be under way.
func (w *worker) alone(ctx context.Context) (done func(), err error) {
	t := w.t
	for {
		if done, ok := w.tryAlone(); ok {
			return done, nil
		}
		t.mu.Lock()
		rests := w.done
		running := w.running
		t.mu.Unlock()
		if !running {
			continue
		}
		select {
		case <-rests:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: a push is under way: %w", t.path(), ctx.Err())
		}
	}
}

// tryAlone is alone without waiting.
func (w *worker) tryAlone() (done func(), ok bool) {
	t := w.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.running {
		return nil, false
	}
	w.running, w.again = true, false
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		w.restLocked()
		if w.again {
			t.wakeLocked(0)
		}
	}, true
}

func (w *worker) restLocked() {
	w.running = false
	close(w.done)
	w.done = make(chan struct{})
}

// run makes steps until nothing is to be done now, then sets the timer for what
// is to be done later.
func (w *worker) run(ctx context.Context) {
	t := w.t
	for {
		t.mu.Lock()
		w.again, w.old = false, false
		t.mu.Unlock()
		t.begin()
		next := t.step(ctx)
		t.end()
		t.mu.Lock()
		if w.again && ctx.Err() == nil && next == 0 {
			t.mu.Unlock()
			continue
		}
		w.restLocked()
		switch {
		case next > 0:
			t.wakeLocked(next)
		case w.again:
			t.wakeLocked(0)
		case len(t.writers) > 0:
			t.wakeLocked(t.c.settle()) // what they append counts without a message
		}
		t.mu.Unlock()
		return
	}
}

// settle is the settle time as configured.
func (c *Cache) settle() time.Duration {
	switch {
	case c.cfg.Settle > 0:
		return c.cfg.Settle
	case c.props.Settle > 0:
		return c.props.Settle
	}
	return 2 * time.Second
}

// settleLocked is how long it is until what was saved counts: the settle time
// after the last event, at most ten times that under constant saving (growth
// counts every settle time), and never sooner than ten times the duration of the
// last push.
func (t *Table) settleLocked() time.Duration {
	d := max(t.c.settle(), 10*t.pushTook)
	due := t.quiet.Add(d)
	if !t.firstDirty.IsZero() {
		most := 10 * d
		if t.rec.Save.How == byGrowth && t.rec.S.Gen == t.rec.L.Gen {
			most = d
		}
		if limit := t.firstDirty.Add(most); limit.Before(due) {
			due = limit
		}
	}
	if t.notBefore.After(due) {
		due = t.notBefore
	}
	return max(time.Until(due), 0)
}

// step does what is to be done for the table now, and returns after how long to
// look again (0: when woken). The order is that of cache.md section 4.
func (t *Table) step(ctx context.Context) time.Duration {
	t.mu.Lock()
	loaded := t.rec.L.Gen != 0 || !t.rec.S.none()
	open := t.c.hasIntent(t.id)
	isGone := t.rec.Gone != nil
	forced := t.worker.force > 0
	wait := time.Until(t.notBefore)
	dropped, reload := t.dropped, t.reload && t.intent == nil
	t.mu.Unlock()
	if dropped {
		return 0
	}
	if wait > 0 && !forced {
		return wait
	}
	if open {
		if err := t.reconcile(ctx); err != nil {
			return t.failed("reconcile", err)
		}
		t.mu.Lock()
		isGone = t.rec.Gone != nil
		t.mu.Unlock()
	}
	if isGone {
		return t.stepGone(ctx)
	}
	if reload {
		if err := t.reloadAgreed(ctx); err != nil {
			return t.failed("loading again", err)
		}
	}
	if err := t.stepRename(ctx); err != nil {
		return t.failed("rename", err)
	}
	if loaded {
		if err := t.stepRefresh(ctx); err != nil {
			if next := t.failed("refresh", err); !t.unsent() {
				return next
			}
		}
	}
	if next, idle := t.stepSave(ctx); !idle {
		return next
	}
	if err := t.stepIncoming(); err != nil {
		return t.failed("taking in changes", err)
	}
	return 0
}

func (t *Table) unsent() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dirtyLocked()
}

// stepSave judges and pushes what was saved. idle: there is nothing unsent that
// could be done now or later.
func (t *Table) stepSave(ctx context.Context) (next time.Duration, idle bool) {
	t.mu.Lock()
	if t.noticeWritersLocked() {
		t.quiet = time.Now()
	}
	if !t.dirtyLocked() {
		t.mu.Unlock()
		return 0, true
	}
	if t.decidedLocked() {
		t.mu.Unlock()
		t.countDecided()
		return 0, true // waits for a person, or for a better save
	}
	forced := t.worker.force > 0
	rest := t.settleLocked()
	before, replaces := t.rec.Save.Time, t.rec.Replaces
	if rest > 0 && !forced {
		t.mu.Unlock()
		return rest, false
	}
	what, ok := t.sendableLocked(forced)
	manual := t.c.cfg.Manual && !forced
	t.mu.Unlock()
	if !ok || replaces && t.c.hasEarlierSaves(t, before) {
		return t.c.settle(), false // a program is still writing, or others go first
	}
	err := t.pushParts(ctx, what, manual)
	if again := errors.Is(err, backends.ErrConflict) || errors.Is(err, backends.ErrUnknown); again && t.atOnce() {
		t.c.log.Info("push to be repeated", "path", t.path(), "reason", err)
		return time.Millisecond, false
	}
	if err != nil {
		return t.failed("push", err), false
	}
	t.countDecided()
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.dirtyLocked() || t.decidedLocked() || manual:
		return 0, true
	case t.rec.Save.Torn:
		t.holdLocked(cutOffReason)
		t.rec.StateLost = false
		if err := t.saveLocked(state.Normal); err != nil {
			t.c.log.Error("state not written", "path", t.path(), "error", err)
		}
		return 0, true
	case what.growth:
		// What is left is a record that is not complete yet.
		return max(t.settleLocked(), t.c.settle()), false
	}
	return max(t.settleLocked(), time.Millisecond), false
}

// noticeWritersLocked looks for changes that came without a message: mappings.
func (t *Table) noticeWritersLocked() bool {
	for h := range t.writers {
		changed, err := t.noticeLocked(h.file, h)
		if err != nil {
			t.c.log.Error("save not noted", "path", t.path(), "error", err)
		}
		if changed {
			h.touch()
			return true
		}
	}
	return false
}

// sendable is what of L may be judged now.
type sendable struct {
	growth  bool     // only complete records behind S
	instead *content // this in the place of L
}

// sendableLocked decides by who still writes (design section 6). While a
// program that wrote has the file open, only growth counts.
func (t *Table) sendableLocked(forced bool) (sendable, bool) {
	writing := false
	for h := range t.writers {
		if h.wrote.Load() && !h.waits.Load() && h.file == t.files[t.rec.L.Gen] {
			writing = true
		}
	}
	if !writing {
		return sendable{growth: t.rec.Save.Torn || t.inPartsLocked()}, true
	}
	grows := t.rec.S.Gen == t.rec.L.Gen && t.rec.S.Len > 0
	if grows {
		return sendable{growth: true}, true
	}
	if t.newLocked() && (forced || time.Since(t.firstDirty) > 60*time.Second) {
		return sendable{growth: true}, true
	}
	return sendable{}, false
}

// newLocked: the table is not in the store, or (rows) has been made there just now
// and nothing was sent yet.
func (t *Table) newLocked() bool {
	return t.rec.S.none() || t.rec.CleanSeq == 0 && t.rec.S.Keys != 0 && t.rec.S.Rows == 0
}
