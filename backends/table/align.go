package table

import "hash/maphash"

// align finds the partners of the records of the windows: by id, then by equal
// cells, then by likeness (cache.md section 5).
func (c *comparer) align() error {
	switch {
	case c.byKey:
		c.alignByKey()
		return nil
	case c.opt.RowStore:
		if err := c.alignByID(); err != nil {
			return err
		}
	default:
		c.alignByUniqueID()
	}
	if err := c.alignByContent(); err != nil {
		return err
	}
	if c.opt.RowStore && c.new.layout.id >= 0 {
		c.alignClearedIDs()
	}
	return nil
}

// match makes o and n the same row.
func (c *comparer) match(o, n int32) { c.inverse[o], c.partner[n] = n, o }

// alignByKey matches by the known keys of both contents.
func (c *comparer) alignByKey() {
	byKey := make(map[Key]int32, len(c.old.records))
	for o := range c.old.records {
		byKey[c.old.key(o)] = int32(o)
	}
	for n := range c.new.records {
		if o, known := byKey[c.new.key(n)]; known && c.inverse[o] == open {
			c.match(o, int32(n))
		}
	}
}

// alignByUniqueID matches the rows of a document store whose id stands in both
// windows exactly once.
func (c *comparer) alignByUniqueID() {
	if c.idColumns[0] < 0 {
		return
	}
	const repeated = int32(-1)
	unique := func(records []indexed) map[uint64]int32 {
		ids := make(map[uint64]int32, len(records))
		for i, record := range records {
			if record.id == 0 {
				continue
			}
			if _, again := ids[record.id]; again {
				ids[record.id] = repeated
			} else {
				ids[record.id] = int32(i)
			}
		}
		return ids
	}
	if len(c.old.records) == 0 || len(c.new.records) == 0 {
		return
	}
	old := unique(c.old.records)
	new := unique(c.new.records)
	for n, record := range c.new.records {
		if at, ok := new[record.id]; !ok || at != int32(n) {
			continue
		}
		if o, ok := old[record.id]; ok && o != repeated {
			c.match(o, int32(n))
		}
	}
}

// alignByContent matches rows that are still open: equal ones, ones that are
// equal but for spelling, then the nearest.
func (c *comparer) alignByContent() error {
	if !c.anyOpen() {
		return nil
	}
	c.matchEqual(
		func(o int32) uint64 { return c.old.records[o].hash },
		func(n int32) uint64 { return c.new.records[n].hash })
	if (c.opt.RowStore || c.columns.candidate >= 0) && c.anyOpen() {
		if err := c.matchLoosely(); err != nil {
			return err
		}
	}
	if err := c.alignGaps(); err != nil {
		return err
	}
	return c.matchNearest()
}

// anyOpen reports whether both windows have rows without a partner.
func (c *comparer) anyOpen() bool { return hasOpen(c.partner) && hasOpen(c.inverse) }

func hasOpen(list []int32) bool {
	for _, p := range list {
		if p == open {
			return true
		}
	}
	return false
}

// matchLoosely matches open rows that are equal but for spelling (coarse), and
// but for the column that may have been renamed.
func (c *comparer) matchLoosely() error {
	old, err := c.looseHashes(&c.old, c.inverse)
	if err != nil {
		return err
	}
	new, err := c.looseHashes(&c.new, c.partner)
	if err != nil {
		return err
	}
	c.matchEqual(
		func(o int32) uint64 { return old[o] },
		func(n int32) uint64 { return new[n] })
	return nil
}

// looseHashes reads the open records of a side again and hashes them loosely.
// The others have hashes too, which nobody asks for.
func (c *comparer) looseHashes(s *side, partners []int32) ([]uint64, error) {
	hashes := make([]uint64, len(partners))
	for i, p := range partners {
		if p != open {
			continue
		}
		record, err := s.record(i)
		if err != nil {
			return nil, err
		}
		hashes[i] = c.hasher.loose(record.Cells, s == &c.new, c.columns.candidate)
	}
	return hashes, nil
}

// group is the open rows with one hash.
type group struct {
	head     int32 // first open row of old; the others follow in next
	old, new int32 // how many there are
}

// matchEqual matches open rows with equal hashes: k-th with k-th where both
// sides have equally many of them; else first those whose neighbours fit, so
// that of several equal rows the right one is gone.
func (c *comparer) matchEqual(oldHash, newHash func(int32) uint64) {
	c.extendMatches(oldHash, newHash)
	groups, index, next := c.groupEqual(oldHash, newHash)
	if groups == nil {
		return
	}
	take := func(n int32, wanted func(*group) bool) {
		at, ok := index[newHash(n)]
		if !ok || !wanted(&groups[at]) {
			return
		}
		g := &groups[at]
		for g.head >= 0 && c.inverse[g.head] != open {
			g.head = next[g.head]
		}
		if g.head >= 0 {
			c.match(g.head, n)
			g.head = next[g.head]
		}
	}
	for _, wanted := range [2]func(*group) bool{
		func(g *group) bool { return g.old == g.new },
		func(*group) bool { return true },
	} {
		for n := range c.partner {
			if c.partner[n] == open {
				take(int32(n), wanted)
			}
		}
		c.extendMatches(oldHash, newHash)
	}
}

// groupEqual groups the open rows of old by hash and counts those of new.
func (c *comparer) groupEqual(oldHash, newHash func(int32) uint64) (groups []group, index map[uint64]int32, next []int32) {
	if !c.anyOpen() {
		return nil, nil, nil
	}
	size := 0
	for _, p := range c.inverse {
		if p == open {
			size++
		}
	}
	groups, index = make([]group, 0, size), make(map[uint64]int32, size)
	next = make([]int32, len(c.inverse))
	for o := int32(len(c.inverse)) - 1; o >= 0; o-- {
		if c.inverse[o] != open {
			continue
		}
		at, known := index[oldHash(o)]
		if !known {
			at = int32(len(groups))
			index[oldHash(o)] = at
			groups = append(groups, group{head: -1})
		}
		next[o], groups[at].head = groups[at].head, o
		groups[at].old++
	}
	for n := range c.partner {
		if c.partner[n] == open {
			if at, known := index[newHash(int32(n))]; known {
				groups[at].new++
			}
		}
	}
	return groups, index, next
}

// extendMatches matches equal open rows that follow, or precede, two rows that
// are matched; the ends of the windows count as matched.
func (c *comparer) extendMatches(oldHash, newHash func(int32) uint64) {
	p, q := int32(len(c.inverse)), int32(len(c.partner))
	try := func(o, n int32) {
		if o >= 0 && o < p && c.inverse[o] == open && oldHash(o) == newHash(n) {
			c.match(o, n)
		}
	}
	last := int32(-1) // partner of the record before; the start of old at first
	for n := range q {
		if c.partner[n] == open && last != closed {
			try(last+1, n)
		}
		last = c.partner[n]
		if last == open {
			last = closed
		}
	}
	next := p
	for n := q - 1; n >= 0; n-- {
		if c.partner[n] == open && next != closed {
			try(next-1, n)
		}
		next = c.partner[n]
		if next == open {
			next = closed
		}
	}
}

// keyHash is idHash of a key.
func (c *comparer) keyHash(key Key) uint64 {
	if key == "" {
		return 0
	}
	return max(maphash.String(c.seed, string(key)), 1)
}
