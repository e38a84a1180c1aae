package judge

import (
	"fmt"

	"github.com/ragasfs/ragasfs/backends/table"
)

// few is the number of rows that a save may lose without a question, however
// small the table is.
const few = 20

// guard looks at what the save does to base (contract, section 6) and returns
// the rule that holds it, with a reason for people; 0 if none does. Rows that
// were replaced by others are not lost, so a table whose rows are all new goes
// out without a question.
func (j *judgment) guard() (byte, string, error) {
	if j.in.Confirmed || j.base.Source == nil {
		return 0, "", nil
	}
	rules := []func() (byte, string, error){j.emptied}
	switch j.in.Guard {
	case GuardAuto:
		rules = append(rules, j.cutOff, j.halved, j.columnDropped, j.killed, j.undoesArrival)
	case GuardEmpty:
		rules = append(rules, j.killed)
	case GuardOff:
		rules = []func() (byte, string, error){j.killed}
	}
	for _, rule := range rules {
		if name, reason, err := rule(); name != 0 || err != nil {
			return name, reason, err
		}
	}
	return 0, "", nil
}

// rows returns how many rows there were, how many are left, how many are lost.
func (j *judgment) rows() (were, left, lost int) {
	were, left = j.base.Keys.Len(), j.ours.Keys.Len()
	return were, left, max(were-left, 0)
}

// emptied is rule (a).
func (j *judgment) emptied() (byte, string, error) {
	were, left, _ := j.rows()
	if left > 0 || were == 0 {
		return 0, "", nil
	}
	return 'a', fmt.Sprintf("The save leaves no row of %d.", were), nil
}

// cutOff is rule (b).
func (j *judgment) cutOff() (byte, string, error) {
	were, _, lost := j.rows()
	missing := min(j.ours.Tail, lost)
	if !j.in.Writer.InPlace || j.in.Writer.Synced || missing <= few {
		return 0, "", nil
	}
	return 'b', fmt.Sprintf("The save lacks the last %d of %d rows and was written in place without an fsync: its writer may have been cut off.", missing, were), nil
}

// halved is rule (c).
func (j *judgment) halved() (byte, string, error) {
	were, left, lost := j.rows()
	if lost <= few || 2*left >= were {
		return 0, "", nil
	}
	return 'c', fmt.Sprintf("The save leaves %d of %d rows, fewer than half.", left, were), nil
}

// columnDropped is rule (d).
func (j *judgment) columnDropped() (byte, string, error) {
	for _, column := range j.ours.Changes.Columns {
		if column.Op != table.DropColumn {
			continue
		}
		filled, err := filled(j.base, column.Old)
		if err != nil {
			return 0, "", err
		}
		if filled > 0 {
			return 'd', fmt.Sprintf("The save drops the column %q, which has values in %d rows.", column.Old, filled), nil
		}
	}
	return 0, "", nil
}

// filled counts the records with a non-empty cell in the column.
func filled(content table.Content, column string) (int, error) {
	count := 0
	err := eachRecord(content, func(header []string, _ table.Key, cells [][]byte) {
		if place := indexOf(header, column); place >= 0 && place < len(cells) && len(cells[place]) > 0 {
			count++
		}
	})
	return count, err
}

// killed is rule (e).
func (j *judgment) killed() (byte, string, error) {
	if !j.in.Writer.Killed {
		return 0, "", nil
	}
	_, _, deletes := j.ours.Changes.Count()
	drops := 0
	for _, column := range j.ours.Changes.Columns {
		if column.Op == table.DropColumn {
			drops++
		}
	}
	if deletes == 0 && drops == 0 {
		return 0, "", nil
	}
	return 'e', fmt.Sprintf("The save deletes %d rows and %d columns, and its writer was killed or saw a write fail.", deletes, drops), nil
}
