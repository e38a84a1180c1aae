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

func (t *Table) conflictList() []conflictRecord {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.conflicts)
}

// filterConflicts takes cells in conflict out of what is sent: those found now,
// and those found before and not decided yet. The file keeps ours, the store
// theirs.
func (s *shot) filterConflicts(v *judge.Verdict) error {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.conflicts)
	now := v.Merged.Conflicts
	var open []conflictRecord
	for _, c := range t.conflicts {
		if slices.ContainsFunc(now, func(n table.Conflict) bool { return n.Key == c.Key && n.Column == c.Column }) {
			continue // found again, with today's values
		}
		if holdBack(v, &c.Conflict) {
			open = append(open, c)
		}
	}
	for _, c := range now {
		r := conflictRecord{Conflict: c, Since: time.Now()}
		open = append(open, r)
		t.c.log.Warn("conflict", "path", t.path(), "row", string(c.Key), "column", c.Column,
			"reason", "changed here and in the store", "remedy", "ragasfs confirm "+t.path()+" sends ours, ragasfs discard takes theirs")
	}
	t.conflicts = open
	if len(open) == 0 && before == 0 {
		return nil
	}
	if len(open) > 0 {
		v.Exact = false
	}
	return t.c.db.Update(state.Normal, t.putConflicts)
}

// holdBack removes one cell from what is sent, and has the document keep theirs.
// False: the conflict is over, the file says what the store says.
func holdBack(v *judge.Verdict, c *table.Conflict) bool {
	send := &v.Merged.Send
	at := slices.Index(send.NewHeader, c.Column)
	for i := range send.Rows {
		row := &send.Rows[i]
		if row.Key != c.Key {
			continue
		}
		if row.Op != table.Update || at < 0 || at >= len(row.After) || at >= len(row.Before) || len(send.Columns) > 0 {
			return false // the row as a whole was decided by a later save
		}
		if row.After[at] == row.Before[at] {
			return false
		}
		c.Ours, c.Theirs = row.After[at], row.Before[at]
		ours := slices.Clone(row.After)
		row.After = slices.Clone(row.After)
		row.After[at] = c.Theirs
		keepTheirs(&v.Merged.Document, *send, row.Key, ours, row.After)
		if slices.Equal(row.After, row.Before) {
			send.Rows = slices.Delete(send.Rows, i, i+1)
		}
		return true
	}
	return false
}

// keepTheirs makes the document differ from L in a row: ours -> theirs.
func keepTheirs(d *table.Changes, send table.Changes, key table.Key, ours, theirs []string) {
	for i := range d.Rows {
		if d.Rows[i].Key == key && d.Rows[i].Op == table.Update {
			for j := range min(len(theirs), len(d.Rows[i].After)) {
				if ours[j] != theirs[j] {
					d.Rows[i].After[j] = theirs[j]
				}
			}
			return
		}
	}
	if len(d.NewHeader) == 0 {
		d.OldHeader, d.NewHeader = send.NewHeader, send.NewHeader
	}
	d.Rows = append(d.Rows, table.Change{Op: table.Update, Key: key, Before: ours, After: slices.Clone(theirs)})
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
