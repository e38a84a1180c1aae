package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// rowPush is one push to a row store.
type rowPush struct {
	t       *Table
	s       *shot
	v       *judge.Verdict
	keys    uint64 // file of the keys of L
	applied []table.Change
	parked  []parkedRecord
	columns bool             // the column changes are applied
	version backends.Version // of the table as far as the answers tell
	known   []table.Column
}

// pushRows sends row changes in batches.
func (t *Table) pushRows(ctx context.Context, s *shot, v *judge.Verdict) error {
	keys, err := t.writeKeys(v.Keys, true)
	if err != nil {
		return err
	}
	t.mu.Lock()
	// The rows of L have their ids from now on: should it be saved again without
	// them, they are found beside it.
	t.rec.J = s.judgedLocked(v, keys)
	t.mu.Unlock()
	if err := t.openIntent(s, v, &intent{Base: s.rec.Version, Keys: keys, Rows: int64(v.Keys.Len())}); err != nil {
		return err
	}
	p := &rowPush{t: t, s: s, v: v, keys: keys, version: s.rec.Version}
	size := t.c.props.MaxBatch
	if size <= 0 || size > 1000 {
		size = 1000
	}
	send := v.Merged.Send
	for first := 0; first == 0 || first < len(send.Rows); first += size {
		part := table.Changes{OldHeader: send.OldHeader, NewHeader: send.NewHeader,
			Rows: send.Rows[first:min(first+size, len(send.Rows))]}
		if first == 0 {
			part.Columns = send.Columns
		}
		if err := p.batch(ctx, part, first); err != nil {
			return p.stop(ctx, err)
		}
	}
	return p.settle(true)
}

// batch sends one batch and takes its answer.
func (p *rowPush) batch(ctx context.Context, part table.Changes, first int) error {
	t := p.t
	if err := t.noteSent(part.Rows, first); err != nil {
		return err
	}
	result, err := t.c.store.Apply(ctx, backends.Batch{Ref: p.s.rec.Ref, Base: p.version, Changes: part, Grows: -1})
	if err != nil {
		return fmt.Errorf("%s: sending rows: %w", p.s.rec.path(), err)
	}
	p.take(part, result)
	for _, o := range result.Outcomes {
		if o.Verdict == backends.Unknown {
			return fmt.Errorf("%s: %w: %w", p.s.rec.path(), backends.ErrUnknown, orUnknown(o.Err))
		}
	}
	t.c.progress(Progress{Path: p.s.rec.path(), Done: int64(first + len(part.Rows)), Left: int64(len(p.v.Merged.Send.Rows) + p.s.rest - first - len(part.Rows))})
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
	p.version = result.Version
	p.columns = p.columns || len(part.Columns) > 0
	if result.Columns != nil {
		p.known = result.Columns
	}
	var applied []table.Change
	for i, o := range result.Outcomes {
		c := part.Rows[i]
		switch o.Verdict {
		case backends.Applied:
			applied = append(applied, c)
		case backends.Refused:
			if isMoved(o.Err) {
				p.t.mu.Lock()
				p.t.stale = true // the store is not what we took it for: merge again
				p.t.mu.Unlock()
				continue
			}
			p.parked = append(p.parked, parkedRecord{Key: c.Key, Hash: judge.HashCells(c.After), Op: c.Op,
				Before: c.Before, After: c.After, Reason: orUnknown(o.Err).Error(), Since: time.Now()})
		}
	}
	p.applied = append(p.applied, applied...)
	p.t.c.calls.count(table.Changes{Rows: applied})
}

// isMoved reports whether a change was refused because the row in the store is
// not what we took it for: to be read and merged again, not to be parked.
func isMoved(err error) bool {
	return errors.Is(err, backends.ErrNotFound) || errors.Is(err, backends.ErrExists) || errors.Is(err, backends.ErrConflict)
}

// stop ends a push that could not go on. What is applied is taken, unless the
// fate of something is not known: then the intent stays open.
func (p *rowPush) stop(ctx context.Context, err error) error {
	if len(p.applied) == 0 && !p.columns && len(p.parked) == 0 {
		return p.t.notSent(ctx, err)
	}
	if errors.Is(err, backends.ErrUnknown) || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, p.settle(false))
}

// settle ends a push of which every change that was sent has its answer: S and R
// move to what the store holds now. whole: everything was sent.
func (p *rowPush) settle(whole bool) error {
	t, s, v := p.t, p.s, p.v
	exact := v.Exact && whole && len(p.applied) == len(v.Merged.Send.Rows)
	var r, agreed content
	var err error
	if !exact {
		if r, agreed, err = t.afterRows(s, p.appliedChanges()); err != nil {
			return err
		}
	}
	if err := t.park(p.parked); err != nil {
		return err
	}
	return t.closeIntent(func() {
		if exact {
			r = t.intent.Frozen
			r.Keys, r.Rows, r.Arrival = p.keys, int64(v.Keys.Len()), t.rec.R.Arrival
			agreed = r
			t.exactLocked(r)
		}
		t.sentRowsLocked(r, agreed)
		t.rec.Version = p.version
		if p.known != nil {
			t.rec.Columns = p.known
		} else if p.columns {
			t.rec.Columns = columnsAfter(t.rec.Columns, v.Merged.Send)
		}
		t.checked = time.Now()
		t.showKeysLocked(p.applied)
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

// afterRows makes what R and S are when the store has taken the changes. S moves
// by them alone: what came in besides joins it when the file gets it, or its
// absence there would pass for a deletion.
func (t *Table) afterRows(s *shot, applied table.Changes) (r, agreed content, err error) {
	if r, err = t.applied(s.input.R, applied); err != nil {
		return r, agreed, fmt.Errorf("%s: noting what the store holds: %w", t.path(), err)
	}
	if s.rec.R.same(s.rec.S) {
		return r, r, nil
	}
	if agreed, err = t.applied(s.input.S, applied); err != nil {
		return r, agreed, fmt.Errorf("%s: noting what is agreed: %w", t.path(), err)
	}
	return r, agreed, nil
}

// sentRowsLocked moves R and S by what was sent; no arrival is in it.
func (t *Table) sentRowsLocked(r, agreed content) {
	r.Arrival = t.rec.R.Arrival
	agreed.Arrival = t.rec.S.Arrival
	if agreed.same(r) {
		agreed.Arrival = r.Arrival
	}
	t.rec.S, t.rec.R = agreed, r
}

// applied makes a new content, power safe, of an old one and changes.
func (t *Table) applied(old table.Content, changes table.Changes) (content, error) {
	dialect := table.Rendered
	if !t.c.rowStore() {
		head := table.NewReader(old.Source, 0, table.Dialect{})
		if _, err := head.Next(); err != nil && !errors.Is(err, io.EOF) {
			return content{}, err
		}
		dialect = head.Dialect()
	}
	g, err := t.newGeneration()
	if err != nil {
		return content{}, err
	}
	keys, err := table.Apply(g, old, changes, table.ApplyOptions{Dialect: dialect, RowStore: t.c.rowStore()})
	if err != nil {
		g.drop()
		return content{}, err
	}
	x, err := g.finish(true)
	if err != nil {
		return content{}, err
	}
	n, err := t.writeKeys(keys, true)
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
func (t *Table) showKeysLocked(applied []table.Change) {
	if t.c.cfg.HideRowID {
		return
	}
	for i := range applied {
		if applied[i].Op == table.Append {
			t.rec.ShowKeys = true
			return
		}
	}
}
