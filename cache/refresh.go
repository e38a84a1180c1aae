package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/state"
)

// suspect is a version in the store that looks as if it were being written:
// empty, unparseable, or a shorter beginning of what was there. It is believed
// after the settle time only.
type suspect struct {
	version backends.Version
	since   time.Time
}

// stepRefresh takes in a newer version from the store if there is reason to
// look. R moves; L follows in stepIncoming.
func (t *Table) stepRefresh(ctx context.Context) error {
	t.mu.Lock()
	look := t.stale && t.rec.InStore && t.intent == nil
	t.mu.Unlock()
	if !look {
		return nil
	}
	return t.refresh(ctx)
}

// refresh compares R with the store and loads what is newer.
func (t *Table) refresh(ctx context.Context) error {
	fresh, err := t.probe(ctx)
	if err != nil || fresh {
		return err
	}
	got, err := t.fetch(ctx)
	if errors.Is(err, backends.ErrNotFound) {
		t.missingNow()
		return nil
	}
	if err != nil {
		return err
	}
	t.c.health.succeeded()
	if later := t.suspicious(got); later {
		return nil
	}
	return t.takeIn(got)
}

// probe asks cheaply whether R is what the store has.
func (t *Table) probe(ctx context.Context) (fresh bool, err error) {
	t.mu.Lock()
	ref, version := t.rec.Ref, t.rec.Version
	t.mu.Unlock()
	entry, ok, err := t.c.store.Probe(ctx, ref)
	if errors.Is(err, backends.ErrNotFound) {
		t.missingNow()
		return true, nil
	}
	if err != nil || !ok {
		return false, err
	}
	if entry.Version == "" || entry.Version != version {
		return false, nil // that the store can be reached is only known when it is loaded
	}
	t.c.health.succeeded()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checked, t.stale = time.Now(), false
	t.suspect = suspect{}
	t.foundLocked()
	return true, nil
}

// missingNow: the store answered that the table is not there. Programs that save
// by renaming leave such gaps: a complete listing a moment later decides.
func (t *Table) missingNow() {
	t.mu.Lock()
	t.checked, t.stale = time.Now(), false
	project := t.rec.Project
	t.mu.Unlock()
	c := t.c
	time.AfterFunc(time.Second, func() {
		if c.ctx.Err() == nil {
			c.freshness.list(project, func(ctx context.Context) error { return c.listProject(ctx, project) })
		}
	})
}

// suspicious reports whether what was fetched is not to be believed yet.
func (t *Table) suspicious(got fetched) bool {
	if t.c.props.Form != backends.Documents || !t.looksHalf(got) {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.suspect.version != got.version || got.version == "" {
		t.suspect = suspect{version: got.version, since: time.Now()}
	}
	wait := t.c.settle() - time.Since(t.suspect.since)
	if wait <= 0 {
		return false
	}
	t.checked = time.Now()
	time.AfterFunc(wait, func() { t.wake(0) })
	return true
}

// looksHalf: empty, not a table, or a beginning of R.
func (t *Table) looksHalf(got fetched) bool {
	if got.content.Len == 0 {
		return true
	}
	src, err := t.openContent(got.content)
	if err != nil {
		return true
	}
	defer src.close()
	found, err := table.Check(src)
	if err != nil || found.Problem != nil && (found.Problem.Beginning || found.Problem.Kind == table.Unterminated || found.Problem.Kind == table.TooFewCells) {
		return true
	}
	r := t.pin(func(r *record) content { return r.R })
	defer r.release()
	if x := r.get(); x.none() || got.content.Len >= x.Len {
		return false
	}
	old, _, err := r.openFirst(got.content.Len)
	if err != nil {
		return false
	}
	defer old.close()
	return equalSources(old, src)
}

// equalSources compares two contents of the same length.
func equalSources(a, b *fileSource) bool {
	if a.n != b.n {
		return false
	}
	const block = 1 << 18
	p, q := make([]byte, block), make([]byte, block)
	for off := int64(0); off < a.n; off += block {
		n, err := a.ReadAt(p, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		m, err := b.ReadAt(q, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false
		}
		if string(p[:n]) != string(q[:m]) {
			return false
		}
	}
	return true
}

// takeIn makes what was fetched the new R. What it changed is an arrival.
func (t *Table) takeIn(got fetched) error {
	if err := t.ensureKeys(); err != nil {
		return err
	}
	r := t.pin(func(r *record) content { return r.R })
	defer r.release()
	if r.get().none() {
		return t.adoptFirst(got)
	}
	cmp, err := t.compareWith(r, got)
	if err != nil {
		return err
	}
	x := got.content
	// The same rows in other words (as a program here has saved them) are nothing new.
	same := cmp.SameBytes || t.c.rowStore() && cmp.Changes.Empty()
	if !same && x.Keys == 0 {
		n, err := t.writeKeys(cmp.Keys, false)
		if err != nil {
			return err
		}
		x.Keys, x.Rows = n, int64(cmp.Keys.Len())
	}
	arrival := int64(0)
	if !cmp.Changes.Empty() {
		if arrival, err = t.recordArrival(cmp.Changes); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !same {
		x.Arrival = t.rec.R.Arrival
		t.rec.R, t.rec.Behind = x, true
	}
	if arrival > 0 {
		t.rec.R.Arrival = arrival
	}
	t.suspect = suspect{}
	t.tookLocked(got)
	t.rec.StoreSize = got.content.Len
	return t.saveLocked(state.Normal)
}

// adoptFirst is for a table that exists here and turns out to exist in the store,
// or of whose content in the store nothing is known any more.
func (t *Table) adoptFirst(got fetched) error {
	l := t.pin(func(r *record) content { return r.L })
	defer l.release()
	same, err := t.sameBytes(l, got.content)
	if err != nil {
		return err
	}
	if err := t.adopted(got, same); err != nil {
		return err
	}
	return t.ensureKeys()
}

func (t *Table) adopted(got fetched, same bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.rec
	r.S, r.R = got.content, got.content
	t.tookLocked(got)
	if !same && (r.L.none() || t.dirtyLocked() || t.busyLocked(nil)) {
		return t.saveLocked(state.Normal)
	}
	if !same {
		return t.showLocked(got.content, got.modTime)
	}
	r.S.Gen, r.R.Gen = r.L.Gen, r.L.Gen
	r.L.Keys, r.L.Rows = r.S.Keys, r.S.Rows
	if r.StateLost || !t.dirtyLocked() {
		r.StateLost, r.Decision = false, nil
		r.CleanSeq = r.Save.Seq
	}
	return t.saveLocked(state.Normal)
}

// sameBytes compares L with what the store holds.
func (t *Table) sameBytes(l *pin, x content) (bool, error) {
	if l.get().Len != x.Len {
		return false, nil
	}
	a, _, err := l.openFirst(x.Len)
	if err != nil {
		return false, err
	}
	defer a.close()
	b, err := t.openContent(x)
	if err != nil {
		return false, err
	}
	defer b.close()
	return equalSources(a, b), nil
}

// compareWith is the difference between a content of ours and what was fetched.
func (t *Table) compareWith(old *pin, got fetched) (*table.Comparison, error) {
	a, keys, err := old.open()
	if err != nil {
		return nil, err
	}
	defer a.close()
	b, err := t.openContent(got.content)
	if err != nil {
		return nil, err
	}
	defer b.close()
	next := table.Content{Source: b}
	if got.content.Keys != 0 {
		if next.Keys, err = t.keysOf(got.content); err != nil {
			return nil, err
		}
	}
	opt := table.CompareOptions{NewKey: t.newKey, Lenient: true}
	if t.c.props.Form == backends.Rows {
		opt.RowStore = true
		opt.Columns = got.columns
		opt.ForeignKey = func(string) table.ForeignKey { return table.ForeignAdopt }
	}
	cmp, err := table.Compare(table.Content{Source: a, Keys: keys}, next, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: comparing with the store: %w", t.path(), err)
	}
	return cmp, nil
}

// bringUpToDate compares the store with R before a push, by version where there
// is one, else by a reload.
func (t *Table) bringUpToDate(ctx context.Context) error {
	if t.c.props.CompareAndSwap {
		t.mu.Lock()
		known := !t.stale && t.rec.Version != ""
		t.mu.Unlock()
		if known {
			return nil // the store itself refuses a stale base
		}
	}
	return t.refresh(ctx)
}

// incomingLocked: L lacks something that the store has, or ids that were assigned.
func (t *Table) incomingLocked() bool {
	r := &t.rec
	if r.Gone != nil || r.L.none() || t.dirtyLocked() {
		return false
	}
	return r.Behind || r.ShowKeys || r.L.Arrival < r.S.Arrival
}

// stepIncoming shows what came from elsewhere: a new generation under the same
// name. It waits while a program writes or an editor has the file (its marker
// stands beside it); open files keep what they have.
func (t *Table) stepIncoming() error {
	t.mu.Lock()
	wanted := t.incomingLocked()
	onlyKeys := wanted && !t.rec.Behind && t.rec.L.Arrival >= t.rec.S.Arrival
	blocked := t.blockedLocked()
	t.mu.Unlock()
	if !wanted || blocked || onlyKeys {
		return nil // assigned ids are shown at the next open
	}
	return t.incoming()
}

// blockedLocked: somebody has the file in hand.
func (t *Table) blockedLocked() bool {
	for h := range t.writers {
		if h.wrote.Load() && h.file == t.files[t.rec.L.Gen] {
			return true
		}
	}
	return t.c.editorMarker(t.rec.Project+"/"+string(t.rec.Kind), t.rec.Name+".csv")
}
