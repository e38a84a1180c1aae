package ragasapp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// Apply implements backends.Backend. Rows are written several at a time, each
// after a look at what it is now (see applyrows.go). Batch.Base is not a
// condition: what others did is merged row by row, cell by cell. It saves calls,
// and lets the version after the batch be told.
//
// A change that could not be made for now (no connection, no time, no
// permission) makes the whole batch fail: with that error if nothing has been
// done at all, else with ErrUnknown and outcomes.
func (b *Backend) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	result, err := b.apply(ctx, batch)
	if err != nil {
		return result, fmt.Errorf("apply to %s: %w", batch.Ref, err)
	}
	return result, nil
}

func (b *Backend) apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	t, err := b.table(ctx, batch.Ref)
	if err != nil {
		return backends.Result{}, err
	}
	a := &application{backend: b, table: t, batch: &batch, oldNames: map[string]string{}}
	for _, change := range batch.Changes.Columns {
		if change.Op == table.RenameColumn {
			a.oldNames[change.New] = change.Old
		}
	}
	if err := a.prepareColumns(ctx); err != nil {
		return backends.UnknownResult(batch, err), err
	}
	if len(batch.Changes.Rows) == 0 && !a.touched.Load() {
		if err := b.tableIsThere(ctx, t); err != nil {
			return backends.Result{}, err
		}
		return a.result(), nil
	}
	if err := a.prepareRows(ctx); err != nil {
		return a.failed(err)
	}
	a.backend.known.confirm(a.table, "")
	a.run(ctx)
	if a.failure != nil {
		return a.failed(a.failure)
	}
	return a.result(), nil
}

// application is one batch on its way into one table.
type application struct {
	backend  *Backend
	table    tableID
	batch    *backends.Batch
	columns  []column
	altered  bool              // columns were changed
	oldNames map[string]string // of renamed columns, by the new name

	isAtBase bool               // the table is certainly what the batch starts from
	loaded   map[string]wireRow // all rows, read before; nil: rows are asked for one by one
	// loadedNow: they were read for this batch, so that others are not there.
	loadedNow bool
	hasTable  func() error // asks once whether the table is there

	outcomes []backends.Outcome
	touched  atomic.Bool // something was done, or may have been
	newKinds atomic.Bool // a column has got its first value of a kind

	mu      sync.Mutex // guards what is below
	claim   *claim     // nil: the version after the batch can't be told
	failure error      // why not all changes were made
}

// prepareColumns makes the column changes, or finds the columns.
func (a *application) prepareColumns(ctx context.Context) (err error) {
	if len(a.batch.Changes.Columns) == 0 {
		a.columns, err = a.backend.columns(ctx, a.table)
		return err
	}
	var changed bool
	a.columns, changed, err = a.backend.alterColumns(ctx, a.table, a.batch.Changes)
	a.altered = true
	a.touched.Store(changed)
	if err != nil && changed && !errors.Is(err, backends.ErrUnknown) {
		return fmt.Errorf("%w: only some of the column changes were made: %w", backends.ErrUnknown, err)
	}
	return err
}

// prepareRows decides how the rows are looked at before they are changed:
// not at all, where the table is certainly what the batch starts from and only
// new rows come; all at once, where that takes fewer calls; else one by one.
func (a *application) prepareRows(ctx context.Context) error {
	changes := &a.batch.Changes
	a.outcomes = make([]backends.Outcome, len(changes.Rows))
	a.hasTable = sync.OnceValue(func() error { return a.backend.tableIsThere(ctx, a.table) })
	a.openClaim()
	a.claimColumns()
	appends, updates, deletes := changes.Count()
	cached := a.useCache()
	base, known := stateOf(a.batch.Base)
	if !known && !cached {
		if len(changes.Rows) < surePage {
			return nil
		}
		var err error
		if base, _, err = a.backend.look(ctx, a.table, 0, 1); err != nil {
			return err
		}
	}
	pages := a.pages(base)
	if !cached && updates+deletes > pages {
		return a.loadRows(ctx)
	}
	if appends > 0 && known {
		if err := a.compareWithBase(ctx); err != nil {
			return err
		}
	}
	if !cached && !a.isAtBase && len(changes.Rows) > pages {
		return a.loadRows(ctx)
	}
	return nil
}

// compareWithBase finds out whether the table is certainly what the batch starts
// from.
func (a *application) compareWithBase(ctx context.Context) error {
	if !a.altered && a.backend.known.justConfirmed(a.table, a.batch.Base) {
		a.isAtBase = true
		return nil
	}
	want := a.batch.Base
	if a.claim != nil {
		want = a.claim.token() // with the columns that are new
		a.backend.known.putClaim(a.table, a.claim)
	}
	now, err := a.backend.version(ctx, a.table)
	a.claim = a.backend.known.takeClaim(a.table)
	if err != nil {
		return err
	}
	a.isAtBase = now != "" && now == want
	if !a.isAtBase {
		a.claim = nil
	}
	return nil
}

// pages is how many calls it takes to read all rows.
func (a *application) pages(s state) int {
	size := a.backend.client.pageSize()
	return max((s.total+size-1)/size, 1)
}

// openClaim takes up what the table ought to be, from the version that the
// batch starts from.
func (a *application) openClaim() {
	c := a.backend.known.takeClaim(a.table)
	if c != nil && c.token() == a.batch.Base {
		a.claim = c
		return
	}
	if s, known := stateOf(a.batch.Base); known && s.version() == a.batch.Base {
		a.claim = newClaim(s)
	}
}

// claimColumns takes up what our changes have made of the columns.
func (a *application) claimColumns() {
	if a.claim != nil && a.altered {
		a.claim.after.columns = standFor(a.columns)
		a.claim.verified = false
	}
}

// useCache takes the rows of the batch before, if nothing happened since.
func (a *application) useCache() bool {
	a.loaded = a.backend.known.takeRows(a.table, a.batch.Base)
	return a.loaded != nil
}

// loadRows reads all rows.
func (a *application) loadRows(ctx context.Context) error {
	rows := map[string]wireRow{}
	anyState := state{}
	for w, err := range a.backend.rows(ctx, a.table, anyState) {
		if errors.Is(err, errChanged) {
			return nil // rows are asked for one by one
		}
		if err != nil {
			return err
		}
		rows[w.ID] = w
	}
	a.loaded, a.loadedNow = rows, true
	return nil
}

// run makes the changes of rows, some at a time, in the order in which they
// stand. Once one could not be made for now, no other is begun.
func (a *application) run(ctx context.Context) {
	places := make(chan struct{}, a.backend.window)
	var wait sync.WaitGroup
	for i := range a.batch.Changes.Rows {
		places <- struct{}{}
		if err := a.stopped(); err != nil {
			a.outcomes[i] = backends.Outcome{Verdict: backends.Unknown, Err: err}
			<-places
			continue
		}
		wait.Go(func() {
			defer func() { <-places }()
			a.outcomes[i] = a.change(ctx, &a.batch.Changes.Rows[i])
			if a.outcomes[i].Verdict == backends.Unknown {
				a.stop(a.outcomes[i].Err)
			}
		})
	}
	wait.Wait()
}

func (a *application) stop(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failure == nil {
		a.failure = err
	}
}

func (a *application) stopped() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.failure
}

// result is the answer to a batch of which every change has its verdict.
func (a *application) result() backends.Result {
	result := backends.Result{Outcomes: a.outcomes}
	if a.altered || a.newKinds.Load() {
		result.Columns = public(a.columns)
	}
	if a.claim == nil {
		if len(a.batch.Changes.Rows) == 0 {
			result.Version = a.batch.Base
		}
		return result
	}
	result.Version = a.claim.token()
	result.ModTime = a.claim.after.modified()
	a.backend.known.putClaim(a.table, a.claim)
	a.keepRows(result.Version)
	return result
}

// keepRows keeps what was read for the next batch of the same push.
func (a *application) keepRows(v backends.Version) {
	if a.loaded == nil {
		return
	}
	size := 0
	for _, w := range a.loaded {
		for key, value := range w.Data {
			size += len(key) + len(value)
		}
		if size > mostCached {
			return
		}
	}
	a.backend.known.putRows(a.table, v, a.loaded)
}

// failed is the answer to a batch that was not made as a whole.
func (a *application) failed(err error) (backends.Result, error) {
	if errors.Is(err, errNoTable) || !a.touched.Load() && !errors.Is(err, backends.ErrUnknown) {
		return backends.Result{}, err
	}
	if !errors.Is(err, backends.ErrUnknown) {
		err = fmt.Errorf("%w: not all changes could be made: %w", backends.ErrUnknown, err)
	}
	for i, o := range a.outcomes {
		if o.Verdict == 0 {
			a.outcomes[i] = backends.Outcome{Verdict: backends.Unknown, Err: err}
		}
	}
	if a.outcomes == nil {
		return backends.UnknownResult(*a.batch, err), err
	}
	return backends.Result{Outcomes: a.outcomes}, err
}
