package cache

import (
	"errors"
	"fmt"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// openIntent writes down what is about to be sent, power safe, and fills in what
// every intent holds. Of a row store's changes it holds the columns; the rows
// follow batch by batch (noteSent).
func (t *Table) openIntent(s *shot, v *judge.Verdict, in *intent) error {
	if err := t.makeSafe(); err != nil {
		return fmt.Errorf("%s: nothing was sent: %w", t.path(), err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	in.Push, in.Time, in.SaveSeq, in.Exact = randomID(), time.Now(), s.rec.Save.Seq, v.Exact
	in.Frozen, in.Document, in.Agreed = s.held, s.document, s.agreed
	head := sentHead{OldHeader: v.Merged.Send.OldHeader, NewHeader: v.Merged.Send.NewHeader, Columns: v.Merged.Send.Columns}
	t.intent = in
	t.c.intents.add(t.id)
	err := t.saveWithLocked(state.Full, func(tx *state.Tx) error {
		return putBlob(tx, kindSent, in.sentID(t.id), head)
	})
	if err != nil {
		t.intent = nil
		t.c.intents.remove(t.id)
		t.protectLocked()
		return fmt.Errorf("nothing was sent: %w", err)
	}
	return nil
}

// sentID is the id of the records of what the intent sends. Left-overs of an
// earlier push have others.
func (in *intent) sentID(table string) string { return table + "/" + in.Push + "/" }

// noteSent adds rows to the open intent, power safe, before they are sent. first
// is the number of the first of them.
func (t *Table) noteSent(rows []table.Change, first int) error {
	t.mu.Lock()
	id := t.intent.sentID(t.id)
	t.mu.Unlock()
	err := t.c.db.Update(state.Full, func(tx *state.Tx) error {
		for i := range rows {
			if err := putBlob(tx, kindSent, fmt.Sprintf("%s%012d", id, first+i), rows[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: the intent to send could not be noted: %w", t.path(), err)
	}
	return nil
}

// readSent returns the changes of an intent.
func (t *Table) readSent(in *intent) (table.Changes, error) {
	var c table.Changes
	id := in.sentID(t.id)
	err := t.c.db.View(func(tx *state.Tx) error {
		return tx.Each(kindSent, id, func(record string, read func(any) error) error {
			var b blob
			if err := read(&b); err != nil {
				return err
			}
			if record == id {
				var head sentHead
				err := decode(b.Data, &head)
				c.OldHeader, c.NewHeader, c.Columns = head.OldHeader, head.NewHeader, head.Columns
				return err
			}
			var row table.Change
			err := decode(b.Data, &row)
			c.Rows = append(c.Rows, row)
			return err
		})
	})
	if err != nil {
		return c, fmt.Errorf("%s: what was sent: %w", t.path(), err)
	}
	return c, nil
}

// closeIntent ends the open intent: the fate of everything in it is known.
// change, if not nil, says what has become of it, under the lock.
func (t *Table) closeIntent(change func()) error {
	t.mu.Lock()
	if change != nil {
		change()
	}
	in := t.intent
	t.intent = nil
	err := t.saveWithLocked(state.Normal, func(tx *state.Tx) error {
		return errors.Join(tx.Delete(kindIntent, t.id), t.putConflicts(tx))
	})
	if err != nil {
		t.intent = in // reconciled later: what the store holds tells
		t.protectLocked()
	} else {
		t.c.intents.remove(t.id)
	}
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: the answer of the store could not be noted: %w", t.path(), err)
	}
	return t.c.dropSent(t.id)
}

// dropSent removes the changes of closed intents.
func (c *Cache) dropSent(tableID string) error {
	return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.DeletePrefix(kindSent, tableID+"/") })
}
