package ragasapp

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// isSame answers ErrExists unless a row is what the change would make.
func (a *application) isSame(change *table.Change, known *wireRow) error {
	for i := range a.columns {
		c := &a.columns[i]
		if !c.holds(valueOf(c, known.Data), cellOf(change.After, a.batch.Changes.NewHeader, c.shown)) {
			return fmt.Errorf("the row is there with another %q: %w", c.shown, backends.ErrExists)
		}
	}
	return nil
}

func (a *application) newData(change *table.Change) (cells, error) {
	data := cells{}
	for j, name := range a.batch.Changes.NewHeader {
		text := at(change.After, j)
		i := named(a.columns, name)
		if i < 0 {
			if text == "" {
				continue
			}
			return nil, fmt.Errorf("there is no column %q: %w", name, backends.ErrRefused)
		}
		if err := sendable(name, text); err != nil {
			return nil, err
		}
		data[a.columns[i].ID] = a.parse(text, &a.columns[i], nil)
	}
	return data, nil
}

// parse is the value that a cell sets. It may be the first of its kind in its
// column, whose cells are then compared in another way.
func (a *application) parse(text string, c *column, before json.RawMessage) json.RawMessage {
	value := parse(text, c, before)
	if c.kinds.see(value) {
		a.newKinds.Store(true)
	}
	return value
}

// sendable answers ErrRefused for what JSON can't carry.
func sendable(name, text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("the cell under %q is not UTF-8, which this store can't keep: %w", name, backends.ErrRefused)
	}
	return nil
}

// cellsToSet are the values that an update sets, by their keys. A cell that is
// already as it shall be is left out; one that somebody else has changed
// meanwhile is a conflict.
func (a *application) cellsToSet(change *table.Change, known *wireRow) (cells, error) {
	set := cells{}
	for j, name := range a.batch.Changes.NewHeader {
		before, after := a.before(change, name), at(change.After, j)
		if before == after {
			continue
		}
		i := named(a.columns, name)
		if i < 0 {
			return nil, fmt.Errorf("there is no column %q: %w", name, backends.ErrRefused)
		}
		c := &a.columns[i]
		raw := valueOf(c, known.Data)
		if now := render(raw); now.Text == after && now.Null == (after == "") || c.holds(raw, after) {
			continue // perhaps in another spelling: the store's own stays
		}
		if !c.holds(raw, before) {
			return nil, conflict(name)
		}
		if err := sendable(name, after); err != nil {
			return nil, err
		}
		set[keyOf(c, known.Data)] = a.parse(after, c, raw)
	}
	return set, nil
}

// conflict is what it means that somebody else has changed the same cell.
func conflict(name string) error {
	return fmt.Errorf("%q has been changed by somebody else: %w", name, backends.ErrConflict)
}

// before is what a cell was before, under the name that its column had then.
func (a *application) before(change *table.Change, name string) string {
	if old, renamed := a.oldNames[name]; renamed {
		name = old
	}
	return cellOf(change.Before, a.batch.Changes.OldHeader, name)
}

func cellOf(row, header []string, name string) string {
	for i, other := range header {
		if other == name {
			return at(row, i)
		}
	}
	return ""
}

func at(row []string, i int) string {
	if i < len(row) {
		return row[i]
	}
	return ""
}
