package judge

import (
	"strings"

	"github.com/ragasfs/ragasfs/backends/table"
)

// rowsAddedAgain finds rows that an unknown arrival removed and that were added
// again here since, by a program that knew. Put back into base, such a row is
// there twice, under its old key and under its new one. L, which has it once,
// must mean the new one: else ours would delete the new row, theirs the old one.
// It returns the keys of L so changed, and whether any was.
func (j *judgment) rowsAddedAgain() (table.Keys, bool) {
	old := map[table.Key]string{} // rows put back -> cells
	for _, arrival := range j.in.Later {
		for i := range arrival.Changes.Rows {
			if row := &arrival.Changes.Rows[i]; row.Op == table.Delete {
				old[row.Key] = joined(row.Before)
			}
		}
	}
	gone := map[string][]table.Key{} // cells -> other rows that L lacks
	for i := range j.ours.Changes.Rows {
		row := &j.ours.Changes.Rows[i]
		if _, putBack := old[row.Key]; row.Op == table.Delete && !putBack {
			gone[joined(row.Before)] = append(gone[joined(row.Before)], row.Key)
		}
	}
	if len(old) == 0 || len(gone) == 0 {
		return j.ours.Keys, false
	}

	var keys table.Keys
	changed := false
	for i := range j.ours.Keys.Len() {
		key := j.ours.Keys.At(i)
		if cells, putBack := old[key]; putBack && len(gone[cells]) > 0 {
			key, gone[cells] = gone[cells][0], gone[cells][1:]
			changed = true
		}
		keys.Add(key)
	}
	return keys, changed
}

// joined is one string for the cells of a row.
func joined(cells []string) string { return strings.Join(cells, "\x00") }
