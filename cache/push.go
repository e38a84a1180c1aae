package cache

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// push sends what a verdict says. It works on frozen contents; writes that
// arrive meanwhile are the next push.
func (t *Table) push(ctx context.Context, s *shot, v *judge.Verdict) error {
	if err := t.c.mayPush(); err != nil {
		return err
	}
	release, err := t.c.slot(ctx)
	if err != nil {
		return err
	}
	defer release()
	t.setPushing(true)
	defer t.setPushing(false)
	started := time.Now()
	if !t.inStore() {
		done, err := t.create(ctx, s, v)
		if err != nil || done {
			return err
		}
		// A row store has the empty table now; its rows follow as an ordinary push.
		t.wake(0)
		return nil
	}
	if t.c.props.Form == backends.Documents {
		err = t.pushDocument(ctx, s, v)
	} else {
		err = t.pushRows(ctx, s, v)
	}
	t.mu.Lock()
	t.pushTook = time.Since(started)
	t.mu.Unlock()
	if errors.Is(err, backends.ErrConflict) {
		t.mu.Lock()
		t.stale = true
		t.mu.Unlock()
	}
	if err == nil {
		t.succeeded()
	}
	return err
}

func (t *Table) setPushing(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pushing = on
}

// document is the content that a document store is to get: L itself, or L with
// what comes in. Its keys are written.
func (t *Table) document(s *shot, v *judge.Verdict) (content, error) {
	var x content
	keys := v.Keys
	if v.Exact {
		t.mu.Lock()
		x = s.held
		t.mu.Unlock()
	} else {
		g, err := t.newGeneration()
		if err != nil {
			return content{}, err
		}
		l := table.Content{Source: s.input.L.Source, Keys: v.Keys}
		keys, err = table.Apply(g, l, v.Merged.Document, table.ApplyOptions{Dialect: v.Dialect})
		if err != nil {
			g.drop()
			return content{}, fmt.Errorf("%s: merging: %w", t.path(), err)
		}
		if x, err = g.finish(true); err != nil {
			return content{}, err
		}
	}
	n, err := t.writeKeys(keys, true)
	if err != nil {
		return content{}, err
	}
	x.Keys, x.Rows = n, int64(keys.Len())
	return x, nil
}

// pushDocument sends a whole document.
func (t *Table) pushDocument(ctx context.Context, s *shot, v *judge.Verdict) error {
	x, err := t.document(s, v)
	if err != nil {
		return err
	}
	src, err := t.openContent(x)
	if err != nil {
		return err
	}
	defer src.Close()
	sum, err := t.makeDurable(src)
	if err != nil {
		return err
	}
	in := &intent{
		Push: randomID(), Time: time.Now(), Base: s.rec.Version, SaveSeq: s.rec.Save.Seq,
		Document: x, SHA1: hex.EncodeToString(sum[:]), Exact: v.Exact,
	}
	if err := t.openIntent(s, in, v, nil); err != nil {
		return err
	}
	grows := int64(-1)
	if v.Exact && s.rec.S.Gen == s.rec.L.Gen && s.rec.R.same(s.rec.S) && src.n > s.rec.S.Len {
		grows = s.rec.S.Len
	}
	batch := backends.Batch{
		Ref: s.rec.Ref, Base: s.rec.Version, Changes: v.Merged.Send, Grows: grows,
		Document: backends.Document{Size: src.n, SHA1: sum, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.NewSectionReader(src, 0, src.n)), nil
		}},
	}
	result, err := t.c.store.Apply(ctx, batch)
	if err != nil {
		if !errors.Is(err, backends.ErrUnknown) && ctx.Err() == nil {
			// Certainly not there: the intent is closed.
			if cerr := t.closeIntent(nil); cerr != nil {
				return errors.Join(err, cerr)
			}
		}
		return fmt.Errorf("%s: sending: %w", s.rec.path(), err)
	}
	t.c.calls.count(v.Merged.Send)
	return t.closeIntent(func() {
		t.arrivedLocked(t.intent.Document, result.Version, result.ModTime)
	})
}

// arrivedLocked notes that the store holds x, which was sent: it is what file
// and store agree on now.
func (t *Table) arrivedLocked(x content, version backends.Version, when time.Time) {
	x.Arrival = t.rec.R.Arrival
	if t.intent != nil && t.intent.Exact {
		t.rec.J = t.intent.Document
		if t.rec.L.Gen == x.Gen && t.rec.L.Len == x.Len {
			t.rec.L.Keys, t.rec.L.Rows = x.Keys, x.Rows
		}
	}
	t.rec.S, t.rec.R = x, x
	t.rec.Version = version
	if !when.IsZero() {
		t.rec.StoreTime = when
	}
	t.rec.StoreSize = x.Len
	t.checked = time.Now()
	t.stale = version == ""
	if t.intent != nil {
		t.sentLocked(t.intent)
	}
}

// sentLocked notes that the save of the intent has reached the store.
func (t *Table) sentLocked(in *intent) {
	if t.rec.Save.Seq == in.SaveSeq && in.Frozen.Len >= t.rec.Save.Len {
		t.rec.CleanSeq = in.SaveSeq
		t.rec.Pending = PendingRows{}
		t.rec.Replaces = false
		t.rec.Decision = nil
		t.firstDirty = time.Time{}
		return
	}
	t.firstDirty = time.Now()
}

// makeDurable syncs a content before it is named in an intent, and returns its sha1.
func (t *Table) makeDurable(src *fileSource) ([sha1.Size]byte, error) {
	var sum [sha1.Size]byte
	h := sha1.New()
	if _, err := io.Copy(h, io.NewSectionReader(src, 0, src.n)); err != nil {
		return sum, fmt.Errorf("%s: %w", t.path(), err)
	}
	h.Sum(sum[:0])
	src.mu.RLock()
	defer src.mu.RUnlock()
	if err := t.c.disk.Sync("intent:content", src.f); err != nil {
		return sum, err
	}
	return sum, t.c.disk.SyncDir("intent:dir", t.dir)
}

// openIntent writes down what is about to be sent.
func (t *Table) openIntent(s *shot, in *intent, v *judge.Verdict, also func(*state.Tx) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	in.Frozen = s.held
	t.intent = in
	t.c.intents.add(t.id)
	err := t.c.db.Update(state.Full, func(tx *state.Tx) error {
		if err := tx.Put(kindIntent, t.id, in); err != nil {
			return err
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return tx.Put(kindTable, t.id, &t.rec)
	})
	if err != nil {
		t.intent = nil
		t.c.intents.remove(t.id)
		return fmt.Errorf("%s: the intent to send could not be noted, nothing was sent: %w", t.path(), err)
	}
	t.protectLocked()
	return nil
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
	t.protectLocked()
	err := t.c.db.Update(state.Normal, func(tx *state.Tx) error {
		if err := tx.Delete(kindIntent, t.id); err != nil {
			return err
		}
		if err := t.putConflicts(tx); err != nil {
			return err
		}
		return tx.Put(kindTable, t.id, &t.rec)
	})
	if err != nil {
		t.intent = in // reconciled later: what the store holds tells
	} else {
		t.c.intents.remove(t.id)
	}
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: the answer of the store could not be noted: %w", t.path(), err)
	}
	return t.c.dropSent(t.id)
}

// pushRows sends row changes in batches.
func (t *Table) pushRows(ctx context.Context, s *shot, v *judge.Verdict) error {
	send := v.Merged.Send
	keys, err := t.writeKeys(v.Keys, true)
	if err != nil {
		return err
	}
	p := &rowPush{t: t, s: s, v: v, keys: keys}
	in := &intent{Push: randomID(), Time: time.Now(), Base: s.rec.Version, SaveSeq: s.rec.Save.Seq, Exact: v.Exact, Keys: keys, Rows: int64(v.Keys.Len())}
	if err := t.openIntent(s, in, v, func(*state.Tx) error {
		t.rec.J = s.judgedLocked(v, keys)
		return nil
	}); err != nil {
		return err
	}
	size := t.c.props.MaxBatch
	if size <= 0 || size > 1000 {
		size = 1000
	}
	for first := 0; first == 0 || first < len(send.Rows); first += size {
		part := table.Changes{OldHeader: send.OldHeader, NewHeader: send.NewHeader,
			Rows: send.Rows[first:min(first+size, len(send.Rows))]}
		if first == 0 {
			part.Columns = send.Columns
		}
		if err := p.batch(ctx, part, first); err != nil {
			return p.stop(err)
		}
	}
	return p.finish()
}

// rowPush is one push to a row store.
type rowPush struct {
	t       *Table
	s       *shot
	v       *judge.Verdict
	keys    uint64
	applied []table.Change
	parked  []parkedRecord
	columns bool // the column changes are applied
	version backends.Version
	known   []table.Column
}

// batch sends one batch and takes its answer.
func (p *rowPush) batch(ctx context.Context, part table.Changes, first int) error {
	t := p.t
	err := t.c.db.Update(state.Full, func(tx *state.Tx) error {
		for i := range part.Rows {
			body := sentChange{Change: part.Rows[i], OldHeader: part.OldHeader, NewHeader: part.NewHeader}
			if err := tx.Put(kindSent, numbered(t.id, int64(first+i)), body); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: the intent to send could not be noted: %w", t.path(), err)
	}
	base := p.version
	if first == 0 {
		base = p.s.rec.Version
	}
	result, err := t.c.store.Apply(ctx, backends.Batch{Ref: p.s.rec.Ref, Base: base, Changes: part, Grows: -1})
	if err == nil || errors.Is(err, backends.ErrUnknown) {
		p.columns = p.columns || err == nil
		p.take(part, result)
	}
	if err != nil {
		return fmt.Errorf("%s: sending rows: %w", p.s.rec.path(), err)
	}
	p.version = result.Version
	if result.Columns != nil {
		p.known = result.Columns
	}
	for _, o := range result.Outcomes {
		if o.Verdict == backends.Unknown {
			return fmt.Errorf("%s: %w: %w", p.s.rec.path(), backends.ErrUnknown, orUnknown(o.Err))
		}
	}
	t.c.progress(Progress{Path: p.s.rec.path(), Done: int64(first + len(part.Rows)), Left: int64(len(p.v.Merged.Send.Rows) - first - len(part.Rows))})
	return nil
}

func orUnknown(err error) error {
	if err == nil {
		return errors.New("the store did not say")
	}
	return err
}

// take sorts the outcomes.
func (p *rowPush) take(part table.Changes, result backends.Result) {
	for i, o := range result.Outcomes {
		c := part.Rows[i]
		switch o.Verdict {
		case backends.Applied:
			p.applied = append(p.applied, c)
		case backends.Refused:
			if errors.Is(o.Err, backends.ErrNotFound) || errors.Is(o.Err, backends.ErrExists) {
				p.t.mu.Lock()
				p.t.stale = true // the store is not what we took it for: merge again
				p.t.mu.Unlock()
				continue
			}
			p.parked = append(p.parked, parkedRecord{Key: c.Key, Hash: judge.HashCells(c.After), Op: c.Op,
				Before: c.Before, After: c.After, Reason: orUnknown(o.Err).Error(), Since: time.Now()})
		}
	}
	p.t.c.calls.count(table.Changes{Rows: p.applied[max(0, len(p.applied)-len(result.Outcomes)):]})
}

// stop ends a push that could not go on. What is applied is taken, unless the
// fate of something is not known: then the intent stays open.
func (p *rowPush) stop(err error) error {
	if errors.Is(err, backends.ErrUnknown) || p.t.c.ctx.Err() != nil {
		return err
	}
	if ferr := p.settle(false); ferr != nil {
		return errors.Join(err, ferr)
	}
	return err
}

// finish ends a push of which every change has its answer.
func (p *rowPush) finish() error { return p.settle(true) }

// settle moves S and R to what the store holds now.
func (p *rowPush) settle(whole bool) error {
	t, s, v := p.t, p.s, p.v
	all := whole && len(p.applied) == len(v.Merged.Send.Rows)
	var x content
	var err error
	exact := v.Exact && all
	if !exact {
		if x, err = t.afterRows(s, p.appliedChanges()); err != nil {
			return err
		}
	}
	if err := t.park(p.parked); err != nil {
		return err
	}
	return t.closeIntent(func() {
		if exact {
			x = t.intent.Frozen
			x.Keys, x.Rows = p.keys, int64(v.Keys.Len())
			if t.rec.L.same(x) {
				t.rec.L.Keys, t.rec.L.Rows = x.Keys, x.Rows
			}
		}
		x.Arrival = t.rec.R.Arrival
		t.rec.S, t.rec.R = x, x
		t.rec.Version = p.version
		if p.known != nil {
			t.rec.Columns = p.known
		} else if p.columns {
			t.rec.Columns = columnsAfter(t.rec.Columns, v.Merged.Send)
		}
		t.checked = time.Now()
		if exact {
			t.showKeysLocked(v)
		}
		if whole {
			t.sentLocked(t.intent)
		}
	})
}

// appliedChanges are the changes that the store has taken.
func (p *rowPush) appliedChanges() table.Changes {
	send := p.v.Merged.Send
	c := table.Changes{OldHeader: send.OldHeader, NewHeader: send.NewHeader, Rows: p.applied}
	if p.columns {
		c.Columns = send.Columns
	} else {
		c.NewHeader = send.OldHeader
	}
	return c
}

// afterRows makes the content that the store holds after the changes: R with
// them applied.
func (t *Table) afterRows(s *shot, applied table.Changes) (content, error) {
	g, err := t.newGeneration()
	if err != nil {
		return content{}, err
	}
	keys, err := table.Apply(g, s.input.R, applied, table.ApplyOptions{Dialect: table.Rendered, RowStore: true})
	if err != nil {
		g.drop()
		return content{}, fmt.Errorf("%s: noting what the store holds: %w", t.path(), err)
	}
	x, err := g.finish(false)
	if err != nil {
		return content{}, err
	}
	n, err := t.writeKeys(keys, false)
	if err != nil {
		return content{}, err
	}
	x.Keys, x.Rows = n, int64(keys.Len())
	return x, nil
}

// columnsAfter are the columns of a row store after column changes.
func columnsAfter(old []table.Column, c table.Changes) []table.Column {
	known := map[string]table.Column{}
	for _, col := range old {
		known[col.Name] = col
	}
	for _, ch := range c.Columns {
		switch ch.Op {
		case table.AddColumn:
			known[ch.New] = table.Column{Name: ch.New, Type: ch.Type}
		case table.RenameColumn:
			col := known[ch.Old]
			col.Name = ch.New
			known[ch.New] = col
		}
	}
	var after []table.Column
	for _, name := range c.NewHeader {
		if col, ok := known[name]; ok {
			after = append(after, col)
		} else {
			after = append(after, table.Column{Name: name, Type: table.Text})
		}
	}
	return after
}

// showKeysLocked notes whether L lacks ids that were assigned.
func (t *Table) showKeysLocked(v *judge.Verdict) {
	if t.c.cfg.HideRowID {
		return
	}
	for i := range v.Merged.Send.Rows {
		if v.Merged.Send.Rows[i].Op == table.Append {
			t.rec.ShowKeys = true
			return
		}
	}
}
