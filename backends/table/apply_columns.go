package table

import "slices"

// columnPlan says what becomes of the columns of a content to which changes are
// applied, and where the cells of the changes go.
type columnPlan struct {
	header []string // of the result
	from   []int    // place in the old record, or -1: a new column
	after  []int    // place in Changes.NewHeader, or -1: not spoken of
	// rewrites: records must be written anew, as columns come or go.
	rewrites bool
	extra    int // place of the first cell of an old record that has no column
	id       int // place of the id column in the result, or -1

	pairs            []cellPair
	oldNames, newLen int // numbers of names in the headers of the changes
}

// cellPair is a column of the result and its places in the cells of a change.
type cellPair struct {
	place         int // in the result
	before, after int // in Change.Before and After, -1: not there
}

// planColumns applies the column changes to a header. What the header has
// already, or has not any more, is done.
func planColumns(header []string, changes *Changes, rowStore bool) columnPlan {
	plan := columnPlan{header: slices.Clone(header), extra: len(header), id: -1}
	id := -1
	if rowStore {
		id = slices.IndexFunc(header, isIDName)
	}
	var places []int // of the data columns
	var names []string
	for place, name := range header {
		plan.from = append(plan.from, place)
		if place != id {
			places, names = append(places, place), append(names, name)
		}
	}
	toNew := pairColumns(changes.OldHeader, changes.NewHeader, changes.Columns)
	switch {
	case len(header) == 0 && len(changes.NewHeader) > 0:
		plan.header = slices.Clone(changes.NewHeader)
		plan.from = slices.Repeat([]int{-1}, len(plan.header))
		plan.rewrites = true
	case slices.Equal(names, changes.OldHeader):
		plan.changeInPlace(places, toNew, changes.NewHeader)
		plan.findID(id)
		return plan.withPairs(changes, toNew)
	case !slices.Equal(names, changes.NewHeader):
		plan.changeColumns(changes)
	}
	plan.findID(id)
	seen := make(map[string]int)
	for place, name := range plan.header {
		after := -1
		if place != plan.id {
			after = nthName(changes.NewHeader, name, seen[name])
			seen[name]++
		}
		plan.after = append(plan.after, after)
	}
	return plan.withPairs(changes, toNew)
}

// changeInPlace changes a header that is the old one of the changes: there also
// columns with equal names are told apart.
func (p *columnPlan) changeInPlace(places, toNew []int, names []string) {
	oldOf := make([]int, len(names)) // place in the content, -1 for a new column
	for j := range oldOf {
		oldOf[j] = -1
	}
	after := slices.Repeat([]int{-1}, len(p.header))
	gone := make([]bool, len(p.header))
	for i, place := range places {
		if j := toNew[i]; j >= 0 {
			oldOf[j], after[place] = place, j
		} else {
			gone[place] = true
		}
	}
	behind := make(map[int][]int) // place in the content (-1: before the data) -> new columns
	last := -1
	for j, place := range oldOf {
		if place >= 0 {
			last = place
		} else {
			behind[last] = append(behind[last], j)
		}
	}
	old := p.header
	p.header, p.from, p.after = nil, nil, nil
	add := func(name string, from, after int) {
		p.header, p.from, p.after = append(p.header, name), append(p.from, from), append(p.after, after)
	}
	addNew := func(at int) {
		for _, j := range behind[at] {
			add(names[j], -1, j)
			p.rewrites = true
		}
	}
	started := false
	for place, name := range old {
		if len(places) > 0 && place == places[0] {
			addNew(-1)
			started = true
		}
		switch {
		case gone[place]:
			p.rewrites = true
		case after[place] >= 0:
			add(names[after[place]], place, after[place])
		default:
			add(name, place, -1)
		}
		addNew(place)
	}
	if !started {
		addNew(-1)
	}
}

// findID finds the id column in the result; id is its place in the content.
func (p *columnPlan) findID(id int) {
	if id >= 0 {
		p.id = slices.Index(p.from, id)
	}
}

// withPairs pairs the columns of the result with the cells of changes.
func (p columnPlan) withPairs(changes *Changes, toNew []int) columnPlan {
	p.oldNames, p.newLen = len(changes.OldHeader), len(changes.NewHeader)
	for place, after := range p.after {
		if after >= 0 {
			p.pairs = append(p.pairs, cellPair{place, slices.Index(toNew, after), after})
		}
	}
	return p
}

// changeColumns drops, renames and adds columns.
func (p *columnPlan) changeColumns(changes *Changes) {
	renaming := make(map[string]string) // new name -> old name, as far as it is still to be done
	for _, change := range changes.Columns {
		if change.Op == RenameColumn && slices.Contains(p.header, change.Old) {
			renaming[change.New] = change.Old
		}
	}
	for _, change := range changes.Columns {
		if change.Op != DropColumn {
			continue
		}
		// A column that has got this name by a rename is another one.
		_, pending := renaming[change.Old]
		if at := slices.Index(p.header, change.Old); at >= 0 && (pending || !slices.Contains(changes.NewHeader, change.Old)) {
			p.header, p.from = slices.Delete(p.header, at, at+1), slices.Delete(p.from, at, at+1)
			p.rewrites = true
		}
	}
	p.renameColumns(changes.Columns)
	for _, change := range changes.Columns {
		if change.Op != AddColumn || slices.Contains(p.header, change.New) {
			continue
		}
		at := p.placeFor(changes.NewHeader, change)
		p.header, p.from = slices.Insert(p.header, at, change.New), slices.Insert(p.from, at, -1)
		p.rewrites = true
	}
}

// renameColumns renames columns; of a chain the one whose new name is free first.
func (p *columnPlan) renameColumns(changes []ColumnChange) {
	done := make([]bool, len(changes))
	for again := true; again; {
		again = false
		for i, change := range changes {
			at := slices.Index(p.header, change.Old)
			if change.Op == RenameColumn && !done[i] && at >= 0 && !slices.Contains(p.header, change.New) {
				p.header[at] = change.New
				done[i], again = true, true
			}
		}
	}
}

// placeFor returns where a new column goes: behind the nearest column that
// stands before it in the header of the changes, else before those behind it.
func (p *columnPlan) placeFor(names []string, change ColumnChange) int {
	at := findName(names, change.New, change.Position)
	for i := at - 1; i >= 0; i-- {
		if place := slices.Index(p.header, names[i]); place >= 0 {
			return place + 1
		}
	}
	for i := at + 1; i >= 1 && i < len(names); i++ {
		if place := slices.Index(p.header, names[i]); place >= 0 {
			return place
		}
	}
	return len(p.header)
}

// nthName returns the place of the n-th column of that name, -1 if there is none.
func nthName(header []string, name string, n int) int {
	for i, candidate := range header {
		if candidate == name {
			if n == 0 {
				return i
			}
			n--
		}
	}
	return -1
}

// sets reports whether an update sets the cells of a pair.
func (pair cellPair) sets(change *Change) bool {
	return cellAt(change.Before, pair.before) != cellAt(change.After, pair.after)
}

// alters reports whether an update changes anything in a record.
func (p *columnPlan) alters(record [][]byte, change *Change) bool {
	for _, pair := range p.pairs {
		if pair.sets(change) && string(byteCell(record, p.from[pair.place])) != cellAt(change.After, pair.after) {
			return true
		}
	}
	if before, after := p.extras(change); !slices.Equal(before, after) {
		var now []string
		for _, cell := range record[min(p.extra, len(record)):] {
			now = append(now, string(cell))
		}
		return !slices.Equal(now, after)
	}
	return false
}

// extras returns the cells of a change that have no column.
func (p *columnPlan) extras(change *Change) (before, after []string) {
	if len(change.Before) > p.oldNames {
		before = change.Before[p.oldNames:]
	}
	if len(change.After) > p.newLen {
		after = change.After[p.newLen:]
	}
	return before, after
}

// rewrite returns the cells of a record with its change (or nil).
func (p *columnPlan) rewrite(record *Record, change *Change, key Key) []string {
	cells := make([]string, len(p.header))
	count := 0 // cells that the record has: a short one stays short
	for place, from := range p.from {
		if from >= 0 && from < len(record.Cells) {
			cells[place] = string(record.Cells[from])
			count = place + 1
		}
	}
	if p.rewrites {
		count = len(cells)
	}
	var extra []string
	for _, cell := range record.Cells[min(p.extra, len(record.Cells)):] {
		extra = append(extra, string(cell))
	}
	if change != nil {
		for _, pair := range p.pairs {
			if pair.sets(change) {
				cells[pair.place] = cellAt(change.After, pair.after)
				count = max(count, pair.place+1)
			}
		}
		if before, after := p.extras(change); !slices.Equal(before, after) {
			extra = after
		}
	}
	if p.id >= 0 {
		cells[p.id] = string(key)
		count = max(count, p.id+1)
	}
	if len(extra) > 0 {
		return append(cells, extra...)
	}
	return cells[:count]
}

// fresh returns the cells of a new row.
func (p *columnPlan) fresh(change *Change) []string {
	cells := make([]string, len(p.header))
	count := 0
	for _, pair := range p.pairs {
		if pair.after < len(change.After) {
			cells[pair.place] = change.After[pair.after]
			count = max(count, pair.place+1)
		}
	}
	if _, extra := p.extras(change); len(extra) > 0 {
		return append(cells, extra...)
	}
	if p.id >= 0 {
		cells[p.id] = string(change.Key)
		count = len(cells)
	}
	if len(change.After) >= p.newLen {
		count = len(cells)
	}
	return cells[:count]
}
