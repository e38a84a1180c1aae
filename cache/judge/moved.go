package judge

import (
	"cmp"
	"slices"

	"github.com/ragasfs/ragasfs/backends/table"
)

// maxMoved bounds the search for moved rows: rows gone times rows new.
const maxMoved = 1_000_000

// moved finds rows of L that are most like a row of base that is gone, or in
// whose place now stands another one: they were moved and edited, or stand in
// another order here than in the store. An alignment takes a row that stands
// alone in the place of another one for that, even if they have no cell in common.
func (j *judgment) moved(better map[table.Key]table.Key) {
	changes := &j.ours.Changes
	var gone, added []*table.Change
	for i := range changes.Rows {
		row := &changes.Rows[i]
		stranger := row.Op == table.Update && !keepsCell(changes, row)
		if row.Op == table.Delete || stranger {
			gone = append(gone, row)
		}
		if row.Op == table.Append || stranger {
			added = append(added, row)
		}
	}
	if len(gone)*len(added) > maxMoved {
		return
	}

	type pair struct {
		gone, added *table.Change
		same        int // cells
	}
	var pairs []pair
	for _, a := range added {
		for _, g := range gone {
			if same := sameCells(changes, g.Before, a.After); 2*same > len(changes.NewHeader) {
				pairs = append(pairs, pair{g, a, same})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.same, a.same) })
	taken := map[table.Key]bool{}
	for _, p := range pairs {
		if _, done := better[p.added.Key]; done || taken[p.gone.Key] {
			continue
		}
		better[p.added.Key] = p.gone.Key
		taken[p.gone.Key] = true
	}
	for _, row := range added { // whose key has gone to another row
		if _, done := better[row.Key]; taken[row.Key] && !done {
			better[row.Key] = j.in.NewKey()
		}
	}
}

// sameCells counts the columns in which two rows have the same cell, not empty.
func sameCells(changes *table.Changes, before, after []string) int {
	count := 0
	for n, name := range changes.NewHeader {
		if cell := at(after, n); cell != "" && cell == at(before, indexOf(changes.OldHeader, name)) {
			count++
		}
	}
	return count
}
