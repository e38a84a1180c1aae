package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// existsReason is why a new table is held whose name is taken in the store.
const existsReason = "exists in the store: a table of this name was made elsewhere; confirm replaces its content as an edit, mv to another name keeps both"

// create makes the table in the store. done: nothing is left to send (or it is
// held). The folder is listed again first: the name may have been taken since.
func (t *Table) create(ctx context.Context, s *shot, v *judge.Verdict) (done bool, err error) {
	if err := t.c.createProject(ctx, t.project()); err != nil {
		return false, err
	}
	entry, taken, err := t.c.findInStore(ctx, s.rec)
	if errors.Is(err, backends.ErrNotFound) {
		if err := t.c.remakeProject(ctx, t.project()); err != nil {
			return false, err
		}
		entry, taken, err = t.c.findInStore(ctx, s.rec)
	}
	if err != nil {
		return false, err
	}
	if taken {
		if s.input.Confirmed {
			return false, t.adopt(entry)
		}
		return true, t.decide(s, decision{State: "held", Reason: existsReason})
	}
	src, err := t.document(s, v)
	if err != nil {
		return false, err
	}
	defer src.close()
	sum, err := t.makeDurable(src)
	if err != nil {
		return false, err
	}
	in := &intent{SHA1: hex.EncodeToString(sum[:]), Create: true, Ref: t.c.storeRef(s.rec), Nonce: "ragasfs-" + randomID()}
	request := backends.Create{Ref: in.Ref, Nonce: in.Nonce}
	if t.c.rowStore() {
		request.Columns = newColumns(v)
	} else {
		request.Document = documentOf(src, sum)
	}
	if err := t.openIntent(s, v, in); err != nil {
		return false, err
	}
	entry, err = t.c.store.Create(ctx, request)
	switch {
	case errors.Is(err, backends.ErrExists):
		if cerr := t.closeIntent(nil); cerr != nil {
			return false, cerr
		}
		return true, t.decide(s, decision{State: "held", Reason: existsReason})
	case err != nil:
		return false, t.notSent(ctx, fmt.Errorf("%s: creating: %w", s.rec.path(), err))
	}
	if t.c.rowStore() {
		return false, t.madeRows(entry, request.Columns)
	}
	t.c.calls.count(v.Merged.Send)
	return true, t.closeIntent(func() {
		t.madeLocked(entry)
		t.arrivedLocked(t.intent.Document, entry.Version, entry.ModTime)
	})
}

// madeLocked notes that the store has the table.
func (t *Table) madeLocked(entry backends.Entry) {
	t.rec.InStore, t.rec.Ref = true, entry.Ref
	t.rec.Version = entry.Version
	t.madeAt = time.Now()
	if t.rec.Name != encodeName(entry.Ref.Name) {
		t.rec.NewName = t.rec.Name // renamed here while it was made there
	}
	if !entry.ModTime.IsZero() {
		t.rec.StoreTime = entry.ModTime
	}
}

// madeRows notes that a row store has the table, without a row.
func (t *Table) madeRows(entry backends.Entry, columns []table.Column) error {
	g, err := t.newGeneration()
	if err != nil {
		return err
	}
	w := table.NewWriter(g, table.Rendered)
	header := []string{table.RowIDColumn}
	if t.c.cfg.HideRowID {
		header = nil
	}
	for _, c := range columns {
		header = append(header, c.Name)
	}
	err = w.Write(header)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		g.drop()
		return err
	}
	x, err := g.finish(true)
	if err != nil {
		return err
	}
	if x.Keys, err = t.writeKeys(table.Keys{}, true); err != nil {
		return err
	}
	return t.closeIntent(func() {
		t.madeLocked(entry)
		t.rec.Columns = columns
		t.rec.S, t.rec.R = x, x
	})
}

// newColumns are the columns of a new table, typed from their cells.
func newColumns(v *judge.Verdict) []table.Column {
	columns := make([]table.Column, len(v.Header))
	for i, name := range v.Header {
		var cells []string
		for j := range v.Merged.Send.Rows {
			if after := v.Merged.Send.Rows[j].After; i < len(after) {
				cells = append(cells, after[i])
			}
		}
		columns[i] = table.Column{Name: name, Type: table.InferType(cells)}
	}
	return columns
}

// adopt takes the table of the store that has our name as the one we edit.
func (t *Table) adopt(entry backends.Entry) error {
	t.mu.Lock()
	t.madeLocked(entry)
	t.rec.S, t.rec.R, t.rec.J = content{}, content{}, content{}
	t.stale = true
	t.rec.Version = ""
	err := t.saveLocked(state.Normal)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	return t.refresh(t.c.ctx)
}
