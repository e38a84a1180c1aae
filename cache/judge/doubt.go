package judge

import (
	"fmt"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
)

// undoesArrival is rule (f): the save puts back everything that one arrival
// changed, and whether its writer had read that can't be known.
func (j *judgment) undoesArrival() (byte, string, error) {
	if len(j.in.Doubtful) == 0 || j.ours.Changes.Empty() {
		return 0, "", nil
	}
	ours := newUndo(&j.ours.Changes)
	for _, arrival := range j.in.Doubtful {
		changes, err := j.undoing(arrival)
		if err != nil {
			return 0, "", err
		}
		if changes.Empty() || !ours.covers(changes) {
			continue
		}
		return 'f', fmt.Sprintf("The save undoes all that came from the store at %s (%s), and its writer may not have seen that.",
			arrival.Time.Format(time.DateTime), counted(changes)), nil
	}
	return 0, "", nil
}

// undoing returns what would put back what is left of the arrival in base.
func (j *judgment) undoing(arrival Arrival) (table.Changes, error) {
	before, err := j.putBack(j.base, []Arrival{arrival})
	if err != nil || before.Source == j.base.Source {
		return table.Changes{}, err
	}
	options := j.options()
	options.Lenient = true
	comparison, err := table.Compare(j.base, before, options)
	if err != nil {
		return table.Changes{}, err
	}
	return comparison.Changes, nil
}

// undo is a set of changes, to be asked whether it contains another.
type undo struct {
	changes *table.Changes
	byKey   map[table.Key]*table.Change
	// added counts rows by their cells: a row that was removed elsewhere comes
	// back under another key.
	added map[string]int
}

func newUndo(changes *table.Changes) *undo {
	u := &undo{changes: changes, byKey: map[table.Key]*table.Change{}, added: map[string]int{}}
	for i := range changes.Rows {
		row := &changes.Rows[i]
		u.byKey[row.Key] = row
		if row.Op == table.Append {
			u.added[joined(row.After)]++
		}
	}
	return u
}

// covers reports whether all of other happens in u too.
func (u *undo) covers(other table.Changes) bool {
	for _, column := range other.Columns {
		if !slices.ContainsFunc(u.changes.Columns, func(c table.ColumnChange) bool {
			return c.Op == column.Op && c.Old == column.Old && c.New == column.New
		}) {
			return false
		}
	}
	added := map[string]int{}
	for i := range other.Rows {
		row := &other.Rows[i]
		same := u.byKey[row.Key]
		switch row.Op {
		case table.Append:
			cells := joined(row.After)
			if added[cells]++; added[cells] > u.added[cells] {
				return false
			}
		case table.Delete:
			if same == nil || same.Op != table.Delete && keepsCell(u.changes, same) {
				return false
			}
		case table.Update:
			if same == nil || same.Op != table.Update || !u.setsAs(same, row, other) {
				return false
			}
		}
	}
	return true
}

// setsAs reports whether same gives every cell that row changes the same value.
func (u *undo) setsAs(same, row *table.Change, other table.Changes) bool {
	for n, name := range other.NewHeader {
		value := at(row.After, n)
		if value != at(row.Before, indexOf(other.OldHeader, name)) && value != at(same.After, indexOf(u.changes.NewHeader, name)) {
			return false
		}
	}
	return true
}

func counted(changes table.Changes) string {
	appends, updates, deletes := changes.Count()
	return fmt.Sprintf("%d rows added, %d changed, %d removed", deletes, updates, appends)
}
