package judge

import (
	"slices"

	"github.com/ragasfs/ragasfs/backends/table"
)

// agreed returns what leads from R to S once R is taken in: the cells in
// conflict keep their base value in S, so that the next verdict finds ours and
// theirs again. A row that both sides added goes out of S for the same reason.
func agreed(conflicts []table.Conflict, theirs table.Changes) table.Changes {
	if len(conflicts) == 0 {
		return table.Changes{}
	}
	byRow := map[table.Key][]table.Conflict{}
	for _, c := range conflicts {
		byRow[c.Key] = append(byRow[c.Key], c)
	}
	out := table.Changes{OldHeader: theirs.NewHeader, NewHeader: theirs.NewHeader}
	for _, row := range theirs.Rows {
		of := byRow[row.Key]
		switch {
		case len(of) == 0 || row.Op == table.Delete:
		case row.Op == table.Append:
			out.Rows = append(out.Rows, table.Change{Op: table.Delete, Key: row.Key, Prev: row.Prev, Before: row.After})
		default:
			after := slices.Clone(row.After)
			for _, c := range of {
				after = set(after, indexOf(theirs.NewHeader, nameInTheirs(c.Column, theirs)), c.Base)
			}
			out.Rows = append(out.Rows, table.Change{Op: table.Update, Key: row.Key, Prev: row.Prev, Before: row.After, After: after})
		}
	}
	return out
}

// nameInTheirs is the name that a column has in R.
func nameInTheirs(column string, theirs table.Changes) string {
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
