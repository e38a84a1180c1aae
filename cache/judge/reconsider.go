package judge

import (
	"slices"
	"strings"

	"github.com/ragasfs/ragasfs/backends/table"
)

// reconsiderKeys looks once more at rows of L whose identity was guessed, now
// that it is known what came in, and compares again where a guess was bad.
func (j *judgment) reconsiderKeys() error {
	guessed, err := j.guessed()
	if err != nil {
		return err
	}
	steps := []func(better map[table.Key]table.Key){j.addedAgain, j.addedByBoth}
	if guessed {
		steps = []func(better map[table.Key]table.Key){j.moved, j.addedAgain, j.addedByBoth, j.replaced}
	}
	for _, step := range steps {
		better := map[table.Key]table.Key{} // of rows of L
		if step(better); len(better) == 0 {
			continue
		}
		l := table.Content{Source: j.in.L.Source, Keys: rekeyed(j.ours.Keys, better)}
		if err := j.compareWithBase(l, j.options()); err != nil {
			return err
		}
	}
	return nil
}

// rekeyed returns keys in which some are others.
func rekeyed(keys table.Keys, better map[table.Key]table.Key) table.Keys {
	var out table.Keys
	for i := range keys.Len() {
		key := keys.At(i)
		if other, ok := better[key]; ok {
			key = other
		}
		out.Add(key)
	}
	return out
}

// addedAgain finds rows that an unknown arrival removed and that were added
// again here since, by a program that knew. Put back into base, such a row is
// there twice, under its old key and under its new one. L, which has it once,
// must mean the new one: else ours would delete the new row, theirs the old one.
func (j *judgment) addedAgain(better map[table.Key]table.Key) {
	putBack := map[table.Key]string{} // -> cells
	for _, arrival := range j.in.Later {
		for i := range arrival.Changes.Rows {
			if row := &arrival.Changes.Rows[i]; row.Op == table.Delete {
				putBack[row.Key] = joined(row.Before)
			}
		}
	}
	missing := map[string][]table.Key{} // cells -> rows of base that L lacks
	for i := range j.ours.Changes.Rows {
		row := &j.ours.Changes.Rows[i]
		if _, old := putBack[row.Key]; row.Op == table.Delete && !old {
			missing[joined(row.Before)] = append(missing[joined(row.Before)], row.Key)
		}
	}
	if len(missing) == 0 {
		return
	}
	for i := range j.ours.Keys.Len() {
		key := j.ours.Keys.At(i)
		if same := missing[putBack[key]]; len(same) > 0 && putBack[key] != "" {
			better[key], missing[putBack[key]] = same[0], same[1:]
		}
	}
}

// addedByBoth finds rows of L that are new, and equal in all cells to a row that
// is new in R. They are one row if it came with an arrival that the writer was
// taken not to know: it did know this row. So they are in a document: most likely
// the row was sent from here, and the answer was lost. (What a row store has of
// a push is known by the ids.)
func (j *judgment) addedByBoth(better map[table.Key]table.Key) {
	ours, theirs := &j.ours.Changes, &j.theirs
	if !slices.Equal(ours.NewHeader, theirs.NewHeader) {
		return
	}
	later := map[table.Key]bool{}
	for _, arrival := range j.in.Later {
		for i := range arrival.Changes.Rows {
			later[arrival.Changes.Rows[i].Key] = true
		}
	}
	added := map[string][]table.Key{} // cells -> rows of R
	for i := range theirs.Rows {
		if row := &theirs.Rows[i]; row.Op == table.Append && (!j.rowStore() || later[row.Key]) {
			added[joined(row.After)] = append(added[joined(row.After)], row.Key)
		}
	}
	for i := range ours.Rows {
		row := &ours.Rows[i]
		same := added[joined(row.After)]
		isNew := row.Op == table.Append || row.Op == table.Update && !keepsCell(ours, row)
		if isNew && len(same) > 0 && same[0] != row.Key {
			better[row.Key], added[joined(row.After)] = same[0], same[1:]
		}
	}
}

// guessed reports whether the identity of rows is guessed, because L shows no
// ids that are keys.
func (j *judgment) guessed() (bool, error) {
	if !j.rowStore() {
		return true, nil
	}
	header, err := table.NewReader(j.in.L.Source, 0, table.Dialect{}).Next()
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(header.Cells, func(name []byte) bool {
		trimmed := strings.TrimSpace(string(name))
		return trimmed == table.RowIDColumn || trimmed == table.RowIDAlias
	}), nil
}

// replaced finds rows of L that keep no cell of the row of base whose place they
// have, while theirs changed that row. They are rows of their own: merged cell
// by cell, the result would be half one row and half the other.
func (j *judgment) replaced(better map[table.Key]table.Key) {
	ours := &j.ours.Changes
	if len(j.theirs.Rows) == 0 || len(ours.NewHeader) < 2 {
		return
	}
	theirs := map[table.Key]*table.Change{}
	for i := range j.theirs.Rows {
		if row := &j.theirs.Rows[i]; row.Op == table.Update {
			theirs[row.Key] = row
		}
	}
	for i := range ours.Rows {
		row := &ours.Rows[i]
		if row.Op != table.Update || keepsCell(ours, row) {
			continue
		}
		if their := theirs[row.Key]; their != nil && !slices.Equal(row.After, their.After) {
			better[row.Key] = j.in.NewKey()
		}
	}
}

// keepsCell reports whether an updated row still has a cell that it had.
func keepsCell(changes *table.Changes, row *table.Change) bool {
	for n, name := range changes.NewHeader {
		if before := indexOf(changes.OldHeader, name); before >= 0 && at(row.Before, before) == at(row.After, n) {
			return true
		}
	}
	return false
}

// joined is one string for the cells of a row.
func joined(cells []string) string { return strings.Join(cells, "\x00") }
