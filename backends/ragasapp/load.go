package ragasapp

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// smallTable is up to how many rows a table is read whole before any of it is
// given out, so that it can be read again if it changed meanwhile.
const smallTable = 2000

// errChanged is why a load is good for nothing.
var errChanged = errors.New("the table changed while it was read")

// Load implements backends.Backend: one call for the state, one or more for the
// columns, one for each page. The rows are those of the moment before the first
// page; if somebody changes or deletes one meanwhile, that is an ErrIncomplete.
// The types of columns are final when all rows have been read.
// Where the server can't order by change, only the number of rows is checked.
func (b *Backend) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	loaded, err := b.load(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", ref, err)
	}
	return loaded, nil
}

func (b *Backend) load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	t, err := b.table(ctx, ref)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	closeAll := func() error { cancel(); return nil }
	for attempt := 1; ; attempt++ {
		before, columns, seen, err := b.head(ctx, t, b.client.firstLook())
		if err != nil {
			cancel()
			return nil, err
		}
		rows := b.rows(ctx, t, before)
		if whole, is := inOrder(before, seen); is {
			rows = given(whole)
		}
		loaded := &backends.Loaded{
			Version: before.version(), ModTime: before.modified(), Total: int64(before.total),
			Columns: public(columns), Close: closeAll,
		}
		loaded.Rows = shown(rows, columns, func() { retype(loaded.Columns, columns) })
		if before.total > smallTable {
			return loaded, nil
		}
		all, err := collect(loaded.Rows)
		if errors.Is(err, errChanged) && attempt < attempts {
			continue
		}
		if err != nil {
			cancel()
			return nil, err
		}
		loaded.Rows, loaded.Total = given(all), int64(len(all))
		return loaded, nil
	}
}

// head asks for the state and the columns of a table at the same time, and for
// so many of the rows that were changed last.
func (b *Backend) head(ctx context.Context, t tableID, limit int) (before state, columns []column, seen []wireRow, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		before, seen, err = b.look(groupCtx, t, 0, limit)
		return err
	})
	group.Go(func() (err error) {
		columns, err = b.fetchColumns(groupCtx, t)
		return err
	})
	err = group.Wait()
	before.columns = standFor(columns)
	return before, columns, seen, err
}

// firstLook is how many rows are asked for with the state of a table that is to
// be loaded: as long as it is not known how many the server gives at a time, as
// many as there may be. That tells it, and a small table is there whole.
func (c *client) firstLook() int {
	if c.page.Load() > 0 {
		return 1
	}
	return askPage
}

// inOrder gives all rows of a table in order of creation, if those that came
// with its state are all there are.
func inOrder(s state, seen []wireRow) (rows []wireRow, whole bool) {
	if !s.ordered || len(seen) != s.total {
		return nil, false
	}
	rows = slices.Clone(seen)
	slices.SortFunc(rows, func(a, b wireRow) int { return a.CreatedAt.Compare(b.CreatedAt.Time) })
	for i := 1; i < len(rows); i++ {
		if rows[i].CreatedAt.Equal(rows[i-1].CreatedAt.Time) || rows[i].ID == rows[i-1].ID {
			return nil, false // only the server knows which comes first
		}
	}
	return rows, true
}

func (s state) modified() time.Time {
	if s.newest == 0 {
		return time.Time{}
	}
	return time.Unix(0, s.newest)
}

func collect(rows iter.Seq2[backends.Row, error]) ([]backends.Row, error) {
	collected := []backends.Row{}
	for r, err := range rows {
		if err != nil {
			return nil, err
		}
		collected = append(collected, r)
	}
	return collected, nil
}

func given[T any](rows []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, r := range slices.All(rows) {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// shown are all rows of a table as they are shown. When the last has been taken
// it is known what the columns hold, and end is called.
func shown(rows iter.Seq2[wireRow, error], columns []column, end func()) iter.Seq2[backends.Row, error] {
	return func(yield func(backends.Row, error) bool) {
		for w, err := range rows {
			if err != nil {
				yield(backends.Row{}, err)
				return
			}
			for i := range columns {
				columns[i].kinds.see(valueOf(&columns[i], w.Data))
			}
			if !yield(w.row(columns), nil) {
				return
			}
		}
		for i := range columns {
			columns[i].kinds.complete.Store(true)
		}
		end()
	}
}

// rows are the rows of a table as they were in a state, each once. What was
// added since is left out; what was changed or deleted since is an error.
func (b *Backend) rows(ctx context.Context, t tableID, before state) iter.Seq2[wireRow, error] {
	return func(yield func(wireRow, error) bool) {
		check, known := newCheck(before), span{}
		if size := int(b.client.page.Load()); before.ordered && size > 0 {
			known = span{to: before.total, size: size}
		}
		for page, err := range stream[wireRow](ctx, b.client, rowsPath(t), byCreation, known) {
			if err != nil {
				yield(wireRow{}, err)
				return
			}
			if page.Pagination.Total != nil {
				check.total = *page.Pagination.Total
			}
			for _, w := range page.Items {
				wanted, err := check.take(w)
				if err != nil {
					yield(wireRow{}, err)
					return
				}
				if wanted && !yield(w, nil) {
					return
				}
			}
		}
		if err := check.end(); err != nil {
			yield(wireRow{}, err)
		}
	}
}

// check decides whether rows that came in pages are those of one state.
type check struct {
	before state
	total  int // as the last page said; -1: no page did
	count  int
	seen   map[uint64]struct{}
	seed   maphash.Seed
	newest int64
}

func newCheck(before state) *check {
	return &check{before: before, total: -1, seen: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
}

// take says whether a row belongs to the state and has not come before.
func (c *check) take(w wireRow) (wanted bool, err error) {
	if c.before.ordered && w.CreatedAt.nanos() > c.before.newest {
		return false, nil // added since
	}
	if c.before.ordered && w.UpdatedAt.nanos() > c.before.newest {
		return false, fmt.Errorf("row %q: %w: %w", w.ID, errChanged, backends.ErrIncomplete)
	}
	hash := maphash.String(c.seed, w.shownID())
	if _, twice := c.seen[hash]; twice {
		return false, nil
	}
	c.seen[hash] = struct{}{}
	c.newest = max(c.newest, w.UpdatedAt.nanos())
	c.count++
	return true, nil
}

// end reports whether something is missing.
func (c *check) end() error {
	want := c.total
	if c.before.ordered {
		want = c.before.total
	}
	if want >= 0 && c.count != want || c.before.ordered && c.newest != c.before.newest {
		return fmt.Errorf("%d of %d rows came: %w: %w", c.count, want, errChanged, backends.ErrIncomplete)
	}
	return nil
}

// fewGets is up to how many rows are asked for one by one.
const fewGets = 200

// GetRows implements backends.RowGetter.
func (b *Backend) GetRows(ctx context.Context, ref backends.Ref, wanted []table.Column, ids []string) ([]backends.Row, error) {
	rows, err := b.getRows(ctx, ref, wanted, ids)
	if err != nil {
		return nil, fmt.Errorf("rows of %s: %w", ref, err)
	}
	return rows, nil
}

func (b *Backend) getRows(ctx context.Context, ref backends.Ref, wanted []table.Column, ids []string) ([]backends.Row, error) {
	t, err := b.table(ctx, ref)
	if err != nil {
		return nil, err
	}
	before, columns, _, err := b.head(ctx, t, 1)
	if err != nil {
		return nil, err
	}
	chosen := choose(columns, wanted)
	if len(ids) > fewGets {
		asked := map[string]bool{}
		for _, id := range ids {
			asked[id] = true
		}
		return b.filter(ctx, t, before, func(w wireRow) (backends.Row, bool) {
			if !asked[w.shownID()] {
				return backends.Row{}, false
			}
			return w.row(chosen), true
		})
	}
	found := make([]*wireRow, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for i, id := range ids {
		group.Go(func() (err error) {
			found[i], err = b.getRow(ctx, t, id)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	rows := []backends.Row{}
	for _, w := range found {
		if w != nil {
			rows = append(rows, w.row(chosen))
		}
	}
	return rows, nil
}

// choose are the wanted columns, by id or by name. One that is not there is one
// without values.
func choose(columns []column, wanted []table.Column) []column {
	chosen := make([]column, len(wanted))
	for i, w := range wanted {
		at := slices.IndexFunc(columns, func(c column) bool { return w.ID != "" && c.ID == w.ID })
		if at < 0 {
			at = named(columns, w.Name)
		}
		if at >= 0 {
			chosen[i] = columns[at]
		}
	}
	return chosen
}

// filter loads a table and keeps some of its rows.
func (b *Backend) filter(ctx context.Context, t tableID, before state, keep func(wireRow) (backends.Row, bool)) ([]backends.Row, error) {
	kept := []backends.Row{}
	for w, err := range b.rows(ctx, t, before) {
		if err != nil {
			return nil, err
		}
		if r, wanted := keep(w); wanted {
			kept = append(kept, r)
		}
	}
	return kept, nil
}

// Find implements backends.Finder. The API has no search: all rows are read.
func (b *Backend) Find(ctx context.Context, ref backends.Ref, name, value string) ([]backends.Row, []table.Column, error) {
	t, err := b.table(ctx, ref)
	if err != nil {
		return nil, nil, fmt.Errorf("find in %s: %w", ref, err)
	}
	before, columns, _, err := b.head(ctx, t, 1)
	if err != nil {
		return nil, nil, fmt.Errorf("find in %s: %w", ref, err)
	}
	at := named(columns, name)
	if at < 0 {
		return nil, nil, fmt.Errorf("find in %s: there is no column %q: %w", ref, name, backends.ErrRefused)
	}
	rows, err := b.filter(ctx, t, before, func(w wireRow) (backends.Row, bool) {
		r := w.row(columns)
		return r, r.Cells[at].Text == value
	})
	if err != nil {
		return nil, nil, fmt.Errorf("find in %s: %w", ref, err)
	}
	return rows, public(columns), nil
}
