package cache

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// reconcile finds out what became of an open intent, after a crash or a doubtful
// answer, by reading what the store has: what is as it was to be is applied,
// what is as before is not, anything else is a later change by somebody else.
func (t *Table) reconcile(ctx context.Context) error {
	t.mu.Lock()
	open := t.intent
	inStore := t.rec.InStore
	t.mu.Unlock()
	if open == nil {
		t.c.intents.remove(t.id)
		return nil
	}
	if err := t.c.mayPush(ctx); err != nil {
		return err // another store can't tell what became of it
	}
	if open.Create && !inStore {
		return t.reconcileCreate(ctx, open)
	}
	got, err := t.fetch(ctx)
	if errors.Is(err, backends.ErrNotFound) {
		// The table is gone: nothing of the intent is there.
		t.c.vanished([]*Table{t})
		return t.closeIntent(nil)
	}
	if err != nil {
		return err
	}
	t.c.log.Info("looking what became of a push", "path", t.path(), "begun", open.Time.Format(time.RFC3339))
	if t.c.rowStore() {
		return t.reconcileRows(open, got)
	}
	return t.reconcileDocument(open, got)
}

// reconcileCreate: is the table there, and is it ours?
func (t *Table) reconcileCreate(ctx context.Context, open *intent) error {
	entry, found, err := t.c.findMade(ctx, t.id, open)
	if err != nil {
		return err
	}
	if !found {
		return t.closeIntent(nil) // it did not happen
	}
	got, err := t.fetchFrom(ctx, entry.Ref)
	if err != nil {
		return err
	}
	ours := entry.Nonce == open.Nonce
	if t.c.rowStore() {
		if !ours && (entry.Nonce != "" || got.content.Rows > 0) {
			return t.notOurs()
		}
		return t.closeIntent(func() {
			t.madeLocked(entry)
			t.rec.S, t.rec.R = got.content, got.content
			t.tookLocked(got)
		})
	}
	sum, err := t.sha1Of(got.content)
	if err != nil {
		return err
	}
	switch {
	case sum == open.SHA1:
		return t.closeIntent(func() {
			t.madeLocked(entry)
			t.arrivedLocked(t.intent.Document, got.version, got.modTime)
		})
	case !ours:
		return t.notOurs()
	}
	// Made by us, changed by somebody else since.
	if err := t.closeIntent(func() {
		t.madeLocked(entry)
		t.arrivedLocked(t.intent.Document, got.version, got.modTime)
	}); err != nil {
		return err
	}
	return t.takeIn(got)
}

// findMade looks for the table that an intent was to make: by its nonce, else by
// the name that it was to have.
func (c *Cache) findMade(ctx context.Context, id string, open *intent) (entry backends.Entry, found bool, err error) {
	entries, err := c.store.List(ctx, backends.Ref{Project: open.Ref.Project, ProjectID: open.Ref.ProjectID})
	if errors.Is(err, backends.ErrNotFound) {
		return backends.Entry{}, false, nil // not even the project
	}
	if err != nil {
		return backends.Entry{}, false, err
	}
	for _, e := range entries {
		if e.Nonce != "" && e.Nonce == open.Nonce {
			return e, true, nil
		}
		if e.Ref.Kind == open.Ref.Kind && e.Ref.Name == open.Ref.Name && !found && !c.boundElsewhere(id, e.Ref) {
			entry, found = e, true
		}
	}
	return entry, found, nil
}

// notOurs: the name was taken by somebody else while we tried to create it.
func (t *Table) notOurs() error {
	return t.closeIntent(func() {
		t.rec.Decision = &decision{State: "held", Seq: t.rec.Save.Seq, Reason: existsReason, Since: time.Now()}
	})
}

// sha1Of is the checksum of a content that nobody else has.
func (t *Table) sha1Of(x content) (string, error) {
	src, err := t.openContent(x)
	if err != nil {
		return "", err
	}
	defer src.close()
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(src, 0, src.n)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// reconcileDocument: does the store hold the document that was sent?
func (t *Table) reconcileDocument(open *intent, got fetched) error {
	sum, err := t.sha1Of(got.content)
	if err != nil {
		return err
	}
	arrived := func() { t.arrivedLocked(t.intent.Document, got.version, got.modTime) }
	switch {
	case sum == open.SHA1:
		return t.closeIntent(arrived)
	case got.version != "" && got.version == open.Base:
		return t.closeIntent(nil)
	}
	sent := t.pin(func(*record) content { return open.Document })
	defer sent.release()
	if begun, err := t.isBeginning(got, sent); err != nil {
		return err
	} else if begun {
		return t.cutOff(sent, got)
	}
	// Somebody else has written since. Was it on top of ours? The document that is
	// nearer tells: by cells, as a row of ours that was edited there since is as
	// many rows away from both. If it is as near to both, what we sent is taken for
	// lost: sent again it is there twice at worst.
	ours, err := t.compareWith(sent, got)
	if err != nil {
		return err
	}
	r := t.pin(func(r *record) content { return r.R })
	defer r.release()
	before, err := t.compareWith(r, got)
	if err != nil {
		return err
	}
	if distance(ours.Changes) >= distance(before.Changes) {
		arrived = nil
	}
	if err := t.closeIntent(arrived); err != nil {
		return err
	}
	return t.takeIn(got)
}

// distance is the number of cells in which two documents differ.
func distance(c table.Changes) int {
	width := max(len(c.OldHeader), len(c.NewHeader))
	n := len(c.Columns) * width
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Op != table.Update {
			n += width
			continue
		}
		for j, name := range c.NewHeader {
			if at(row.After, j) != at(row.Before, slices.Index(c.OldHeader, name)) {
				n++
			}
		}
	}
	return n
}

// isBeginning reports whether the store holds a beginning of what was sent, and
// more than before: an append that was cut off.
func (t *Table) isBeginning(got fetched, sent *pin) (bool, error) {
	t.mu.Lock()
	before := t.rec.R.Len
	t.mu.Unlock()
	n := got.content.Len
	if n <= before || n >= sent.get().Len {
		return false, nil
	}
	src, err := t.openContent(got.content)
	if err != nil {
		return false, err
	}
	defer src.close()
	begun, _, err := sent.openFirst(n)
	if err != nil {
		return false, err
	}
	defer begun.close()
	return equalSources(src, begun), nil
}

// cutOff takes it that the store holds the first part of what was sent. The rest
// is sent as growth.
func (t *Table) cutOff(sent *pin, got fetched) error {
	src, keys, err := sent.openFirst(got.content.Len)
	if err != nil {
		return err
	}
	defer src.close()
	found, err := table.Check(src)
	if err != nil {
		return err
	}
	var first table.Keys
	first.AddAll(keys, 0, min(found.Records, keys.Len()))
	n, err := t.writeKeys(first, true)
	if err != nil {
		return err
	}
	return t.closeIntent(func() {
		x := sent.content
		x.Len, x.Sum, x.Keys, x.Rows = got.content.Len, got.content.Sum, n, int64(first.Len())
		x.Arrival = t.rec.R.Arrival
		t.rec.S, t.rec.R = x, x
		t.tookLocked(got)
	})
}

// reconcileRows moves S and R by those changes of the intent that the store
// shows, before what it shows besides counts as an arrival.
func (t *Table) reconcileRows(open *intent, got fetched) error {
	sent, err := t.readSent(open)
	if err != nil {
		return err
	}
	r := t.pin(func(r *record) content { return r.R })
	defer r.release()
	cmp, err := t.compareWith(r, got)
	if err != nil {
		return err
	}
	done := appliedOf(sent, cmp.Changes)
	if done.Empty() {
		if err := t.closeIntent(nil); err != nil {
			return err
		}
		return t.takeIn(got)
	}
	x, err := t.applyTo(r, done)
	if err != nil {
		return err
	}
	agreed := x
	s := t.pin(func(r *record) content { return r.S })
	defer s.release()
	if !s.get().same(r.get()) {
		if agreed, err = t.applyTo(s, done); err != nil {
			return err
		}
	}
	t.c.calls.count(done)
	if err := t.closeIntent(func() {
		t.sentRowsLocked(x, agreed)
		t.rec.Version = ""
		t.showKeysLocked(done.Rows)
	}); err != nil {
		return err
	}
	return t.takeIn(got)
}

// appliedOf are those of the sent changes that a comparison R -> store shows as
// done: columns by name, rows by id.
func appliedOf(sent, seen table.Changes) table.Changes {
	done := table.Changes{OldHeader: seen.OldHeader, NewHeader: seen.OldHeader}
	for _, c := range sent.Columns {
		if slices.ContainsFunc(seen.Columns, func(s table.ColumnChange) bool { return s.Op == c.Op && s.Old == c.Old && s.New == c.New }) {
			done.Columns = append(done.Columns, c)
		}
	}
	if len(done.Columns) > 0 {
		if len(done.Columns) != len(sent.Columns) {
			return table.Changes{} // a part only: it counts as what somebody else did
		}
		done.NewHeader = sent.NewHeader
	}
	byKey := make(map[table.Key]*table.Change, len(seen.Rows))
	for i := range seen.Rows {
		byKey[seen.Rows[i].Key] = &seen.Rows[i]
	}
	for i := range sent.Rows {
		c := sent.Rows[i]
		now := byKey[c.Key]
		if now == nil || now.Op != c.Op || c.Op != table.Delete && !cellsApplied(sent, c, seen, *now) {
			continue
		}
		c.Before = byNames(c.Before, sent.OldHeader, done.OldHeader)
		c.After = byNames(c.After, sent.NewHeader, done.NewHeader)
		done.Rows = append(done.Rows, c)
	}
	return done
}

// cellsApplied: the store shows every cell that was sent.
func cellsApplied(sent table.Changes, c table.Change, seen table.Changes, now table.Change) bool {
	after := byNames(now.After, seen.NewHeader, sent.NewHeader)
	before := byNames(c.Before, sent.OldHeader, sent.NewHeader)
	for i, cell := range c.After {
		changed := c.Op == table.Append || at(before, i) != cell
		if changed && at(after, i) != cell && !table.EqualCells(table.Number, cell, at(after, i)) {
			return false
		}
	}
	return true
}

func at(cells []string, i int) string {
	if i >= 0 && i < len(cells) {
		return cells[i]
	}
	return ""
}

// byNames brings cells from one header's order to another's; nil stays nil.
func byNames(cells, from, to []string) []string {
	if cells == nil {
		return nil
	}
	out := make([]string, len(to))
	for i, name := range to {
		if j := slices.Index(from, name); j >= 0 {
			out[i] = at(cells, j)
		}
	}
	return out
}

// applyTo is a content with changes applied, in a new generation with keys.
func (t *Table) applyTo(p *pin, changes table.Changes) (content, error) {
	src, keys, err := p.open()
	if err != nil {
		return content{}, err
	}
	defer src.close()
	return t.applied(table.Content{Source: src, Keys: keys}, changes)
}
