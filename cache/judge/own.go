package judge

import (
	"github.com/ragasfs/ragasfs/backends/table"
)

// ownValues tells which conflicts are none. Where base was put back to before an
// arrival, everything that has happened since looks like theirs, also what was
// written here by a program that knew the arrival. Between programs of this
// machine the last save wins: such a cell is ours.
type ownValues struct {
	later     map[cell]map[string]bool // what the arrivals brought into a cell
	elsewhere map[cell]bool            // cells that came in with R only
}

type cell struct {
	key    table.Key
	column string
}

func (j *judgment) ownValues() (*ownValues, error) {
	if len(j.in.Later) == 0 {
		return nil, nil
	}
	own := &ownValues{later: map[cell]map[string]bool{}, elsewhere: map[cell]bool{}}
	for _, arrival := range j.in.Later {
		eachCell(arrival.Changes, func(c cell, value string) {
			if own.later[c] == nil {
				own.later[c] = map[string]bool{}
			}
			own.later[c][value] = true
		})
	}
	if j.in.R.Source != j.in.S.Source {
		options := j.options()
		options.Lenient = true
		comparison, err := table.Compare(j.in.S, j.in.R, options)
		if err != nil {
			return nil, err
		}
		eachCell(comparison.Changes, func(c cell, _ string) { own.elsewhere[c] = true })
	}
	return own, nil
}

// has reports whether theirs in this conflict was written here.
func (own *ownValues) has(c table.Conflict) bool {
	if own == nil || c.Column == "" {
		return false
	}
	at := cell{c.Key, c.Column}
	return !own.elsewhere[at] && !own.later[at][c.Theirs]
}

// eachCell calls f with every cell that the changes give a value.
func eachCell(changes table.Changes, f func(cell, string)) {
	for i := range changes.Rows {
		row := &changes.Rows[i]
		for n, name := range changes.NewHeader {
			value := at(row.After, n)
			if row.Op == table.Append || row.Op == table.Update && value != at(row.Before, indexOf(changes.OldHeader, name)) {
				f(cell{row.Key, name}, value)
			}
		}
	}
}
