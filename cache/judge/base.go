package judge

import (
	"fmt"
	"slices"

	"github.com/ragasfs/ragasfs/backends/table"
)

// findBase sets base. Without S it is R (a save that is to replace what the
// store holds already), without R it is nothing: all of L is new to the store.
func (j *judgment) findBase() error {
	in := &j.in
	switch {
	case in.R.Source == nil:
		return nil
	case in.S.Source == nil:
		j.base = in.R
		return nil
	}
	base, err := j.putBack(in.S, in.Later)
	j.base = base
	return err
}

// putBack returns content as it was before the arrivals (oldest first): what
// they added is gone, what they removed is there, cells have their old values.
// What else has happened to the rows since stays.
func (j *judgment) putBack(content table.Content, arrivals []Arrival) (table.Content, error) {
	for _, changes := range inverses(arrivals) {
		dialect, err := dialectOf(content.Source)
		if err != nil {
			return content, err
		}
		temp, err := j.in.Temp()
		if err != nil {
			return content, fmt.Errorf("make room for an earlier version: %w", err)
		}
		keys, err := table.Apply(temp, content, changes, table.ApplyOptions{Dialect: dialect, RowStore: j.rowStore()})
		if err != nil {
			return content, err
		}
		source, err := temp.Source()
		if err != nil {
			return content, fmt.Errorf("write an earlier version: %w", err)
		}
		content = table.Content{Source: source, Keys: keys}
	}
	return content, nil
}

// inverses returns what leads back to before the arrivals, in the order in
// which it is to be applied. Arrivals one after the other that have the same
// header and no row in common become one, so that a hundred small arrivals do
// not cost a hundred copies of the table.
func inverses(arrivals []Arrival) []table.Changes {
	var out []table.Changes
	touched := map[table.Key]bool{}
	for _, arrival := range slices.Backward(arrivals) {
		changes := table.Inverse(arrival.Changes)
		if changes.Empty() {
			continue
		}
		last := len(out) - 1
		if last >= 0 && sameHeader(out[last], changes) && !slices.ContainsFunc(changes.Rows, func(c table.Change) bool { return touched[c.Key] }) {
			out[last].Rows = slices.Concat(out[last].Rows, changes.Rows)
		} else {
			out = append(out, changes)
			clear(touched)
		}
		for i := range changes.Rows {
			touched[changes.Rows[i].Key] = true
		}
	}
	return out
}

func sameHeader(a, b table.Changes) bool {
	return len(a.Columns) == 0 && len(b.Columns) == 0 && slices.Equal(a.NewHeader, b.NewHeader)
}
