package judge

import (
	"slices"

	"github.com/ragasfs/ragasfs/backends/table"
)

// agreed returns what leads from R to S once R is taken in: what is in conflict
// is in S as it was in the base, so that the next verdict finds ours and theirs
// again. A row or a column that both sides added is not in S for the same reason.
func agreed(conflicts []table.Conflict, ours, theirs table.Changes) table.Changes {
	if len(conflicts) == 0 {
		return table.Changes{}
	}
	out := table.Changes{OldHeader: theirs.NewHeader}
	names := slices.Clone(theirs.NewHeader) // empty: the column goes
	byRow := map[table.Key][]table.Conflict{}
	for _, c := range conflicts {
		if c.Key != "" {
			byRow[c.Key] = append(byRow[c.Key], c)
		} else if at := indexOf(theirs.NewHeader, c.Theirs); at >= 0 {
			out.Columns = append(out.Columns, columnAgain(c, at))
			names[at] = out.Columns[len(out.Columns)-1].New
		}
	}
	kept := func(cells []string) []string {
		var some []string
		for i, cell := range cells {
			if i >= len(names) || names[i] != "" {
				some = append(some, cell)
			}
		}
		return some
	}
	out.NewHeader = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "" })
	for _, row := range theirs.Rows {
		of := byRow[row.Key]
		switch {
		case len(of) == 0 || row.Op == table.Delete:
		case row.Op == table.Append:
			out.Rows = append(out.Rows, table.Change{Op: table.Delete, Key: row.Key, Prev: row.Prev, Before: row.After})
		default:
			after := slices.Clone(row.After)
			for _, c := range of {
				after = set(after, indexOf(theirs.NewHeader, nameInTheirs(c.Column, ours, theirs)), c.Base)
			}
			out.Rows = append(out.Rows, table.Change{Op: table.Update, Key: row.Key, Prev: row.Prev, Before: row.After, After: kept(after)})
		}
	}
	return out
}

// columnAgain undoes in R what both sides did to a column: a second name, or a
// column of a name that ours gave to another one.
func columnAgain(c table.Conflict, at int) table.ColumnChange {
	if c.Column == c.Base {
		return table.ColumnChange{Op: table.RenameColumn, Old: c.Theirs, New: c.Base, Position: at}
	}
	return table.ColumnChange{Op: table.DropColumn, Old: c.Theirs, Position: at}
}

// nameInTheirs is the name in R of a column of L.
func nameInTheirs(column string, ours, theirs table.Changes) string {
	for _, c := range ours.Columns {
		if c.Op == table.RenameColumn && c.New == column {
			column = c.Old
			break
		}
	}
	for _, c := range theirs.Columns {
		if c.Op == table.RenameColumn && c.Old == column {
			return c.New
		}
	}
	return column
}

// at returns cell i of a record; cells that a short record lacks are empty.
func at(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}

// set sets cell i of a record; i < 0 is no cell.
func set(cells []string, i int, value string) []string {
	if i < 0 {
		return cells
	}
	for len(cells) <= i {
		cells = append(cells, "")
	}
	cells[i] = value
	return cells
}

func indexOf(header []string, name string) int { return slices.Index(header, name) }
