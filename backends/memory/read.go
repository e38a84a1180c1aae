package memory

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// Load implements backends.Backend. The rows are those of one moment, however
// long they are read.
func (s *Store) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	call := Call{Verb: VerbLoad, Ref: ref}
	return during(ctx, s, call, func() (*backends.Loaded, error) {
		_, t, err := s.table(ref)
		if err != nil {
			return nil, err
		}
		c := &t.content
		if c.readers == nil {
			c.readers = new(int)
		}
		readers := c.readers
		*readers++
		release := sync.OnceFunc(func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			*readers--
		})
		return &backends.Loaded{
			Version: s.versionOf(t),
			ModTime: t.modified,
			Total:   int64(len(c.rows)),
			Columns: c.publicColumns(),
			Rows:    rowsOf(ctx, c.rows, c.columns),
			Close:   func() error { release(); return nil },
		}, nil
	})
}

// rowsOf yields rows until ctx is done.
func rowsOf(ctx context.Context, rows []*row, columns []slotColumn) iter.Seq2[backends.Row, error] {
	return func(yield func(backends.Row, error) bool) {
		for _, r := range rows {
			if err := ctx.Err(); err != nil {
				yield(backends.Row{}, err)
				return
			}
			if !yield(show(r, columns), nil) {
				return
			}
		}
	}
}

// GetRows implements backends.RowGetter.
func (s *Store) GetRows(
	ctx context.Context, ref backends.Ref, columns []table.Column, ids []string,
) ([]backends.Row, error) {
	call := Call{Verb: VerbGet, Ref: ref}
	return during(ctx, s, call, func() ([]backends.Row, error) {
		_, t, err := s.table(ref)
		if err != nil {
			return nil, err
		}
		wanted := make([]slotColumn, len(columns))
		for i, column := range columns {
			wanted[i] = t.content.wanted(column)
		}
		rows := []backends.Row{}
		for _, id := range ids {
			if r, there := t.content.byID[id]; there {
				rows = append(rows, show(r, wanted))
			}
		}
		return rows, nil
	})
}

// wanted finds a column by id, else by name. One that is gone has a slot in
// which no row has a cell.
func (c *content) wanted(column table.Column) slotColumn {
	if column.ID != "" {
		i := slices.IndexFunc(c.columns, func(known slotColumn) bool { return known.ID == column.ID })
		if i >= 0 {
			return c.columns[i]
		}
	}
	if i, there := c.column(column.Name); there {
		return c.columns[i]
	}
	return slotColumn{Column: column, slot: c.slots}
}

// Find implements backends.Finder. A missing cell is found by the empty value.
func (s *Store) Find(
	ctx context.Context, ref backends.Ref, column, value string,
) ([]backends.Row, []table.Column, error) {
	type found struct {
		rows    []backends.Row
		columns []table.Column
	}
	call := Call{Verb: VerbFind, Ref: ref}
	answer, err := during(ctx, s, call, func() (found, error) {
		_, t, err := s.table(ref)
		if err != nil {
			return found{}, err
		}
		answer := found{rows: []backends.Row{}, columns: t.content.publicColumns()}
		i, there := t.content.column(column)
		if !there {
			return found{}, noColumn(ref, column)
		}
		for _, r := range t.content.rows {
			if r.cell(t.content.columns[i].slot).Text == value {
				answer.rows = append(answer.rows, show(r, t.content.columns))
			}
		}
		return answer, nil
	})
	return answer.rows, answer.columns, err
}

func noColumn(ref backends.Ref, column string) error {
	return fmt.Errorf("table %s has no column %q: %w", ref, column, backends.ErrRefused)
}
