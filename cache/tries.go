package cache

import (
	"errors"
	"time"
)

// What becomes of a table's steps that fail: when they are tried again, and which
// failures count.

// failed notes that a step failed, and returns when to try again.
func (t *Table) failed(what string, err error) time.Duration {
	if errors.Is(err, errLost) {
		t.lose(err)
		if t.atOnce() {
			return time.Millisecond
		}
	}
	wait := t.c.health.failed(err)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.c.ctx.Err() != nil {
		return 0
	}
	if t.worker.old {
		t.c.log.Info(what+" failed, to be tried anew", "path", t.path(), "error", err)
		return time.Millisecond
	}
	t.backoff = nextBackoff(t.backoff)
	wait = max(wait, t.backoff)
	t.notBefore = time.Now().Add(wait)
	t.rec.Error = err.Error()
	t.c.log.Warn(what+" failed", "path", t.path(), "error", err, "next try in", wait.Round(time.Millisecond), "remedy", remedy(err))
	return wait
}

// anewLocked forgets the failures so far, as somebody wants it done now: with
// what was known, that of a step that is under way will be one of them.
func (t *Table) anewLocked() {
	t.backoff, t.notBefore = 0, time.Time{}
	t.worker.old = t.worker.running
}

// succeeded ends a series of failures.
func (t *Table) succeeded() {
	t.c.health.succeeded()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.backoff, t.notBefore, t.repeated = 0, time.Time{}, 0
	t.rec.Error = ""
}

// atOnce reports whether a push that met a newer version, or whose answer was
// doubtful, is repeated without a pause: the next step looks first.
func (t *Table) atOnce() bool {
	const most = 3
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repeated++
	return t.repeated <= most && t.c.ctx.Err() == nil
}
