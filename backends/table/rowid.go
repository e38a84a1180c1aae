package table

// alignByID matches the rows of a row store by their ids (design section 5).
//
// A record shows an id, or none. That of an old record need not be its key: it
// was saved without id, or with the id of another row, and has got one since. So
// a new record is first looked for by the key it shows, then by an equal id that
// an old record shows. Rows that have no usable id stay open for one that the
// old content does not show either; every other row is closed.
func (c *comparer) alignByID() error {
	if c.new.layout.id < 0 {
		return nil // all rows are aligned by content
	}
	byKey := make(map[uint64]int32, len(c.old.records))
	byShown := make(map[uint64][]int32) // old records that show another id than theirs
	for o, record := range c.old.records {
		key := c.keyHash(c.old.key(o))
		byKey[key] = int32(o)
		switch record.id {
		case 0:
		case key:
			c.inverse[o] = closed // unless a new record shows this id
		default:
			byShown[record.id] = append(byShown[record.id], int32(o))
		}
	}
	free := func(o int32) bool { return c.inverse[o] < 0 }
	// The record that is equal to the known row keeps a repeated id, else the first.
	for _, equalOnly := range [2]bool{true, false} {
		for n, record := range c.new.records {
			if record.id == 0 || c.partner[n] >= 0 {
				continue
			}
			fits := func(o int32) bool {
				return free(o) && (!equalOnly || c.old.records[o].hash == record.hash)
			}
			if o, ok := byKey[record.id]; ok && fits(o) {
				c.match(o, int32(n))
				continue
			}
			for _, o := range byShown[record.id] {
				if fits(o) {
					c.match(o, int32(n))
					break
				}
			}
		}
	}
	c.closeUnknown(byKey, byShown)
	return nil
}

// closeUnknown finds out which ids the old content does not have at all. Their
// rows are new ones.
func (c *comparer) closeUnknown(byKey map[uint64]int32, byShown map[uint64][]int32) {
	c.unknownIDs = make(map[uint64]bool)
	for n, record := range c.new.records {
		if c.partner[n] == open && record.id != 0 {
			_, key := byKey[record.id]
			_, shown := byShown[record.id]
			if !key && !shown {
				c.unknownIDs[record.id] = true
			}
		}
	}
	if len(c.unknownIDs) == 0 {
		return
	}
	known := func(_ int, key Key) { delete(c.unknownIDs, c.keyHash(key)) }
	c.old.keys.eachIn(0, c.old.first, known)
	c.old.keys.eachIn(c.old.behind(), c.old.keys.Len(), known)
	for n, record := range c.new.records {
		if c.partner[n] == open && c.unknownIDs[record.id] {
			c.partner[n] = closed
		}
	}
}

// alignClearedIDs matches rows without an id with equal rows whose id is gone:
// an editor that was opened before ids were assigned has saved its text again.
func (c *comparer) alignClearedIDs() {
	for n, p := range c.partner {
		if p == open && c.new.records[n].id != 0 {
			c.partner[n] = closed // a repeated id: a new row
		}
	}
	for o, p := range c.inverse {
		if p == closed {
			c.inverse[o] = open
		}
	}
	c.matchEqual(
		func(o int32) uint64 { return c.old.records[o].hash },
		func(n int32) uint64 { return c.new.records[n].hash })
}

// newKey returns the key of record n of new, which is a new row.
func (c *comparer) newKey(n int) (Key, error) {
	if c.byKey {
		return c.new.key(n), nil
	}
	if id := c.new.records[n].id; c.opt.RowStore && id != 0 && c.unknownIDs[id] {
		record, err := c.new.record(n)
		if err != nil {
			return "", err
		}
		shown := string(rowID(byteCell(record.Cells, c.new.layout.id)))
		answer := ForeignRefuse
		if c.opt.ForeignKey != nil {
			answer = c.opt.ForeignKey(shown)
		}
		switch answer {
		case ForeignAdopt:
			delete(c.unknownIDs, id) // a second record with this id is another row
			return Key(shown), nil
		case ForeignRefuse:
			return "", c.unknownID(n, shown)
		}
	}
	if c.opt.NewKey == nil {
		return "", ErrNoNewKey
	}
	return c.opt.NewKey(), nil
}
