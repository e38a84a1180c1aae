package cache

import (
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// blob is a record body whose strings may be any bytes.
type blob struct{ Data []byte }

func putBlob(tx *state.Tx, kind, id string, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	return tx.Put(kind, id, blob{Data: data})
}

// openConflictsLocked is the number of conflicts that nobody has decided yet.
func (t *Table) openConflictsLocked() int {
	n := 0
	for i := range t.conflicts {
		if t.conflicts[i].Decided == table.Hold {
			n++
		}
	}
	return n
}

// resolverLocked decides conflicts for a verdict: as a person has decided about
// just these values, else as the mount was told to (-o on_conflict).
func (s *shot) resolverLocked() func(table.Conflict) table.Resolution {
	usual := s.t.c.cfg.OnConflict
	decided := map[table.Conflict]table.Resolution{}
	for i := range s.t.conflicts {
		if c := &s.t.conflicts[i]; c.Decided != table.Hold {
			decided[c.Conflict] = c.Decided
		}
	}
	s.asked = map[table.Conflict]bool{}
	return func(c table.Conflict) table.Resolution {
		if r, found := decided[c]; found {
			s.asked[c] = true
			return r
		}
		return usual
	}
}

// noteConflicts writes down what is in conflict now. It replaces what was: those
// that a verdict no longer finds are over.
func (s *shot) noteConflicts(v *judge.Verdict) error {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	since := map[table.Conflict]time.Time{}
	var now []conflictRecord
	for _, c := range t.conflicts {
		since[c.Conflict] = c.Since
		if c.Decided != table.Hold && s.asked[c.Conflict] {
			now = append(now, c)
		}
	}
	for _, c := range v.Merged.Conflicts {
		r := conflictRecord{Conflict: c, Since: since[c]}
		if r.Since.IsZero() {
			r.Since = time.Now()
			t.c.log.Warn("conflict", "path", t.path(), "row", string(c.Key), "column", c.Column,
				"reason", "changed here and in the store", "remedy", "ragasfs confirm "+t.path()+" sends ours, ragasfs discard takes theirs")
		}
		now = append(now, r)
	}
	if len(now) == 0 && len(t.conflicts) == 0 {
		return nil
	}
	t.conflicts = now
	return t.c.db.Update(state.Normal, t.putConflicts)
}

// decideConflictsLocked notes, power safe, what a person says about all open
// conflicts. It is carried out by the next verdict.
func (t *Table) decideConflictsLocked(r table.Resolution) error {
	for i := range t.conflicts {
		if t.conflicts[i].Decided == table.Hold {
			t.conflicts[i].Decided = r
		}
	}
	return t.saveWithLocked(state.Full, t.putConflicts)
}

// putConflicts writes the open conflicts down.
func (t *Table) putConflicts(tx *state.Tx) error {
	if err := tx.DeletePrefix(kindConflict, t.id+"/"); err != nil {
		return err
	}
	for i, c := range t.conflicts {
		if i == 1000 {
			break // the rest is found again when these are decided
		}
		if err := putBlob(tx, kindConflict, numbered(t.id, int64(i)), c); err != nil {
			return err
		}
	}
	return nil
}

// park notes rows that the store refuses.
func (t *Table) park(rows []parkedRecord) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(rows) == 0 && len(t.parked) == 0 {
		return nil
	}
	for _, r := range rows {
		t.parked = slices.DeleteFunc(t.parked, func(p parkedRecord) bool { return p.Key == r.Key })
		t.parked = append(t.parked, r)
		t.c.log.Warn("row refused", "path", t.path(), "row", string(r.Key), "reason", r.Reason,
			"remedy", "change the row, or: ragasfs flush --retry "+t.path())
	}
	return t.putParkedLocked()
}

func (t *Table) putParkedLocked() error {
	return t.c.db.Update(state.Normal, func(tx *state.Tx) error {
		if err := tx.DeletePrefix(kindParked, t.id+"/"); err != nil {
			return err
		}
		for i, p := range t.parked {
			if err := putBlob(tx, kindParked, numbered(t.id, int64(i)), p); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetParked drops parked rows that are no longer what they were: changed,
// sent or deleted since. Those that are tried again are no longer parked.
func (t *Table) forgetParked(still []table.Change) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.worker.retry = false
	n := len(t.parked)
	t.parked = slices.DeleteFunc(t.parked, func(p parkedRecord) bool {
		return !slices.ContainsFunc(still, func(c table.Change) bool { return c.Key == p.Key })
	})
	if len(t.parked) == n {
		return nil
	}
	return t.putParkedLocked()
}
