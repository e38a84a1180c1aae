package judge

import (
	"errors"
	"fmt"
	"io"
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
		if changes.Rows, err = stillThere(content, changes); err != nil {
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

// stillThere leaves out what would be done to rows of which the arrival has no
// cell any more. They were written here since: perhaps as other rows, to which
// the key was carried over because they stand in the place of the old ones.
func stillThere(content table.Content, changes table.Changes) ([]table.Change, error) {
	inverse := map[table.Key]*table.Change{}
	for i := range changes.Rows {
		if row := &changes.Rows[i]; row.Op != table.Append {
			inverse[row.Key] = row
		}
	}
	if len(inverse) == 0 {
		return changes.Rows, nil
	}
	replaced := map[table.Key]bool{}
	err := eachRecord(content, func(header []string, key table.Key, cells [][]byte) {
		row := inverse[key]
		if row == nil {
			return
		}
		for i, name := range changes.OldHeader {
			place := indexOf(header, name)
			if place >= 0 && place < len(cells) && string(cells[place]) == at(row.Before, i) {
				return
			}
		}
		replaced[key] = len(changes.OldHeader) > 1
	})
	var rows []table.Change
	for _, row := range changes.Rows {
		if !replaced[row.Key] {
			rows = append(rows, row)
		}
	}
	return rows, err
}

// eachRecord calls f with every record of a content. The cells are valid until
// f returns.
func eachRecord(content table.Content, f func(header []string, key table.Key, cells [][]byte)) error {
	reader := table.NewReader(content.Source, 0, table.Dialect{})
	var header []string
	for i := -1; ; i++ {
		record, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case i < 0:
			for _, name := range record.Cells {
				header = append(header, string(name))
			}
		case i < content.Keys.Len():
			f(header, content.Keys.At(i), record.Cells)
		}
	}
}
