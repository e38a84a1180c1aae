package judge

import (
	"github.com/ragasfs/ragasfs/backends/table"
)

// compareOurs sets ours: the rows of L get their keys, then L is compared with
// base by key.
//
// Who a row of L is, is best seen beside the last judged content: the same
// buffer saved twice is aligned with itself, and its new rows keep the keys they
// got. A row that the last judged content does not have may be one of base that
// was deleted here in between and is now put back by an undo.
func (j *judgment) compareOurs() error {
	in := &j.in
	options := j.options()
	if in.Reference.Source == nil || in.Reference.Source == j.base.Source {
		if j.base.Source == in.S.Source {
			options.SharedPrefix = in.SharedPrefix
		}
		return j.compareWithBase(table.Content{Source: in.L.Source}, options)
	}

	reference, err := j.putBack(in.Reference, in.Later)
	if err != nil {
		return err
	}
	fresh := newFreshKeys(j, &options)
	options.Lenient = true // columns are judged against base
	comparison, err := table.Compare(reference, table.Content{Source: in.L.Source}, options)
	if err != nil {
		return err
	}
	keys := comparison.Keys
	if len(fresh.keys) > 0 && j.base.Source != nil {
		if keys, err = j.knownToBase(keys, fresh); err != nil {
			return err
		}
	}
	return j.compareWithBase(table.Content{Source: in.L.Source, Keys: keys}, j.options())
}

func (j *judgment) compareWithBase(l table.Content, options table.CompareOptions) error {
	comparison, err := table.Compare(j.base, l, options)
	if err != nil {
		return err
	}
	j.ours = comparison
	return nil
}

// knownToBase gives the rows with fresh keys those of the rows of base that
// they are most like, where no other row of L has that key.
func (j *judgment) knownToBase(keys table.Keys, fresh *freshKeys) (table.Keys, error) {
	options := j.options()
	options.Lenient = true
	unknown := map[table.Key]bool{}
	options.NewKey = func() table.Key {
		key := j.in.NewKey()
		unknown[key] = true
		return key
	}
	options.ForeignKey = func(id string) table.ForeignKey { // already let through
		unknown[table.Key(id)] = true
		return table.ForeignAdopt
	}
	comparison, err := table.Compare(j.base, table.Content{Source: j.in.L.Source}, options)
	if err != nil {
		return keys, err
	}

	found := map[table.Key]table.Key{} // fresh key -> key in base
	free := map[table.Key]bool{}
	for i := range keys.Len() {
		if key := keys.At(i); fresh.keys[key] {
			if known := comparison.Keys.At(i); !unknown[known] {
				found[key], free[known] = known, true
			}
		}
	}
	if len(found) == 0 {
		return keys, nil
	}
	for i := range keys.Len() {
		if key := keys.At(i); !fresh.keys[key] {
			delete(free, key)
		}
	}
	var out table.Keys
	for i := range keys.Len() {
		key := keys.At(i)
		if known, ok := found[key]; ok && free[known] {
			key = known
		}
		out.Add(key)
	}
	return out, nil
}

// freshKeys are the keys that a comparison with the last judged content gave to
// rows that it does not have.
type freshKeys struct {
	keys map[table.Key]bool
	base map[table.Key]bool // the keys of base, once they are needed
}

// newFreshKeys makes options collect fresh keys.
func newFreshKeys(j *judgment, options *table.CompareOptions) *freshKeys {
	fresh := &freshKeys{keys: map[table.Key]bool{}}
	options.NewKey = func() table.Key {
		key := j.in.NewKey()
		fresh.keys[key] = true
		return key
	}
	options.ForeignKey = func(id string) table.ForeignKey {
		key := table.Key(id)
		if fresh.inBase(j, key) {
			fresh.keys[key] = true
			return table.ForeignAdopt
		}
		answer := j.foreign(id)
		if answer == table.ForeignAdopt {
			fresh.keys[key] = true
		}
		return answer
	}
	return fresh
}

func (f *freshKeys) inBase(j *judgment, key table.Key) bool {
	if f.base == nil {
		f.base = map[table.Key]bool{}
		for i := range j.base.Keys.Len() {
			f.base[j.base.Keys.At(i)] = true
		}
	}
	return f.base[key]
}
