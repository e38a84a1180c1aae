package cache

import (
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// countDecided counts, for the status, what a held or invalid save would send if a
// person confirmed it. Of what can't be confirmed that is nothing.
func (t *Table) countDecided() {
	t.mu.Lock()
	d := t.rec.Decision
	due := t.decidedLocked() && !d.Counted && !t.rec.L.none() && t.rec.Gone == nil
	t.mu.Unlock()
	if !due {
		return
	}
	pending, err := t.wouldSend()
	if err != nil {
		t.c.log.Warn("rows of a save not counted", "path", t.path(), "error", err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Decision != d {
		return // decided anew meanwhile
	}
	d.Counted = true
	t.rec.Pending = pending
	t.noteLocked(state.Normal)
}

// wouldSend counts what L would send if it were confirmed.
func (t *Table) wouldSend() (PendingRows, error) {
	s, err := t.snapshot(sendable{})
	if err != nil {
		return PendingRows{}, err
	}
	defer s.close()
	s.input.Confirmed = true
	v, err := judge.Judge(s.input)
	if err != nil {
		return PendingRows{}, err
	}
	return countPending(v), nil
}

// countPending counts what a verdict sends.
func countPending(v *judge.Verdict) PendingRows {
	a, u, d := v.Merged.Send.Count()
	return PendingRows{Append: a, Update: u, Delete: d, Columns: len(v.Merged.Send.Columns)}
}
