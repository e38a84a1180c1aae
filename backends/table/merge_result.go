package table

import "slices"

// result turns the merged rows into the three change sets.
func (m *merger) result() Merged {
	all := make([]int, len(m.rows))
	for i := range all {
		all[i] = i
	}
	ourPrev := func(r *mergedRow) Key { return r.ourPrev }
	theirPrev := func(r *mergedRow) Key { return r.theirPrev }
	ours := func(r *mergedRow) []string { return r.ours }
	theirs := func(r *mergedRow) []string { return r.theirs }
	taken := func(r *mergedRow) []string { return r.taken }
	sent := func(r *mergedRow) []string { return r.sent }
	return Merged{
		Send:      m.changes(step{m.theirs, m.sent, theirs, sent, ourPrev}, all),
		Take:      m.changes(step{m.ours, m.taken, ours, taken, theirPrev}, m.theirRows),
		Document:  m.changes(step{m.ours, m.document, ours, sent, theirPrev}, m.theirRows),
		Conflicts: m.conflicts,
	}
}

// step leads from one form of the merged rows to another.
type step struct {
	from, to      mergedHeader
	before, after func(*mergedRow) []string
	prev          func(*mergedRow) Key
}

// changes returns the difference of a step, going over the rows in that order.
func (m *merger) changes(s step, order []int) Changes {
	c := Changes{OldHeader: s.from.names, NewHeader: s.to.names, Columns: m.columnChanges(s.from, s.to)}
	var deletes []Change
	for _, i := range order {
		row := &m.rows[i]
		before, after := s.before(row), s.after(row)
		change := Change{Key: row.key, Prev: s.prev(row)}
		switch {
		case before == nil && after == nil:
			continue
		case before == nil:
			change.Op, change.After = Append, s.to.cells(after)
		case after == nil:
			change.Op, change.Before = Delete, s.from.cells(before)
			deletes = append(deletes, change)
			continue
		case m.differ(s, before, after):
			change.Op, change.Before, change.After = Update, s.from.cells(before), s.to.cells(after)
		default:
			continue
		}
		c.Rows = append(c.Rows, change)
	}
	c.Rows = append(c.Rows, deletes...)
	return c
}

// differ reports whether a row differs in a cell that either header has.
func (m *merger) differ(s step, before, after []string) bool {
	from, to := make([]string, len(m.columns)), make([]string, len(m.columns))
	for _, i := range s.from.columns {
		from[i] = before[i]
	}
	for _, i := range s.to.columns {
		to[i] = after[i]
	}
	for i := range from {
		if from[i] != to[i] {
			return true
		}
	}
	return false
}

// columnChanges returns the column changes from one header to the other.
func (m *merger) columnChanges(from, to mergedHeader) []ColumnChange {
	place := make(map[int]int, len(from.names))
	for at, i := range from.columns[:len(from.names)] {
		place[i] = at
	}
	var changes []ColumnChange
	for at, i := range to.columns[:len(to.names)] {
		was, there := place[i]
		delete(place, i)
		switch {
		case !there:
			changes = append(changes, ColumnChange{Op: AddColumn, New: to.names[at], Position: at, Type: m.columns[i].typ})
		case from.names[was] != to.names[at]:
			changes = append(changes, ColumnChange{
				Op: RenameColumn, Old: from.names[was], New: to.names[at], Position: at, Type: m.columns[i].typ,
			})
		}
	}
	for at, i := range from.columns[:len(from.names)] {
		if _, left := place[i]; left {
			changes = append(changes, ColumnChange{Op: DropColumn, Old: from.names[at], Position: at, Type: m.columns[i].typ})
		}
	}
	return withoutReplaced(changes)
}

// withoutReplaced leaves out columns that are dropped and added again under the
// same name: for whoever applies the changes that is one column with other cells.
func withoutReplaced(changes []ColumnChange) []ColumnChange {
	added, dropped := make(map[string]bool), make(map[string]bool)
	for _, change := range changes {
		added[change.New] = added[change.New] || change.Op == AddColumn
		dropped[change.Old] = dropped[change.Old] || change.Op == DropColumn
	}
	return slices.DeleteFunc(changes, func(c ColumnChange) bool {
		return c.Op == AddColumn && dropped[c.New] || c.Op == DropColumn && added[c.Old]
	})
}
