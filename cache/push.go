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
	"github.com/ragasfs/ragasfs/cache/judge"
)

// push sends what a verdict says. It works on frozen contents; writes that
// arrive meanwhile are the next push.
func (t *Table) push(ctx context.Context, s *shot, v *judge.Verdict) error {
	if err := t.c.mayPush(ctx); err != nil {
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
	if errors.Is(err, backends.ErrConflict) {
		t.stale = true
	}
	t.mu.Unlock()
	if errors.Is(err, backends.ErrNotFound) {
		t.c.freshness.listAgain(time.Second) // a complete listing decides whether it is gone
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

// document makes the content that a document store is to get: L itself, or L
// with what comes in. Its keys are written. It is s.document from then on, and
// stays as it is while s lives. The source is closed by the caller.
func (t *Table) document(s *shot, v *judge.Verdict) (*fileSource, error) {
	ours, err := t.writeKeys(v.Keys, true)
	if err != nil {
		return nil, err
	}
	var merged, agreed content
	if !v.Exact {
		if merged, agreed, err = t.mergedDocument(s, v); err != nil {
			return nil, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := s.judgedLocked(v, ours)
	t.rec.J = l
	if v.Exact {
		merged = l
	}
	s.document, s.agreed = merged, agreed
	t.protectLocked()
	return t.openContentLocked(s.document)
}

// mergedDocument makes a document of L and what came in, and what S becomes when
// the store has it: S with what is sent. What came in is agreed on only when the
// file has it, or its absence there would pass for a deletion.
func (t *Table) mergedDocument(s *shot, v *judge.Verdict) (merged, agreed content, err error) {
	g, err := t.newGeneration()
	if err != nil {
		return content{}, content{}, err
	}
	l := table.Content{Source: s.input.L.Source, Keys: v.Keys}
	keys, err := table.Apply(g, l, v.Merged.Document, table.ApplyOptions{Dialect: v.Dialect})
	if err != nil {
		g.drop()
		return content{}, content{}, fmt.Errorf("%s: merging: %w", t.path(), err)
	}
	if merged, err = g.finish(true); err != nil {
		return content{}, content{}, err
	}
	if merged.Keys, err = t.writeKeys(keys, true); err != nil {
		return content{}, content{}, err
	}
	merged.Rows = int64(keys.Len())
	if s.rec.S.none() {
		return merged, content{}, nil
	}
	if agreed, err = t.applied(s.input.S, v.Merged.Send); err != nil {
		return content{}, content{}, fmt.Errorf("%s: noting what is agreed: %w", t.path(), err)
	}
	return merged, agreed, nil
}

// documentOf is a source as the backend takes it.
func documentOf(src *fileSource, sum [sha1.Size]byte) backends.Document {
	return backends.Document{Size: src.n, SHA1: sum, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(src, 0, src.n)), nil
	}}
}

// pushDocument sends a whole document.
func (t *Table) pushDocument(ctx context.Context, s *shot, v *judge.Verdict) error {
	src, err := t.document(s, v)
	if err != nil {
		return err
	}
	defer src.close()
	sum, err := t.makeDurable(src)
	if err != nil {
		return err
	}
	in := &intent{Base: s.rec.Version, SHA1: hex.EncodeToString(sum[:])}
	if err := t.openIntent(s, v, in); err != nil {
		return err
	}
	grows := int64(-1)
	if v.Exact && s.rec.S.Gen == s.rec.L.Gen && s.rec.R.same(s.rec.S) && src.n > s.rec.S.Len {
		grows = s.rec.S.Len
	}
	result, err := t.c.store.Apply(ctx, backends.Batch{
		Ref: s.rec.Ref, Base: s.rec.Version, Changes: v.Merged.Send, Grows: grows, Document: documentOf(src, sum),
	})
	if err != nil {
		return t.notSent(ctx, fmt.Errorf("%s: sending: %w", s.rec.path(), err))
	}
	t.c.calls.count(v.Merged.Send)
	return t.closeIntent(func() {
		t.arrivedLocked(t.intent.Document, result.Version, result.ModTime)
	})
}

// notSent ends the intent of a call that failed, unless what became of it is
// not known: then it stays open.
func (t *Table) notSent(ctx context.Context, err error) error {
	if errors.Is(err, backends.ErrUnknown) || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, t.closeIntent(nil))
}

// arrivedLocked notes that the store holds x, which was sent. File and store
// agree on it, but for what the file has yet to take in.
func (t *Table) arrivedLocked(x content, version backends.Version, when time.Time) {
	x.Arrival = t.rec.R.Arrival
	agreed := x
	if in := t.intent; in != nil {
		if !in.Agreed.none() {
			agreed = in.Agreed
			agreed.Arrival = t.rec.S.Arrival
		}
		if in.Exact {
			t.rec.J = in.Document
			t.exactLocked(x)
		}
	}
	t.rec.S, t.rec.R = agreed, x
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

// exactLocked notes that x, what file and store agree on, is all that the store holds.
func (t *Table) exactLocked(x content) {
	t.rec.Behind = false
	if t.rec.L.same(x) {
		t.rec.L.Keys, t.rec.L.Rows, t.rec.L.Arrival = x.Keys, x.Rows, x.Arrival
	}
}

// sentLocked notes that the save of the intent has reached the store, with what
// a person has decided about it.
func (t *Table) sentLocked(in *intent) {
	t.conflicts = slices.DeleteFunc(t.conflicts, func(c conflictRecord) bool { return c.Decided == table.Ours })
	t.doneLocked(in.SaveSeq, in.Frozen.Len)
}

// doneLocked notes that nothing is left to do of the first n bytes of a save.
func (t *Table) doneLocked(seq uint64, n int64) {
	if t.rec.Save.Seq != seq || n < t.rec.Save.Len {
		t.firstDirty = time.Now()
		return
	}
	t.rec.CleanSeq = seq
	t.rec.Pending = PendingRows{}
	t.rec.Replaces = false
	t.rec.Decision = nil
	t.firstDirty = time.Time{}
	if !t.noticeWritersLocked() {
		for h := range t.writers {
			h.wrote.Store(false) // all that it wrote is sent
		}
	}
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
