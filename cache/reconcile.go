package cache

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/state"
)

// reconcile finds out what became of an open intent, after a crash or a doubtful
// answer, by reading what the store has: what is as it was to be is applied,
// what is as before is not, anything else is a later change by somebody else.
func (t *Table) reconcile(ctx context.Context) error {
	t.mu.Lock()
	in := t.intent
	inStore := t.rec.InStore
	t.mu.Unlock()
	if in == nil {
		t.c.intents.remove(t.id)
		return nil
	}
	if in.Create && !inStore {
		return t.reconcileCreate(ctx, *in)
	}
	got, err := t.fetch(ctx)
	if errors.Is(err, backends.ErrNotFound) {
		// The table is gone: nothing of the intent is there.
		t.c.vanished(t)
		return t.closeIntent(nil)
	}
	if err != nil {
		return err
	}
	t.c.log.Info("looking what became of a push", "path", t.path(), "begun", in.Time.Format(time.RFC3339))
	if t.c.props.Form == backends.Documents {
		return t.reconcileDocument(*in, got)
	}
	return t.reconcileRows(got)
}

// reconcileCreate: is the table there, and is it ours?
func (t *Table) reconcileCreate(ctx context.Context, in intent) error {
	t.mu.Lock()
	rec := t.rec
	t.mu.Unlock()
	entry, taken, err := t.c.findInStore(ctx, rec)
	if err != nil && !errors.Is(err, backends.ErrNotFound) {
		return err
	}
	if !taken {
		return t.closeIntent(nil) // it did not happen
	}
	t.mu.Lock()
	t.rec.Ref = entry.Ref
	t.mu.Unlock()
	got, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	if t.c.props.Form == backends.Documents {
		sum, err := t.sha1Of(got.content)
		if err != nil {
			return err
		}
		if sum != in.SHA1 {
			return t.notOurs()
		}
		return t.closeIntent(func() { t.madeLocked(entry); t.arrivedLocked(t.intent.Document, got.version, got.modTime) })
	}
	if got.content.Rows > 0 {
		return t.notOurs()
	}
	return t.closeIntent(func() {
		t.madeLocked(entry)
		t.rec.S, t.rec.R = got.content, got.content
		t.tookLocked(got)
	})
}

// notOurs: the name was taken by somebody else while we tried to create it.
func (t *Table) notOurs() error {
	return t.closeIntent(func() {
		t.rec.Ref.ID = ""
		t.rec.Decision = &decision{State: "held", Op: "create", Seq: t.rec.Save.Seq, Reason: existsReason, Since: time.Now()}
	})
}

func (t *Table) sha1Of(x content) (string, error) {
	src, err := t.openContent(x)
	if err != nil {
		return "", err
	}
	defer src.Close()
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(src, 0, src.n)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (t *Table) reconcileDocument(in intent, got fetched) error {
	sum, err := t.sha1Of(got.content)
	if err != nil {
		return err
	}
	if sum == in.SHA1 {
		return t.closeIntent(func() { t.arrivedLocked(t.intent.Document, got.version, got.modTime) })
	}
	if got.version != "" && got.version == in.Base {
		return t.closeIntent(nil)
	}
	// Somebody else has written since. Was it on top of ours? The document that is
	// nearer tells.
	ours, err := t.compareWith(in.Document, got)
	if err != nil {
		return err
	}
	t.mu.Lock()
	r := t.rec.R
	t.mu.Unlock()
	before, err := t.compareWith(r, got)
	if err != nil {
		return err
	}
	if len(ours.Changes.Rows) < len(before.Changes.Rows) {
		if err := t.closeIntent(func() { t.arrivedLocked(t.intent.Document, got.version, got.modTime) }); err != nil {
			return err
		}
	} else if err := t.closeIntent(nil); err != nil {
		return err
	}
	return t.takeIn(got)
}

// reconcileRows moves S and R by those changes of the intent that the store
// shows, before what it shows besides counts as an arrival.
func (t *Table) reconcileRows(got fetched) error {
	sent, err := t.readSent()
	if err != nil {
		return err
	}
	t.mu.Lock()
	r := t.rec.R
	t.mu.Unlock()
	cmp, err := t.compareWith(r, got)
	if err != nil {
		return err
	}
	applied := appliedOf(sent, cmp.Changes)
	if len(applied.Rows) > 0 || len(cmp.Changes.Columns) > 0 && len(applied.Columns) > 0 {
		x, err := t.applyTo(r, applied)
		if err != nil {
			return err
		}
		t.c.calls.count(applied)
		t.mu.Lock()
		x.Arrival = t.rec.R.Arrival
		t.rec.S, t.rec.R = x, x
		err = t.saveLocked(state.Normal)
		t.mu.Unlock()
		if err != nil {
			return err
		}
	}
	if err := t.closeIntent(nil); err != nil {
		return err
	}
	return t.takeIn(got)
}

// readSent returns the changes of the open intent.
func (t *Table) readSent() (table.Changes, error) {
	var c table.Changes
	err := t.c.db.View(func(tx *state.Tx) error {
		return tx.Each(kindSent, t.id+"/", func(_ string, read func(any) error) error {
			var s sentChange
			if err := read(&s); err != nil {
				return err
			}
			c.OldHeader, c.NewHeader = s.OldHeader, s.NewHeader
			c.Rows = append(c.Rows, s.Change)
			return nil
		})
	})
	return c, err
}

// appliedOf are those of the sent changes that a comparison R -> store shows as
// done, by row id.
func appliedOf(sent, seen table.Changes) table.Changes {
	byKey := make(map[table.Key]*table.Change, len(seen.Rows))
	for i := range seen.Rows {
		byKey[seen.Rows[i].Key] = &seen.Rows[i]
	}
	done := table.Changes{OldHeader: seen.OldHeader, NewHeader: seen.OldHeader}
	for i := range sent.Rows {
		c := sent.Rows[i]
		now := byKey[c.Key]
		if now == nil || now.Op != c.Op {
			continue
		}
		if c.Op != table.Delete && !cellsApplied(sent, c, seen, *now) {
			continue
		}
		if c.Op == table.Append && !slices.Equal(sent.NewHeader, seen.OldHeader) {
			c.After = byNames(c.After, sent.NewHeader, seen.OldHeader)
		}
		if c.Op == table.Update {
			c.Before = byNames(c.Before, sent.OldHeader, seen.OldHeader)
			c.After = byNames(c.After, sent.NewHeader, seen.OldHeader)
		}
		done.Rows = append(done.Rows, c)
	}
	return done
}

// cellsApplied: the store shows every cell that was sent.
func cellsApplied(sent table.Changes, c table.Change, seen table.Changes, now table.Change) bool {
	after := byNames(now.After, seen.NewHeader, sent.NewHeader)
	for i, cell := range c.After {
		changed := c.Op == table.Append || i >= len(c.Before) || c.Before[i] != cell
		if changed && (i >= len(after) || after[i] != cell) && !table.EqualCells(table.Number, cell, at(after, i)) {
			return false
		}
	}
	return true
}

func at(cells []string, i int) string {
	if i < len(cells) {
		return cells[i]
	}
	return ""
}

// byNames brings cells from one header's order to another's.
func byNames(cells, from, to []string) []string {
	out := make([]string, len(to))
	for i, name := range to {
		if j := slices.Index(from, name); j >= 0 {
			out[i] = at(cells, j)
		}
	}
	return out
}

// applyTo is a content with changes applied, in a new generation with keys.
func (t *Table) applyTo(x content, changes table.Changes) (content, error) {
	src, err := t.openContent(x)
	if err != nil {
		return content{}, err
	}
	defer src.Close()
	keys, err := t.keysOf(x)
	if err != nil {
		return content{}, err
	}
	g, err := t.newGeneration()
	if err != nil {
		return content{}, err
	}
	keys, err = table.Apply(g, table.Content{Source: src, Keys: keys}, changes, table.ApplyOptions{
		Dialect: table.Rendered, RowStore: t.c.props.Form == backends.Rows})
	if err != nil {
		g.drop()
		return content{}, fmt.Errorf("%s: %w", t.path(), err)
	}
	y, err := g.finish(false)
	if err != nil {
		return content{}, err
	}
	n, err := t.writeKeys(keys, false)
	if err != nil {
		return content{}, err
	}
	y.Keys, y.Rows = n, int64(keys.Len())
	return y, nil
}

// dropSent removes the changes of a closed intent.
func (c *Cache) dropSent(tableID string) error {
	return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.DeletePrefix(kindSent, tableID+"/") })
}
