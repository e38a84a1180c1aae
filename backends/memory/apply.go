package memory

import (
	"context"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// Apply implements backends.Backend. Columns come before rows; if a column
// change is refused, nothing has happened.
func (s *Store) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	call := Call{Verb: VerbApply, Ref: batch.Ref, Batch: &batch}
	result, err := during(ctx, s, call, func() (backends.Result, error) {
		p, t, err := s.table(batch.Ref)
		if err != nil {
			return backends.Result{}, err
		}
		if err := s.checkBase(batch.Ref, t, batch.Base); err != nil {
			return backends.Result{}, err
		}
		a := application{store: s, table: t, batch: &batch}
		if err := a.alterColumns(); err != nil {
			return backends.Result{}, fmt.Errorf("table %s: %w", batch.Ref, err)
		}
		result := a.applyRows()
		if a.changed {
			s.touch(p, t)
		}
		result.Version = s.versionOf(t)
		result.ModTime = t.modified
		return result, nil
	})
	if err != nil {
		return backends.UnknownResult(batch, err), err // unknown only if a hook says so
	}
	return result, nil
}

// application is one batch on its way into one table.
type application struct {
	store   *Store
	table   *tableOf
	batch   *backends.Batch
	changed bool
}

func (a *application) alterColumns() error {
	altered := a.table.content // a copy: columns are replaced, never changed in place
	for _, change := range a.batch.Changes.Columns {
		changed, err := altered.alter(change, a.store.newID)
		if err != nil {
			return err
		}
		a.changed = a.changed || changed
	}
	a.table.content = altered
	return nil
}

func (a *application) applyRows() backends.Result {
	changes := &a.batch.Changes
	result := backends.Result{Outcomes: make([]backends.Outcome, len(changes.Rows))}
	if len(changes.Columns) > 0 {
		result.Columns = a.table.content.publicColumns()
	}
	deleted := map[string]bool{}
	for i := range changes.Rows {
		change := &changes.Rows[i]
		err := a.applyRow(change, deleted)
		if err != nil {
			result.Outcomes[i] = backends.Outcome{
				Verdict: backends.Refused,
				Err:     fmt.Errorf("row %q of %s: %w", change.Key, a.batch.Ref, err),
			}
			continue
		}
		result.Outcomes[i] = backends.Outcome{Verdict: backends.Applied}
	}
	a.table.content.delete(deleted)
	return result
}

// applyRow makes one change. Rows to delete are only noted, so that a batch
// passes over the table once.
func (a *application) applyRow(change *table.Change, deleted map[string]bool) error {
	c := &a.table.content
	if row := a.store.hooks.Row; row != nil {
		if err := row(a.batch.Ref, *change); err != nil {
			return err
		}
	}
	id := string(change.Key)
	old, there := c.byID[id]
	there = there && !deleted[id]
	switch change.Op {
	case table.Delete:
		if there {
			deleted[id] = true
			a.changed = true
		}
		return nil
	case table.Update:
		if !there {
			return fmt.Errorf("there is no such row: %w", backends.ErrNotFound)
		}
		return a.updateRow(old, change)
	case table.Append:
		if id == "" {
			return fmt.Errorf("a row needs an id: %w", backends.ErrRefused)
		}
		if deleted[id] {
			return fmt.Errorf("deleted and appended in one batch: %w", backends.ErrRefused)
		}
		return a.appendRow(old, change)
	}
	return fmt.Errorf("row operation %d is not known: %w", change.Op, backends.ErrRefused)
}

func (a *application) updateRow(old *row, change *table.Change) error {
	before := map[string]string{}
	for _, rename := range a.batch.Changes.Columns {
		if rename.Op == table.RenameColumn {
			before[rename.New] = cellAt(change.Before, a.batch.Changes.OldHeader, rename.Old)
		}
	}
	set := map[int]backends.Cell{}
	for j, name := range a.batch.Changes.NewHeader {
		was, renamed := before[name]
		if !renamed {
			was = cellAt(change.Before, a.batch.Changes.OldHeader, name)
		}
		is := at(change.After, j)
		if is == was {
			continue
		}
		slot, err := a.slotFor(name, is)
		if err != nil {
			return err
		}
		if cell := cellOf(is); cell != old.cell(slot) {
			set[slot] = cell
		}
	}
	if len(set) > 0 {
		a.table.content.replace(old, old.with(set))
		a.changed = true
	}
	return nil
}

func (a *application) appendRow(old *row, change *table.Change) error {
	set := map[int]backends.Cell{}
	for j, name := range a.batch.Changes.NewHeader {
		text := at(change.After, j)
		if text == "" {
			continue
		}
		slot, err := a.slotFor(name, text)
		if err != nil {
			return err
		}
		set[slot] = cellOf(text)
	}
	if old == nil {
		a.table.content.append(string(change.Key), (&row{}).with(set))
		a.changed = true
		return nil
	}
	for _, column := range a.table.content.columns {
		if old.cell(column.slot).Text != set[column.slot].Text {
			return fmt.Errorf("the row is there with another %q: %w", column.Name, backends.ErrExists)
		}
	}
	return nil
}

// slotFor returns where text under the named column goes, or why it can't.
func (a *application) slotFor(name, text string) (int, error) {
	i, there := a.table.content.column(name)
	if !there {
		return 0, fmt.Errorf("there is no column %q: %w", name, backends.ErrRefused)
	}
	if limit := a.store.options.MaxCell; limit > 0 && len(text) > limit {
		return 0, fmt.Errorf("the cell under %q has %d bytes, at most %d are kept: %w",
			name, len(text), limit, backends.ErrRefused)
	}
	return a.table.content.columns[i].slot, nil
}

// cellOf is the value that a CSV cell sets: the empty one clears.
func cellOf(text string) backends.Cell {
	return backends.Cell{Text: text, Null: text == ""}
}

func cellAt(cells, header []string, name string) string {
	for i, other := range header {
		if other == name {
			return at(cells, i)
		}
	}
	return ""
}

func at(cells []string, i int) string {
	if i < len(cells) {
		return cells[i]
	}
	return ""
}
