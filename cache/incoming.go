package cache

import (
	"fmt"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// incoming binds the name to what file and store say together: L with what came
// in from elsewhere, in L's order and dialect.
func (t *Table) incoming() error {
	if err := t.ensureKeys(); err != nil {
		return err
	}
	t.mu.Lock()
	clean := t.rec.L.same(t.rec.S)
	moved := !t.rec.R.same(t.rec.S)
	disputed := len(t.conflicts) > 0
	document := t.c.props.Form == backends.Documents
	if clean && moved && document && !disputed {
		defer t.mu.Unlock()
		t.rec.S = t.rec.R
		t.rec.J = content{}
		return t.showLocked(t.rec.R, t.rec.StoreTime)
	}
	t.mu.Unlock()
	s, err := t.snapshot(sendable{})
	if err != nil {
		return err
	}
	defer s.close()
	s.input.Guard = judge.GuardOff
	s.input.Writer = judge.Writer{}
	s.input.Doubtful = nil
	v, err := judge.Judge(s.input)
	if err != nil {
		return fmt.Errorf("%s: taking in changes: %w", t.path(), err)
	}
	if v.State == judge.Invalid || v.State == judge.Held {
		return nil // it stays as it is until a better save, or a better version in the store
	}
	if err := s.noteConflicts(v); err != nil {
		return err
	}
	m, err := t.takeOver(s, v)
	if err != nil {
		return err
	}
	if !s.current() {
		t.wake(0)
		return nil
	}
	if disputed && !v.Merged.Take.Empty() {
		// What was in conflict may come in only now, long after its arrival: who has
		// read the file since then has not seen it.
		if m.arrival, err = t.recordArrival(v.Merged.Take); err != nil {
			return err
		}
	}
	return t.showMerged(m, v)
}

// takenOver is what the contents become when the file has taken over what came in.
type takenOver struct {
	shown, agreed content
	// same: the store holds nothing but what is shown, and the other way round.
	same    bool
	arrival int64 // what was in conflict and came in: its number
}

// takeOver makes the contents that the merge leads to.
func (t *Table) takeOver(s *shot, v *judge.Verdict) (m takenOver, err error) {
	if m.shown, err = t.merged(s, v); err != nil {
		return m, err
	}
	m.agreed = s.rec.R
	if !v.Agreed.Empty() {
		if m.agreed, err = t.applied(s.input.R, v.Agreed); err != nil {
			return m, fmt.Errorf("%s: noting what is agreed: %w", t.path(), err)
		}
	}
	if !v.Merged.Send.Empty() || len(v.Merged.Conflicts) > 0 || len(v.Parked) > 0 {
		return m, nil
	}
	if m.same = t.c.rowStore(); m.same {
		return m, nil
	}
	shown, err := t.openContent(m.shown)
	if err != nil {
		return m, err
	}
	defer shown.close()
	r := t.pin(func(r *record) content { return r.R })
	defer r.release()
	stored, _, err := r.open()
	if err != nil {
		return m, err
	}
	defer stored.close()
	m.same = equalSources(shown, stored)
	return m, nil
}

// showMerged moves S and L.
func (t *Table) showMerged(m takenOver, v *judge.Verdict) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rec.R.Arrival = max(t.rec.R.Arrival, m.arrival)
	m.shown.Arrival, m.agreed.Arrival = t.rec.R.Arrival, t.rec.R.Arrival
	t.rec.S = m.agreed
	if m.same {
		t.rec.S, t.rec.R = m.shown, m.shown
	}
	if t.rec.J.none() {
		t.rec.J = m.shown
	}
	t.conflicts = slices.DeleteFunc(t.conflicts, func(c conflictRecord) bool { return c.Decided == table.Theirs })
	if err := t.showLocked(m.shown, time.Now()); err != nil {
		return err
	}
	if !v.Merged.Send.Empty() {
		t.resaveLocked() // it waited for what came in
	}
	return t.saveWithLocked(state.Normal, t.putConflicts)
}

// merged is L with what comes in, with keys.
func (t *Table) merged(s *shot, v *judge.Verdict) (content, error) {
	document := t.c.props.Form == backends.Documents
	g, err := t.newGeneration()
	if err != nil {
		return content{}, err
	}
	l := table.Content{Source: s.input.L.Source, Keys: v.Keys}
	keys, err := table.Apply(g, l, v.Merged.Take, table.ApplyOptions{Dialect: v.Dialect, RowStore: !document})
	if err != nil {
		g.drop()
		return content{}, fmt.Errorf("%s: merging: %w", t.path(), err)
	}
	x, err := g.finish(false)
	if err != nil {
		return content{}, err
	}
	if s.rec.ShowKeys && !document && !t.c.cfg.HideRowID {
		if x, err = t.addKeys(x, keys); err != nil {
			return content{}, err
		}
	}
	n, err := t.writeKeys(keys, false)
	if err != nil {
		return content{}, err
	}
	x.Keys, x.Rows = n, int64(keys.Len())
	return x, nil
}

// addKeys gives a content the id column if it lacks it.
func (t *Table) addKeys(x content, keys table.Keys) (content, error) {
	src, err := t.openContent(x)
	if err != nil {
		return content{}, err
	}
	defer src.close()
	shown, err := showsKeys(src)
	if err != nil || shown {
		return x, err
	}
	return t.withKeys(table.Content{Source: src, Keys: keys})
}

// refreshAtOpen shows what waits for a fresh open: ids that were assigned. It is
// local work only.
func (t *Table) refreshAtOpen() {
	t.mu.Lock()
	wanted := t.rec.ShowKeys && t.incomingLocked() && t.readers == 0 && len(t.writers) == 0 &&
		time.Since(t.quiet) > t.c.settle() && !t.blockedLocked()
	t.mu.Unlock()
	if !wanted {
		return
	}
	done, ok := t.worker.tryAlone()
	if !ok {
		return
	}
	defer done()
	t.begin()
	defer t.end()
	if err := t.incoming(); err != nil {
		t.c.log.Warn("assigned ids not shown", "path", t.path(), "error", err)
	}
}
