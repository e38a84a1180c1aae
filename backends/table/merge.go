package table

// Conflict is a cell (or a whole row) that both sides changed, differently.
type Conflict struct {
	// Key of the row. Empty: the column as a whole; Base, Ours and Theirs are its
	// names (both sides renamed it, or gave two columns one name).
	Key                Key
	Column             string // empty: the row as a whole (both added the same id)
	Base, Ours, Theirs string
}

// Resolution says who wins a conflict.
type Resolution uint8

// The resolutions (-o on_conflict).
const (
	Hold   Resolution = iota // nobody: neither sent nor taken
	Ours                     // sent
	Theirs                   // taken
)

// Merged is the result of a three-way merge of two change sets from one base.
type Merged struct {
	// Send leads from theirs (R) to the merged table: what goes out.
	Send Changes
	// Take leads from ours (L) to the merged table: what comes in. Cells in
	// conflict under Hold are in neither.
	Take Changes
	// Document leads from ours (L) to what the store holds after Send: Take, and
	// the cells in conflict as theirs. A document store is sent Apply(L, Document).
	Document  Changes
	Conflicts []Conflict
}

// Merge merges the changes that lead from one base to ours and to theirs, by row
// and cell. An edit beats a delete, of a row and of a column. Equal changes on
// both sides are no conflict (equal says so for cells of the named column; nil:
// byte equality). A nil resolve holds every conflict.
//
// Rows are known by their keys alone: rows that both sides added under different
// keys are two rows, also if they are equal.
func Merge(ours, theirs Changes, resolve func(Conflict) Resolution, equal func(column, a, b string) bool) Merged {
	if merged, alone := mergeAlone(ours, theirs); alone {
		return merged
	}
	return mergeBoth(ours, theirs, resolve, equal)
}

// mergeBoth is Merge of any two change sets.
func mergeBoth(ours, theirs Changes, resolve func(Conflict) Resolution, equal func(column, a, b string) bool) Merged {
	m := merger{resolve: resolve, equal: equal}
	if resolve == nil {
		m.resolve = func(Conflict) Resolution { return Hold }
	}
	if equal == nil {
		m.equal = func(_, a, b string) bool { return a == b }
	}
	m.setColumns(ours, theirs)
	m.setRows(ours, theirs)
	return m.result()
}

// merger merges by comparing four rows for each key: the row in ours (L), in
// theirs (R), in ours after Take and in the store after Send. Without conflicts
// the last two are the same.
type merger struct {
	resolve func(Conflict) Resolution
	equal   func(column, a, b string) bool

	columns   []mergedColumn
	ours      mergedHeader // L
	theirs    mergedHeader // R
	taken     mergedHeader // L after Take
	sent      mergedHeader // R after Send
	document  mergedHeader // the columns of sent in the order of ours
	conflicts []Conflict

	rows      []mergedRow // of ours in their order, then those of theirs alone
	theirRows []int       // indices in rows in the order of theirs, then ours alone
}

// mergedRow is one row that at least one side changed.
type mergedRow struct {
	key                Key
	ourPrev, theirPrev Key
	// Cells by merger.columns; nil: there is no such row.
	ours, theirs, taken, sent []string
}

// setRows merges the rows.
func (m *merger) setRows(ours, theirs Changes) {
	theirsByKey := make(map[Key]*Change, len(theirs.Rows))
	for i := range theirs.Rows {
		theirsByKey[theirs.Rows[i].Key] = &theirs.Rows[i]
	}
	chains := newChains(ours.Rows)
	byKey := make(map[Key]int, len(ours.Rows)+len(theirs.Rows))
	add := func(our, their *Change) {
		row := m.mergeRow(our, their)
		row.theirPrev = chains.behind(row.theirPrev)
		byKey[row.key] = len(m.rows)
		m.rows = append(m.rows, row)
	}
	for i := range ours.Rows {
		our := &ours.Rows[i]
		if _, again := byKey[our.Key]; !again {
			add(our, theirsByKey[our.Key])
		}
	}
	onlyOurs := len(m.rows)
	listed := make([]bool, onlyOurs)
	for i := range theirs.Rows {
		their := &theirs.Rows[i]
		if _, known := byKey[their.Key]; !known {
			add(nil, their)
			m.theirRows = append(m.theirRows, len(m.rows)-1)
		} else if at := byKey[their.Key]; at < onlyOurs && !listed[at] {
			listed[at] = true
			m.theirRows = append(m.theirRows, at)
		}
	}
	for at, done := range listed {
		if !done {
			m.theirRows = append(m.theirRows, at)
		}
	}
}

// mergeRow merges one row; one of the changes may be nil.
func (m *merger) mergeRow(our, their *Change) mergedRow {
	var row mergedRow
	var base []string
	for _, side := range [2]struct {
		change *Change
		cells  func(c *mergedColumn) int
		after  *[]string
		prev   *Key
	}{
		{our, func(c *mergedColumn) int { return c.ours }, &row.ours, &row.ourPrev},
		{their, func(c *mergedColumn) int { return c.theirs }, &row.theirs, &row.theirPrev},
	} {
		if side.change == nil {
			continue
		}
		row.key, *side.prev = side.change.Key, side.change.Prev
		if base == nil && side.change.Op != Append {
			base = m.cells(side.change.Before, func(c *mergedColumn) int { return c.base })
		}
		if side.change.Op != Delete {
			*side.after = m.cells(side.change.After, side.cells)
		}
	}
	if our == nil {
		row.ours = m.onSide(base, func(c *mergedColumn) int { return c.ours })
	}
	if their == nil {
		row.theirs = m.onSide(base, func(c *mergedColumn) int { return c.theirs })
	}
	m.merge(&row, base)
	return row
}

// cells spreads the cells of a change over the columns of the merger.
func (m *merger) cells(cells []string, place func(*mergedColumn) int) []string {
	spread := make([]string, len(m.columns))
	for i := range m.columns {
		spread[i] = cellAt(cells, place(&m.columns[i]))
	}
	return spread
}

// onSide returns the cells of the base that a side has that did not touch the row.
func (m *merger) onSide(base []string, place func(*mergedColumn) int) []string {
	if base == nil {
		return nil
	}
	cells := make([]string, len(base))
	for i := range m.columns {
		if place(&m.columns[i]) >= 0 {
			cells[i] = base[i]
		}
	}
	return cells
}

// merge fills row.taken and row.sent from the three others.
func (m *merger) merge(row *mergedRow, base []string) {
	switch {
	case row.ours == nil && row.theirs == nil:
		return // both deleted it
	case row.ours == nil:
		if base == nil || m.edited(base, row.theirs, func(c *mergedColumn) int { return c.theirs }) {
			row.taken, row.sent = row.theirs, row.theirs
		}
		return
	case row.theirs == nil:
		if base == nil || m.edited(base, row.ours, func(c *mergedColumn) int { return c.ours }) {
			row.taken, row.sent = row.ours, row.ours
		}
		return
	case base == nil && m.clash(row):
		m.mergeWhole(row)
		return
	}
	row.taken, row.sent = make([]string, len(m.columns)), make([]string, len(m.columns))
	for i := range m.columns {
		row.taken[i], row.sent[i] = m.mergeCell(row, base, i)
	}
}

// edited reports whether a side changed a cell of a row that the other deleted.
// Cells of a column that it dropped don't count.
func (m *merger) edited(base, cells []string, place func(*mergedColumn) int) bool {
	for i := range m.columns {
		if place(&m.columns[i]) >= 0 && cells[i] != base[i] {
			return true
		}
	}
	return false
}

// clash reports whether a row that both added differs in a column of both.
func (m *merger) clash(row *mergedRow) bool {
	for i, c := range m.columns {
		if c.ours >= 0 && c.theirs >= 0 && !m.equal(c.sentName, row.ours[i], row.theirs[i]) {
			return true
		}
	}
	return false
}

// mergeWhole decides about a row that both sides added, differently.
func (m *merger) mergeWhole(row *mergedRow) {
	conflict := Conflict{Key: row.key, Ours: m.ours.line(row.ours), Theirs: m.theirs.line(row.theirs)}
	m.conflicts = append(m.conflicts, conflict)
	switch m.resolve(conflict) {
	case Ours:
		row.taken, row.sent = row.ours, row.ours
	case Theirs:
		row.taken, row.sent = row.theirs, row.theirs
	default:
		row.taken, row.sent = row.ours, row.theirs
	}
}

// mergeCell merges cell i of a row that both sides have.
func (m *merger) mergeCell(row *mergedRow, base []string, i int) (taken, sent string) {
	c := &m.columns[i]
	our, their := row.ours[i], row.theirs[i]
	switch {
	case c.ours < 0:
		return their, their
	case c.theirs < 0:
		return our, our
	case our == their:
		return our, their
	case base != nil && our == base[i]:
		return their, their
	case base != nil && their == base[i]:
		return our, our
	case m.equal(c.sentName, our, their):
		return our, their // each keeps its spelling
	}
	conflict := Conflict{Key: row.key, Column: c.takenName, Base: cellAt(base, i), Ours: our, Theirs: their}
	m.conflicts = append(m.conflicts, conflict)
	switch m.resolve(conflict) {
	case Ours:
		return our, our
	case Theirs:
		return their, their
	}
	return our, their
}

// chains knows which rows one side added behind each other.
type chains map[Key]Key

func newChains(rows []Change) chains {
	c := make(chains)
	for i := range rows {
		if rows[i].Op == Append {
			c[rows[i].Prev] = rows[i].Key
		}
	}
	return c
}

// behind returns the last of the rows that were added behind prev: what the
// other side added there comes after them. What it has walked it shortens, so
// that all calls together are linear in the number of rows.
func (c chains) behind(prev Key) Key {
	last := prev
	for range len(c) {
		next, ok := c[last]
		if !ok {
			break
		}
		last = next
	}
	for prev != last {
		next := c[prev]
		c[prev] = last
		prev = next
	}
	return last
}
