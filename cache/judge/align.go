package judge

import (
	"cmp"
	"slices"

	"github.com/ragasfs/ragasfs/backends/table"
)

// compareOurs sets ours: the rows of L get their keys, then L is compared with
// base by key.
//
// Who a row of L is, is best seen beside base if it stands there just so, else
// beside the last judged content: the same buffer saved twice is aligned with
// itself, and its new rows keep the keys they got. But the last judged content
// may be old, and lack what came in since or what an undo brings back. So L is
// aligned with both.
func (j *judgment) compareOurs() error {
	in := &j.in
	last := in.Reference
	if last.Source == nil {
		last = in.S
	}
	if last.Source == nil || last.Source == j.base.Source || len(in.Later) > 0 && in.Reference.Source == nil {
		options := j.options()
		if j.base.Source == in.S.Source {
			options.SharedPrefix = in.SharedPrefix
		}
		return j.compareWithBase(table.Content{Source: in.L.Source}, options)
	}

	last, err := j.putBack(last, in.Later)
	if err != nil {
		return err
	}
	beside, err := j.align(last, j.foreignOrBase())
	if err != nil {
		return err
	}
	keys := beside.keys
	if j.base.Source != nil {
		// Unknown ids were decided about beside the last judged content.
		adopt := func(string) table.ForeignKey { return table.ForeignAdopt }
		besideBase, err := j.align(j.base, adopt)
		if err != nil {
			return err
		}
		keys = j.combine(besideBase, beside)
	}
	return j.compareWithBase(table.Content{Source: in.L.Source, Keys: keys}, j.options())
}

// alignment is L beside another content.
type alignment struct {
	keys  table.Keys
	fresh map[table.Key]bool // keys of rows that the other content does not have
	// differing counts the cells that differ, for rows that are not equal.
	differing map[table.Key]int
}

// align aligns L with old. Whether its columns will do is seen beside base.
func (j *judgment) align(old table.Content, foreign func(string) table.ForeignKey) (*alignment, error) {
	a := &alignment{fresh: map[table.Key]bool{}, differing: map[table.Key]int{}}
	options := j.options()
	options.Lenient = true
	options.NewKey = func() table.Key {
		key := j.in.NewKey()
		a.fresh[key] = true
		return key
	}
	options.ForeignKey = func(id string) table.ForeignKey {
		answer := foreign(id)
		if answer == table.ForeignAdopt {
			a.fresh[table.Key(id)] = true
		}
		return answer
	}
	comparison, err := table.Compare(old, table.Content{Source: j.in.L.Source}, options)
	if err != nil {
		return nil, err
	}
	a.keys = comparison.Keys
	changes := &comparison.Changes
	for i := range changes.Rows {
		if row := &changes.Rows[i]; row.Op == table.Update {
			a.differing[row.Key] = countDiffering(changes, row)
		}
	}
	return a, nil
}

// equal reports whether row i of L is just as in the other content.
func (a *alignment) equal(i int) bool {
	key := a.keys.At(i)
	_, differs := a.differing[key]
	return !a.fresh[key] && !differs
}

// candidate is a key that a row of L may have.
type candidate struct {
	row       int
	key       table.Key
	differing int // cells
}

// combine gives every row of L the key of a row of base that it equals, else
// that of the row in either content that it is most like.
func (j *judgment) combine(base, last *alignment) table.Keys {
	var candidates []candidate
	free := map[table.Key]bool{}
	var open []int // rows that do not equal one of base
	for i := range base.keys.Len() {
		if base.equal(i) {
			continue
		}
		open = append(open, i)
		for _, a := range []*alignment{last, base} {
			if key := a.keys.At(i); !a.fresh[key] {
				candidates = append(candidates, candidate{i, key, a.differing[key]})
				free[key] = true
			}
		}
	}
	for i := range base.keys.Len() {
		if base.equal(i) {
			delete(free, base.keys.At(i))
		}
	}

	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.differing, b.differing) })
	chosen := map[int]table.Key{}
	for _, c := range candidates {
		if chosen[c.row] == "" && free[c.key] {
			chosen[c.row] = c.key
			delete(free, c.key)
		}
	}
	for _, i := range open {
		if chosen[i] == "" {
			chosen[i] = j.freshKey(last, base, i)
		}
	}
	var keys table.Keys
	for i := range base.keys.Len() {
		if key := chosen[i]; key != "" {
			keys.Add(key)
		} else {
			keys.Add(base.keys.At(i))
		}
	}
	return keys
}

// freshKey returns the key of a row that is new.
func (j *judgment) freshKey(last, base *alignment, i int) table.Key {
	for _, a := range []*alignment{last, base} {
		if key := a.keys.At(i); a.fresh[key] {
			return key
		}
	}
	return j.in.NewKey()
}

// foreignOrBase decides about ids that the last judged content does not have:
// base may have them.
func (j *judgment) foreignOrBase() func(id string) table.ForeignKey {
	var inBase map[table.Key]bool
	return func(id string) table.ForeignKey {
		if inBase == nil {
			inBase = map[table.Key]bool{}
			for i := range j.base.Keys.Len() {
				inBase[j.base.Keys.At(i)] = true
			}
		}
		if inBase[table.Key(id)] {
			return table.ForeignAdopt
		}
		return j.foreign(id)
	}
}

// countDiffering returns in how many columns an updated row differs.
func countDiffering(changes *table.Changes, row *table.Change) int {
	count := 0
	for n, name := range changes.NewHeader {
		if at(row.After, n) != at(row.Before, indexOf(changes.OldHeader, name)) {
			count++
		}
	}
	return count
}
