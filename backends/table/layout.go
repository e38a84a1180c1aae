package table

import (
	"regexp"
	"slices"
	"strings"
)

// layout says what the columns of one content are.
type layout struct {
	header []string // all columns, as in the file
	row    bool     // of a row store: cells without a column have no place
	id     int      // place of the id column (row store), or -1
	data   []int    // places of the data columns
	names  []string // their names
	// accidental columns (row store): names for people, and the places of those
	// at the end, which must be empty.
	ignored  []string
	trailing []int
}

// accidentalName matches what pandas calls columns without a name.
var accidentalName = regexp.MustCompile(`^Unnamed: \d+(\.\d+)*$`)

// newLayout sorts the columns of a header. In a document store all are data.
func newLayout(header []string, opt *CompareOptions) layout {
	l := layout{header: header, row: opt.RowStore, id: -1}
	if !opt.RowStore {
		l.names = header
		for place := range header {
			l.data = append(l.data, place)
		}
		return l
	}
	known := func(name string) bool {
		return slices.ContainsFunc(opt.Columns, func(c Column) bool { return c.Name == name })
	}
	end := len(header)
	for end > 0 && header[end-1] == "" && !known("") {
		end--
	}
	for place, name := range header {
		switch {
		case l.id < 0 && isIDName(name):
			l.id = place
		case place >= end:
			l.trailing = append(l.trailing, place)
			l.ignored = append(l.ignored, name)
		case (name == "" && place == 0 || accidentalName.MatchString(name)) && !known(name):
			l.ignored = append(l.ignored, name)
		default:
			l.data = append(l.data, place)
			l.names = append(l.names, name)
		}
	}
	return l
}

// isIDName reports whether a column of a row store holds the ids of rows.
func isIDName(name string) bool {
	name = strings.TrimSpace(strings.TrimPrefix(name, byteOrderMark))
	return name == RowIDColumn || name == RowIDAlias
}

// extra returns the place behind the last column: cells from there on have no
// column.
func (l *layout) extra() int { return len(l.header) }

// cells returns the data cells of a record as strings, in the order of names;
// a short record stays short, cells without a column come at the end.
func (l *layout) cells(record [][]byte) []string {
	size, count := 0, 0
	for i, place := range l.data {
		if place < len(record) {
			size += len(record[place])
			count = i + 1
		}
	}
	extra := l.extraCells(record)
	if len(extra) > 0 {
		count = len(l.data)
	}
	text := make([]byte, 0, size)
	for _, place := range l.data[:count] {
		if place < len(record) {
			text = append(text, record[place]...)
		}
	}
	all := string(text) // one allocation for all cells
	cells := make([]string, count, count+len(extra))
	for i, place := range l.data[:count] {
		if place < len(record) {
			n := len(record[place])
			cells[i], all = all[:n], all[n:]
		}
	}
	for _, cell := range extra {
		cells = append(cells, string(cell))
	}
	return cells
}

// extraCells returns the cells behind the last column. A row store has no place
// for them.
func (l *layout) extraCells(record [][]byte) [][]byte {
	if l.row || len(record) <= l.extra() {
		return nil
	}
	return record[l.extra():]
}

// spills reports whether a record has cells behind the last column that has a name.
func (l *layout) spills(record [][]byte) bool {
	for _, place := range l.trailing {
		if len(byteCell(record, place)) > 0 {
			return true
		}
	}
	return len(record) > len(l.header)
}

// byteCell returns a cell of a record that may be short.
func byteCell(record [][]byte, place int) []byte {
	if place < 0 || place >= len(record) {
		return nil
	}
	return record[place]
}

// columnMap says which data columns of an old and a new content are the same.
type columnMap struct {
	toNew, toOld []int  // places in layout.names; -1: gone, or new
	types        []Type // by old column; Text in a document store
	// candidate is the old column that has perhaps been renamed, or -1: one gone,
	// one new, same place. Whether its cells are the same must be seen.
	candidate int
	// positional: records with the same bytes are the same rows.
	positional bool
}

// mapColumns pairs the columns by name, equal names in their order.
func mapColumns(old, new *layout, opt *CompareOptions, rename bool) columnMap {
	m := columnMap{candidate: -1, toNew: pairColumns(old.names, new.names, nil), toOld: make([]int, len(new.names))}
	for j := range m.toOld {
		m.toOld[j] = -1
	}
	for i, j := range m.toNew {
		if j >= 0 {
			m.toOld[j] = i
		}
	}
	gone, added := places(m.toNew, -1), places(m.toOld, -1)
	if rename && len(gone) == 1 && len(added) == 1 && gone[0] == added[0] {
		m.candidate = gone[0]
		m.toNew[m.candidate], m.toOld[m.candidate] = m.candidate, m.candidate
	}
	m.types = make([]Type, len(old.names))
	for i, name := range old.names {
		m.types[i] = typeOf(name, opt)
	}
	m.positional = old.id == new.id && slices.Equal(old.data, new.data) && len(old.header) == len(new.header)
	for i, j := range m.toNew {
		m.positional = m.positional && i == j
	}
	return m
}

// changed reports whether a column came or went.
func (m *columnMap) changed() bool {
	return slices.Contains(m.toNew, -1) || slices.Contains(m.toOld, -1)
}

// changes returns the column changes; guesses are types of new columns.
func (m *columnMap) changes(old, new *layout, guesses []typeGuess, opt *CompareOptions) []ColumnChange {
	var changes []ColumnChange
	for j, i := range m.toOld {
		switch {
		case i < 0:
			change := ColumnChange{Op: AddColumn, New: new.names[j], Position: j, Type: Text}
			if j < len(guesses) {
				change.Type = guesses[j].result()
			}
			changes = append(changes, change)
		case i == m.candidate:
			changes = append(changes, ColumnChange{
				Op: RenameColumn, Old: old.names[i], New: new.names[j], Position: j, Type: m.types[i],
			})
		}
	}
	for i, j := range m.toNew {
		if j < 0 {
			changes = append(changes, ColumnChange{Op: DropColumn, Old: old.names[i], Position: i, Type: m.types[i]})
		}
	}
	return changes
}

// typeOf returns the type of a known column, Text for any other.
func typeOf(name string, opt *CompareOptions) Type {
	if opt.RowStore {
		for _, column := range opt.Columns {
			if column.Name == name {
				return column.Type
			}
		}
	}
	return Text
}

// places returns where value stands in list.
func places(list []int, value int) []int {
	var at []int
	for i, v := range list {
		if v == value {
			at = append(at, i)
		}
	}
	return at
}
