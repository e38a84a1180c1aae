package cache

import "context"

// Rows that are added to a table of a row store cost a call each, and what is
// known of those under way is in memory. Many of them go out in parts, so that a
// run which adds a hundred thousand needs no more than one that adds ten.

const (
	// partRows is how many added rows are judged and sent at a time.
	partRows = 10_000
	// partBytes is from how much on what is added goes out in parts though nobody
	// writes any more.
	partBytes = 1 << 20
)

// inPartsLocked reports whether nothing is unsent but much behind S, in a table of
// which nothing else is to be settled.
func (t *Table) inPartsLocked() bool {
	r := &t.rec
	return t.c.rowStore() && r.InStore && !r.S.none() && r.S.Gen == r.L.Gen && r.L.Len-r.S.Len > partBytes &&
		r.R.same(r.S) && !r.Behind && len(t.conflicts) == 0 && len(t.parked) == 0 &&
		r.Confirmed != r.Save.Seq && t.wholeSeq != r.Save.Seq
}

// pushParts judges and pushes, part by part if it must be.
func (t *Table) pushParts(ctx context.Context, what sendable, judgeOnly bool) error {
	for {
		more, err := t.judgeAndPush(ctx, what, judgeOnly)
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
		t.mu.Lock()
		goesOn := t.dirtyLocked() && !t.decidedLocked() && t.rec.S.Gen == t.rec.L.Gen
		t.mu.Unlock()
		if !goesOn {
			return nil
		}
	}
}

// wholeNext has the rest of a save that went out in parts judged as a whole: its
// last record is not ended, or something is wrong with it.
func (t *Table) wholeNext(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wholeSeq = seq
}
