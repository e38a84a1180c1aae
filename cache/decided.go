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
	v, err := t.ifConfirmed()
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
	t.rec.Pending = countPending(v)
	t.noteLocked(state.Normal)
}

// ifConfirmed is the verdict on L as if a person had confirmed it, and asked to try
// refused rows again.
func (t *Table) ifConfirmed() (*judge.Verdict, error) {
	t.begin()
	defer t.end()
	s, err := t.snapshot(sendable{})
	if err != nil {
		return nil, err
	}
	defer s.close()
	s.input.Confirmed, s.input.Parked = true, nil
	return judge.Judge(s.input)
}

// countPending counts what a verdict sends.
func countPending(v *judge.Verdict) PendingRows {
	a, u, d := v.Merged.Send.Count()
	return PendingRows{Append: a, Update: u, Delete: d, Columns: len(v.Merged.Send.Columns)}
}
