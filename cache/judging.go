package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// ensureKeys gives numbers to the rows of a document that was loaded and never
// compared. (A row store's contents come with their keys.)
func (t *Table) ensureKeys() error {
	p := t.pin(func(r *record) content { return r.S })
	defer p.release()
	if s := p.get(); s.none() || s.Keys != 0 {
		return nil
	}
	src, _, err := p.open()
	if err != nil {
		return err
	}
	defer src.close()
	found, err := table.Check(src)
	if err != nil {
		return err
	}
	t.mu.Lock()
	first := t.rec.LastKey + 1
	t.rec.LastKey += uint64(found.Records)
	t.mu.Unlock()
	n, err := t.writeKeys(table.Numbered(first, found.Records), true)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := p.content
	for _, x := range []*content{&t.rec.S, &t.rec.R} {
		if x.same(s) && x.Keys == 0 {
			x.Keys, x.Rows = n, int64(found.Records)
		}
	}
	return t.saveLocked(state.Normal)
}

// judgeAndPush judges L and does what the verdict says. judgeOnly stops before
// anything is sent (write_back=manual). more: what was added goes on behind that.
func (t *Table) judgeAndPush(ctx context.Context, what sendable, judgeOnly bool) (more bool, err error) {
	t.mu.Lock()
	look := t.rec.InStore && !judgeOnly && (!what.growth || t.rec.Save.Torn || t.rec.Version == "" && t.c.props.CompareAndSwap)
	t.mu.Unlock()
	if look {
		if err := t.bringUpToDate(ctx); err != nil {
			return false, err
		}
	}
	s, err := t.snapshot(what)
	if err != nil {
		return false, err
	}
	defer s.close()
	v, err := judge.Judge(s.input)
	if err != nil {
		return false, fmt.Errorf("%s: reading the save: %w", t.path(), err)
	}
	if !s.current() {
		t.wake(0)
		return false, nil // a newer save came: it is judged in its place
	}
	switch v.State {
	case judge.Invalid:
		if what.growth {
			t.wholeNext(s.rec.Save.Seq)
			return false, nil // still being written
		}
		return false, t.decide(s, decision{State: "invalid", Reason: v.Problem.Error()})
	case judge.Held:
		if s.rec.Save.Seq == s.rec.CleanSeq {
			return false, nil
		}
		return false, t.decide(s, decision{State: "held", Rule: string(v.Rule), Reason: v.Reason})
	}
	if err := s.noteConflicts(v); err != nil {
		return false, err
	}
	if err := t.notePending(s, v); err != nil || judgeOnly {
		return false, err
	}
	if err := t.forgetParked(v.Parked); err != nil {
		return false, err
	}
	if what.growth && !s.more {
		t.wholeNext(s.rec.Save.Seq)
	}
	if t.inStore() && v.Merged.Send.Empty() && t.nothingToSend(s, v) {
		return s.more, t.agree(s, v)
	}
	return s.more, t.push(ctx, s, v)
}

// nothingToSend: no row and no column goes out. A document store gets the
// document all the same if it differs in dialect or order only.
func (t *Table) nothingToSend(s *shot, v *judge.Verdict) bool {
	return t.c.rowStore() || !v.BytesDiffer || len(v.Merged.Document.Rows) > 0 || v.State != judge.Clean || s.isInStore()
}

// isInStore: what was saved is what the store holds already, byte for byte: a push
// of ours whose answer was lost, or the same edit by somebody else.
func (s *shot) isInStore() bool {
	l, ok := s.input.L.Source.(*fileSource)
	r, known := s.input.R.Source.(*fileSource)
	return ok && known && equalSources(l, r)
}

func (t *Table) inStore() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.InStore
}

// current reports whether L is still what was judged (growth may go on).
func (s *shot) current() bool {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.t.rec.Gone != nil {
		return false
	}
	if s.growth {
		return s.t.rec.L.Gen == s.rec.L.Gen
	}
	return s.t.rec.Save.Seq == s.rec.Save.Seq && s.t.rec.S.same(s.rec.S) && s.t.rec.R.same(s.rec.R)
}

// decide notes that a save is held or invalid.
func (t *Table) decide(s *shot, d decision) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.Seq, d.Since = s.rec.Save.Seq, time.Now()
	t.rec.Decision = &d
	if t.rec.Confirmed == d.Seq {
		t.rec.Confirmed = 0 // it can't be what was confirmed
	}
	t.firstDirty = time.Time{}
	t.c.log.Warn("save "+d.State, "path", t.path(), "reason", d.Reason, "remedy", remedyFor(t.path()))
	return t.saveLocked(state.Normal)
}

func remedyFor(path string) string {
	return "save a better version, or: ragasfs confirm " + path + " | ragasfs discard " + path
}

// notePending notes what is about to be sent, for the status.
func (t *Table) notePending(s *shot, v *judge.Verdict) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rec.Pending = countPending(v)
	t.rec.Pending.Append += s.rest
	t.rec.Warnings = v.Warnings
	t.rec.Behind = t.rec.Behind || !v.Merged.Take.Empty()
	if t.rec.Decision != nil && t.rec.Decision.Op == "" {
		t.rec.Decision = nil
	}
	for _, w := range v.Warnings {
		t.c.log.Warn(w, "path", t.path())
	}
	return t.saveLocked(state.Normal)
}

// agree ends a save of which nothing is to be sent: file and store say the same,
// but for what is in conflict or was refused.
func (t *Table) agree(s *shot, v *judge.Verdict) error {
	keys, err := t.writeKeys(v.Keys, true)
	if err != nil {
		return err
	}
	same := !t.c.rowStore() && s.isInStore()
	t.mu.Lock()
	defer t.mu.Unlock()
	x := s.judgedLocked(v, keys)
	t.rec.J = x
	if v.Exact && (t.c.rowStore() || !v.BytesDiffer || same) {
		x.Arrival = t.rec.R.Arrival
		t.rec.S, t.rec.R = x, x
		t.exactLocked(x)
	}
	return t.cleanLocked(s, x)
}

// judgedLocked is the frozen L with its keys.
func (s *shot) judgedLocked(v *judge.Verdict, keys uint64) content {
	x := s.held
	x.Keys, x.Rows = keys, int64(v.Keys.Len())
	return x
}

// cleanLocked notes that nothing of the judged save is left to send.
func (t *Table) cleanLocked(s *shot, x content) error {
	if t.rec.L.same(x) {
		t.rec.L.Keys, t.rec.L.Rows = x.Keys, x.Rows
	}
	t.doneLocked(s.rec.Save.Seq, x.Len)
	return t.saveLocked(state.Normal)
}

// checkMax is the most bytes that close and fsync judge themselves; larger
// saves are judged after the settle time only (at most about 50 ms are spent).
const checkMax = 4 << 20

// checkNow judges a save at close, fsync or rename. ErrInvalid: the bytes can't
// become a table.
func (t *Table) checkNow(seq uint64) error {
	t.mu.Lock()
	size := t.rec.L.Len
	if t.rec.S.Gen == t.rec.L.Gen {
		size -= t.rec.S.Len
	}
	stillMine := t.rec.Save.Seq == seq && t.rec.Gone == nil
	t.mu.Unlock()
	if size > checkMax || !stillMine {
		return nil
	}
	t.begin()
	defer t.end()
	v, err := t.verdictOf(content{})
	if err != nil {
		t.c.log.Warn("save not checked at close", "path", t.path(), "error", err)
		return nil // it is checked again after the settle time
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Save.Seq != seq {
		return nil
	}
	problem := v.Problem
	if v.State != judge.Invalid && t.dirtyLocked() {
		t.rec.Pending = countPending(v) // as far as is known before the store is asked
	}
	if v.State != judge.Invalid || problem.Beginning {
		return nil
	}
	if t.rec.Decision == nil || t.rec.Decision.Seq != seq {
		t.rec.Decision = &decision{State: "invalid", Seq: seq, Reason: problem.Error(), Since: time.Now()}
		if err := t.saveLocked(state.Normal); err != nil {
			return err
		}
		t.c.log.Warn("save invalid", "path", t.path(), "reason", problem.Error(), "remedy", remedyFor(t.path()))
	}
	return fmt.Errorf("%s: %w: %w", t.path(), ErrInvalid, problem)
}

// problemOf says what is wrong with a content as the table's next one; nil: nothing.
func (t *Table) problemOf(x content) (*table.Problem, error) {
	v, err := t.verdictOf(x)
	if err != nil || v.State != judge.Invalid {
		return nil, err
	}
	return v.Problem, nil
}

// verdictOf judges a content (zero: L) as the table's next one, and does nothing.
func (t *Table) verdictOf(x content) (*judge.Verdict, error) {
	what := sendable{}
	if !x.none() {
		what.instead = &x
	}
	s, err := t.snapshot(what)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return judge.Judge(s.input)
}
