package memory

import (
	"fmt"
	"slices"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// content is the columns and rows of one table.
//
// A row keeps its cells by slot. A column is a name for a slot, so that adding,
// dropping and renaming columns touches no row; a slot is never used twice.
//
// Loads read rows without the store's lock. A *row and the cells in it never
// change once they are in rows, but for row.position, which loads don't read;
// and while readers is not zero, rows is copied before any element of it is
// replaced. Appending needs no copy: a load knows how many rows are its own.
type content struct {
	columns []slotColumn
	slots   int // slots ever given out
	rows    []*row
	byID    map[string]*row
	readers *int // loads that read rows at present; nil: none ever did
}

type slotColumn struct {
	table.Column
	slot int
}

type row struct {
	id       string
	cells    []backends.Cell // by slot; missing at the end: null
	position int             // in content.rows
}

// cell returns the cell in a slot.
func (r *row) cell(slot int) backends.Cell {
	if slot < len(r.cells) {
		return r.cells[slot]
	}
	return backends.Cell{Null: true}
}

// with returns the cells of r with some replaced.
func (r *row) with(set map[int]backends.Cell) []backends.Cell {
	length := len(r.cells)
	for slot := range set {
		length = max(length, slot+1)
	}
	cells := make([]backends.Cell, length)
	for slot := range cells {
		cells[slot] = r.cell(slot)
	}
	for slot, cell := range set {
		cells[slot] = cell
	}
	return cells
}

func (c *content) column(name string) (int, bool) {
	i := slices.IndexFunc(c.columns, func(column slotColumn) bool { return column.Name == name })
	return i, i >= 0
}

// addColumn adds a column before position (at the end if that is too far), and
// reports whether it did: one that is there already is left as it is.
func (c *content) addColumn(column table.Column, position int, newID func(string) string) (bool, error) {
	if column.Name == "" || column.Name == table.RowIDColumn {
		return false, fmt.Errorf("a column can't be named %q: %w", column.Name, backends.ErrRefused)
	}
	if _, there := c.column(column.Name); there {
		return false, nil
	}
	if column.ID == "" {
		column.ID = newID("c")
	}
	if column.Type == "" {
		column.Type = table.Text
	}
	position = min(max(position, 0), len(c.columns))
	c.columns = slices.Insert(slices.Clone(c.columns), position, slotColumn{Column: column, slot: c.slots})
	c.slots++
	return true, nil
}

// alter makes one column change and reports whether anything changed: repeating
// it changes nothing.
func (c *content) alter(change table.ColumnChange, newID func(string) string) (bool, error) {
	switch change.Op {
	case table.AddColumn:
		return c.addColumn(table.Column{Name: change.New, Type: change.Type}, change.Position, newID)
	case table.DropColumn:
		i, there := c.column(change.Old)
		if there {
			c.columns = slices.Delete(slices.Clone(c.columns), i, i+1)
		}
		return there, nil
	case table.RenameColumn:
		return c.renameColumn(change.Old, change.New)
	}
	return false, fmt.Errorf("column operation %d is not known: %w", change.Op, backends.ErrRefused)
}

func (c *content) renameColumn(from, to string) (bool, error) {
	i, there := c.column(from)
	_, taken := c.column(to)
	switch {
	case !there && taken:
		return false, nil // done before
	case !there:
		return false, fmt.Errorf("column %q to %q: there is no such column: %w", from, to, backends.ErrRefused)
	case taken || to == "" || to == table.RowIDColumn:
		return false, fmt.Errorf("column %q to %q: that name is taken: %w", from, to, backends.ErrRefused)
	}
	c.columns = slices.Clone(c.columns)
	c.columns[i].Name = to
	return true, nil
}

// publicColumns returns the columns as the contract shows them.
func (c *content) publicColumns() []table.Column {
	columns := make([]table.Column, len(c.columns))
	for i, column := range c.columns {
		columns[i] = column.Column
	}
	return columns
}

// show returns the cells of r in the order of columns.
func show(r *row, columns []slotColumn) backends.Row {
	cells := make([]backends.Cell, len(columns))
	for i, column := range columns {
		cells[i] = r.cell(column.slot)
	}
	return backends.Row{ID: r.id, Cells: cells}
}

// append adds a row at the end.
func (c *content) append(id string, cells []backends.Cell) {
	r := &row{id: id, cells: cells, position: len(c.rows)}
	c.rows = append(c.rows, r)
	if c.byID == nil {
		c.byID = map[string]*row{}
	}
	c.byID[id] = r
}

// replace gives a row new cells.
func (c *content) replace(old *row, cells []backends.Cell) {
	c.unshare()
	r := &row{id: old.id, cells: cells, position: old.position}
	c.rows[r.position] = r
	c.byID[r.id] = r
}

// delete removes rows, in one pass.
func (c *content) delete(gone map[string]bool) {
	if len(gone) == 0 {
		return
	}
	c.unshare()
	c.rows = slices.DeleteFunc(c.rows, func(r *row) bool { return gone[r.id] })
	for id := range gone {
		delete(c.byID, id)
	}
	for i, r := range c.rows {
		r.position = i
	}
}

// unshare makes rows safe to change in place.
func (c *content) unshare() {
	if c.readers != nil && *c.readers > 0 {
		c.rows = slices.Clone(c.rows)
		c.readers = nil
	}
}
