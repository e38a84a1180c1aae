package table

import "strings"

// mergedColumn is one column of base, ours or theirs.
type mergedColumn struct {
	base, ours, theirs int // places in the headers, -1: not there
	baseName           string
	ourName, theirName string
	typ                Type // as a change of a column has it

	// After Take and after Send the column has these names, or is gone.
	takenName, sentName string
	taken, sent         bool
	// unnamed: cells behind the last column (a document may have such records).
	unnamed bool
}

// mergedHeader is an order of columns, with names.
type mergedHeader struct {
	columns []int    // indices in merger.columns
	names   []string // of all but the unnamed columns at the end
}

// cells returns the cells of a row in the order of the header.
func (h *mergedHeader) cells(row []string) []string {
	cells := make([]string, len(h.columns))
	last := len(h.names) // unnamed columns that are empty are no cells
	for i, c := range h.columns {
		cells[i] = row[c]
		if row[c] != "" {
			last = max(last, i+1)
		}
	}
	return cells[:last]
}

// line shows a row as a person would read it in the file.
func (h *mergedHeader) line(row []string) string {
	var b strings.Builder
	w := NewWriter(&b, Dialect{EOL: "\n"})
	// A strings.Builder does not fail.
	_ = w.Write(h.cells(row))
	_ = w.Close()
	return b.String()
}

// setColumns merges the headers.
func (m *merger) setColumns(ours, theirs Changes) {
	base := ours.OldHeader
	if base == nil {
		base = theirs.OldHeader
	}
	ourHeader, theirHeader := ours.NewHeader, theirs.NewHeader
	if ourHeader == nil {
		ourHeader = base
	}
	if theirHeader == nil {
		theirHeader = base
	}
	m.pairColumns(base, ourHeader, theirHeader, ours, theirs)
	for i := range m.columns {
		m.decideColumn(&m.columns[i], ours, theirs)
	}
	m.keepOneColumn()
	m.separateNames()
	m.setHeaders(len(ourHeader), len(theirHeader))
}

// pairColumns finds out which columns are the same.
func (m *merger) pairColumns(base, ourHeader, theirHeader []string, ours, theirs Changes) {
	toOurs := pairColumns(base, ourHeader, ours.Columns)
	toTheirs := pairColumns(base, theirHeader, theirs.Columns)
	ourAdded, theirAdded := unpaired(toOurs, len(ourHeader)), unpaired(toTheirs, len(theirHeader))
	for i, name := range base {
		c := mergedColumn{base: i, ours: toOurs[i], theirs: toTheirs[i], baseName: name, ourName: name, theirName: name}
		if c.ours >= 0 {
			c.ourName = ourHeader[c.ours]
		}
		if c.theirs >= 0 {
			c.theirName = theirHeader[c.theirs]
		}
		c.typ = columnType(name, ours.Columns, theirs.Columns)
		m.columns = append(m.columns, c)
	}
	for _, at := range ourAdded {
		name := ourHeader[at]
		c := mergedColumn{base: -1, ours: at, theirs: -1, ourName: name, theirName: name}
		for k, other := range theirAdded {
			if theirHeader[other] == name {
				c.theirs = other
				theirAdded = append(theirAdded[:k:k], theirAdded[k+1:]...)
				break
			}
		}
		c.typ = columnType(name, ours.Columns, theirs.Columns)
		m.columns = append(m.columns, c)
	}
	for _, at := range theirAdded {
		name := theirHeader[at]
		m.columns = append(m.columns, mergedColumn{
			base: -1, ours: -1, theirs: at, ourName: name, theirName: name,
			typ: columnType(name, theirs.Columns),
		})
	}
	extra := 0
	for _, side := range [2]Changes{ours, theirs} {
		for i := range side.Rows {
			row := &side.Rows[i]
			extra = max(extra, len(row.Before)-len(side.OldHeader), len(row.After)-len(side.NewHeader))
		}
	}
	for i := range extra {
		m.columns = append(m.columns, mergedColumn{
			base: len(base) + i, ours: len(ourHeader) + i, theirs: len(theirHeader) + i, unnamed: true,
		})
	}
}

// unpaired returns the places in a header of n columns that no pair has.
func unpaired(pairs []int, n int) []int {
	has := make([]bool, n)
	for _, at := range pairs {
		if at >= 0 {
			has[at] = true
		}
	}
	var free []int
	for at, taken := range has {
		if !taken {
			free = append(free, at)
		}
	}
	return free
}

// columnType returns the type that a change gives for a column of that name.
func columnType(name string, lists ...[]ColumnChange) Type {
	for _, list := range lists {
		for _, change := range list {
			if (change.Old == name || change.New == name) && change.Type != "" {
				return change.Type
			}
		}
	}
	return ""
}

// decideColumn decides whether a column stays, and under which name.
func (m *merger) decideColumn(c *mergedColumn, ours, theirs Changes) {
	stays := true
	if c.base >= 0 {
		switch {
		case c.ours < 0 && c.theirs < 0:
			stays = false
		case c.ours < 0:
			stays = columnEdited(theirs, c.base, c.theirs)
		case c.theirs < 0:
			stays = columnEdited(ours, c.base, c.ours)
		}
	}
	c.taken, c.sent = stays, stays
	if c.base < 0 || c.unnamed {
		c.takenName, c.sentName = c.ourName, c.theirName
		return
	}
	name := c.baseName
	switch {
	case c.ours < 0 || c.ourName == name:
		c.takenName, c.sentName = c.theirName, c.theirName
	case c.theirs < 0 || c.theirName == name || c.theirName == c.ourName:
		c.takenName, c.sentName = c.ourName, c.ourName
	default:
		conflict := Conflict{Column: name, Base: name, Ours: c.ourName, Theirs: c.theirName}
		m.conflicts = append(m.conflicts, conflict)
		c.takenName, c.sentName = c.ourName, c.theirName
		switch m.resolve(conflict) {
		case Ours:
			c.sentName = c.ourName
		case Theirs:
			c.takenName = c.theirName
		}
	}
}

// keepOneColumn keeps what only one side dropped if no column would be left.
func (m *merger) keepOneColumn() {
	for i := range m.columns {
		if m.columns[i].taken && !m.columns[i].unnamed {
			return
		}
	}
	for i := range m.columns {
		c := &m.columns[i]
		stays := c.ours >= 0 || c.theirs >= 0
		c.taken, c.sent = stays, stays
	}
}

// columnEdited reports whether changes put something into a column that the
// other side dropped.
func columnEdited(c Changes, before, after int) bool {
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Op != Delete && cellAt(row.After, after) != cellAt(row.Before, before) {
			return true
		}
	}
	return false
}

// separateNames holds apart columns that would get one name (one side renamed a
// column to it, the other added it): each side keeps what it has, nothing of
// them is sent or taken.
func (m *merger) separateNames() {
	apart := make([]bool, len(m.columns))
	for again := true; again; {
		again = false
		inTaken, inSent := make(map[string]int), make(map[string]int)
		for i := range m.columns {
			c := &m.columns[i]
			if c.unnamed {
				continue
			}
			for _, at := range [2]struct {
				there bool
				name  string
				names map[string]int
			}{{c.taken, c.takenName, inTaken}, {c.sent, c.sentName, inSent}} {
				if !at.there || at.name == "" {
					continue // columns without a name may be several
				}
				other, clash := at.names[at.name]
				if clash && !(apart[i] && apart[other]) {
					m.holdApart(i, apart)
					m.holdApart(other, apart)
					again = true
				}
				at.names[at.name] = i
			}
		}
	}
}

// holdApart leaves a column on each side as it is there.
func (m *merger) holdApart(i int, apart []bool) {
	c := &m.columns[i]
	if apart[i] {
		return
	}
	apart[i] = true
	conflict := Conflict{Column: c.takenName, Base: c.baseName}
	if c.ours >= 0 {
		conflict.Ours = c.ourName
	}
	if c.theirs >= 0 {
		conflict.Theirs = c.theirName
	}
	m.conflicts = append(m.conflicts, conflict)
	c.taken, c.takenName = c.ours >= 0, c.ourName
	c.sent, c.sentName = c.theirs >= 0, c.theirName
}

// setHeaders orders the columns: each side keeps its own order, and what comes
// to it stands behind the column that it stood behind.
func (m *merger) setHeaders(nOurs, nTheirs int) {
	ours, theirs := make([]int, nOurs), make([]int, nTheirs)
	var unnamed []int
	for i, c := range m.columns {
		switch {
		case c.unnamed:
			unnamed = append(unnamed, i)
			continue
		case c.ours >= 0 && c.ours < nOurs:
			ours[c.ours] = i
		}
		if c.theirs >= 0 && c.theirs < nTheirs {
			theirs[c.theirs] = i
		}
	}
	keep := func(order []int, stays func(*mergedColumn) bool) []int {
		var kept []int
		for _, i := range order {
			if stays(&m.columns[i]) {
				kept = append(kept, i)
			}
		}
		return kept
	}
	taken := func(c *mergedColumn) bool { return c.taken }
	sent := func(c *mergedColumn) bool { return c.sent }
	header := func(columns []int, name func(*mergedColumn) string) mergedHeader {
		h := mergedHeader{columns: append(columns, unnamed...), names: make([]string, len(columns))}
		for k, i := range columns {
			h.names[k] = name(&m.columns[i])
		}
		return h
	}
	takenName := func(c *mergedColumn) string { return c.takenName }
	sentName := func(c *mergedColumn) string { return c.sentName }
	m.ours = header(ours, func(c *mergedColumn) string { return c.ourName })
	m.theirs = header(theirs, func(c *mergedColumn) string { return c.theirName })
	m.taken = header(weave(keep(ours, taken), keep(theirs, taken)), takenName)
	m.sent = header(weave(keep(theirs, sent), keep(ours, sent)), sentName)
	m.document = header(weave(keep(ours, sent), keep(theirs, sent)), sentName)
}

// weave returns the columns of a in their order, and those that only b has
// behind the column that they stand behind in b.
func weave(a, b []int) []int {
	in := make(map[int]bool, len(a))
	for _, i := range a {
		in[i] = true
	}
	behind := make(map[int][]int) // column (or -1) -> what follows it
	last := -1
	for _, i := range b {
		if in[i] {
			last = i
			continue
		}
		behind[last] = append(behind[last], i)
	}
	woven := append([]int{}, behind[-1]...)
	for _, i := range a {
		woven = append(append(woven, i), behind[i]...)
	}
	return woven
}
