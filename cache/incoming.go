package cache

import (
	"fmt"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
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
	document := t.c.props.Form == backends.Documents
	if clean && moved && document {
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
	if v.State == judge.Invalid {
		return nil // it stays as it is until a better save
	}
	if err := s.filterConflicts(v); err != nil {
		return err
	}
	x, err := t.merged(s, v)
	if err != nil {
		return err
	}
	if !s.current() {
		t.wake(0)
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x.Arrival = t.rec.R.Arrival
	t.rec.S = t.rec.R
	t.rec.J = x
	if len(v.Merged.Send.Rows) == 0 && len(v.Merged.Send.Columns) == 0 && len(t.conflicts) == 0 && !document {
		t.rec.S, t.rec.R = x, x // row for row the same
	}
	return t.showLocked(x, time.Now())
}

// merged is L with what comes in, with keys.
func (t *Table) merged(s *shot, v *judge.Verdict) (content, error) {
	document := t.c.props.Form == backends.Documents
	if document && s.rec.R.same(s.rec.S) && len(v.Merged.Send.Rows) == 0 && len(t.conflictList()) == 0 && s.rec.S.Keys != 0 {
		// What was sent last was exactly this.
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.rec.S, nil
	}
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
