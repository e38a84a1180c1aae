package table

const (
	// maxGap bounds the table of one gap: rows gone times rows new.
	maxGap = 1_000_000
	// alignEffort bounds all gaps of a comparison together.
	alignEffort = 16_000_000
)

// alignGaps aligns the open rows between rows that are matched in order: as many
// new ones as old ones are pairs in their place, else those are pairs that make
// the fewest cells differ.
func (c *comparer) alignGaps() error {
	if !c.anyOpen() {
		return nil
	}
	q := int32(len(c.partner))
	for n := int32(0); n < q; n++ {
		if c.partner[n] != open {
			continue
		}
		end := n
		for end < q && c.partner[end] == open {
			end++
		}
		if from, to, ok := c.oldGap(n, end); ok {
			if err := c.alignGap(gap{from, to, n, end}); err != nil {
				return err
			}
		}
		n = end
	}
	return nil
}

// gap is rows from..to of old and of new, the second not included.
type gap struct{ oldFrom, oldTo, newFrom, newTo int32 }

func (g gap) old() int { return int(g.oldTo - g.oldFrom) }
func (g gap) new() int { return int(g.newTo - g.newFrom) }

// oldGap returns the open rows of old that stand between the partners of the
// neighbours of the rows from..to of new, if those stand like that.
func (c *comparer) oldGap(from, to int32) (oldFrom, oldTo int32, ok bool) {
	oldTo = int32(len(c.inverse))
	if from > 0 {
		if c.partner[from-1] < 0 {
			return 0, 0, false
		}
		oldFrom = c.partner[from-1] + 1
	}
	if int(to) < len(c.partner) {
		if oldTo = c.partner[to]; oldTo < 0 {
			return 0, 0, false
		}
	}
	if oldFrom >= oldTo {
		return 0, 0, false
	}
	for o := oldFrom; o < oldTo; o++ {
		if c.inverse[o] != open {
			return 0, 0, false
		}
	}
	return oldFrom, oldTo, true
}

// alignGap aligns one gap.
func (c *comparer) alignGap(g gap) error {
	work := g.old() * g.new()
	small := work <= maxGap && work <= c.effort
	if g.old() == g.new() && (!small || g.old() == 1 && c.idColumns[0] < 0) {
		c.matchInPlace(g)
		return nil
	}
	if !small {
		return nil
	}
	c.effort -= work
	rows, err := c.readGap(g)
	if err != nil {
		return err
	}
	if g.old() == g.new() && rows.inPlace() {
		c.matchInPlace(g)
		return nil
	}
	rows.pairUp(func(o, n int) { c.match(g.oldFrom+int32(o), g.newFrom+int32(n)) })
	return nil
}

func (c *comparer) matchInPlace(g gap) {
	for k := range g.newTo - g.newFrom {
		c.match(g.oldFrom+k, g.newFrom+k)
	}
}

// likeness knows the cells of some old and new rows by their hashes.
type likeness struct {
	columns      int
	old, new     []uint32 // columns for each row
	oldID, newID []uint64
}

func (c *comparer) readGap(g gap) (*likeness, error) {
	var old, new []int32
	for o := g.oldFrom; o < g.oldTo; o++ {
		old = append(old, o)
	}
	for n := g.newFrom; n < g.newTo; n++ {
		new = append(new, n)
	}
	return c.readLikeness(old, new)
}

// readLikeness reads the given records again.
func (c *comparer) readLikeness(old, new []int32) (*likeness, error) {
	l := &likeness{columns: len(c.hasher.pairs)}
	for _, o := range old {
		record, err := c.old.record(int(o))
		if err != nil {
			return nil, err
		}
		l.old = c.hasher.cells(l.old, record.Cells, false)
		l.oldID = append(l.oldID, c.old.records[o].id)
	}
	for _, n := range new {
		record, err := c.new.record(int(n))
		if err != nil {
			return nil, err
		}
		l.new = c.hasher.cells(l.new, record.Cells, true)
		l.newID = append(l.newID, c.new.records[n].id)
	}
	return l, nil
}

// differing returns in how many columns two rows differ.
func (l *likeness) differing(o, n int) int {
	old, new := l.old[o*l.columns:(o+1)*l.columns], l.new[n*l.columns:(n+1)*l.columns]
	count := 0
	for i, cell := range old {
		if cell != new[i] {
			count++
		}
	}
	return count
}

// pairCost is what it costs to take two rows for one, in half cells; gone and
// new cost half the columns each. Rows with different ids must be much alike.
func (l *likeness) pairCost(o, n int) int {
	cost := 2 * l.differing(o, n)
	if cost > l.columns && l.oldID[o] != l.newID[n] && l.oldID[o] != 0 && l.newID[n] != 0 {
		return 3 * l.columns
	}
	return cost
}

// inPlace reports whether equally many rows are plainly pairs in their order: on
// average at most half of the cells differ.
func (l *likeness) inPlace() bool {
	total := 0
	for k := range l.oldID {
		total += l.pairCost(k, k)
	}
	return total <= len(l.oldID)*l.columns
}

// The steps of an alignment.
const (
	stepPair = iota
	stepGone
	stepNew
)

// pairUp calls pair for the pairs of the cheapest alignment in order; of equally
// cheap ones that with the earlier pairs.
func (l *likeness) pairUp(pair func(o, n int)) {
	p, q := len(l.oldID), len(l.newID)
	single := l.columns
	steps := make([]uint8, p*q)
	below, row := make([]int, q+1), make([]int, q+1) // costs from row o+1 and from row o on
	for n := range q {
		below[n] = (q - n) * single
	}
	for o := p - 1; o >= 0; o-- {
		row[q] = (p - o) * single
		for n := q - 1; n >= 0; n-- {
			best, step := below[n+1]+l.pairCost(o, n), uint8(stepPair)
			if cost := below[n] + single; cost < best {
				best, step = cost, stepGone
			}
			if cost := row[n+1] + single; cost < best {
				best, step = cost, stepNew
			}
			row[n], steps[o*q+n] = best, step
		}
		below, row = row, below
	}
	for o, n := 0, 0; o < p && n < q; {
		switch steps[o*q+n] {
		case stepPair:
			pair(o, n)
			o, n = o+1, n+1
		case stepGone:
			o++
		case stepNew:
			n++
		}
	}
}
