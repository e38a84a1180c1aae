package table

import "bytes"

// renamed reports whether the candidate for a renamed column keeps its cells: in
// at least nine of ten rows that both contents have.
func (c *comparer) renamed() (bool, error) {
	outside := c.old.keys.Len() - len(c.old.records)
	rows, differing := outside, 0
	for n, o := range c.partner {
		if o < 0 {
			continue
		}
		rows++
		if c.old.records[o].hash == c.new.records[n].hash {
			continue
		}
		old, new, err := c.both(int(o), n)
		if err != nil {
			return false, err
		}
		i := c.columns.candidate
		if !c.equalCell(i, byteCell(old, c.old.layout.data[i]), byteCell(new, c.new.layout.data[i])) {
			differing++
		}
	}
	if rows == 0 {
		return c.old.keys.Len() == 0, nil
	}
	return 10*differing <= rows, nil
}

// both reads a pair of records again.
func (c *comparer) both(o, n int) (old, new [][]byte, err error) {
	oldRecord, err := c.old.record(o)
	if err != nil {
		return nil, nil, err
	}
	newRecord, err := c.new.record(n)
	if err != nil {
		return nil, nil, err
	}
	return oldRecord.Cells, newRecord.Cells, nil
}

// equalCell compares cells of an old column.
func (c *comparer) equalCell(column int, a, b []byte) bool {
	return bytes.Equal(a, b) || c.opt.RowStore && EqualCells(c.columns.types[column], string(a), string(b))
}

// emit turns the alignment into changes and keys.
func (c *comparer) emit() error {
	keys := &c.result.Keys
	keys.AddAll(*c.old.keys, 0, c.old.first)
	keys.expect(c.breaks())
	verify := c.columns.changed()
	last := int32(-1)
	for n, o := range c.partner {
		if o < 0 {
			if err := c.emitAppend(n); err != nil {
				return err
			}
			continue
		}
		if o < last {
			c.result.Reordered = true
		}
		last = o
		if verify || c.old.records[o].hash != c.new.records[n].hash {
			if err := c.emitUpdate(int(o), n); err != nil {
				return err
			}
		}
		keys.AddAll(*c.old.keys, c.old.first+int(o), c.old.first+int(o)+1)
	}
	keys.AddAll(*c.old.keys, c.old.behind(), c.old.keys.Len())
	return c.emitDeletes()
}

// breaks returns how often the partners of the records of new do not follow each
// other: about as many runs have their keys.
func (c *comparer) breaks() int {
	count := 1
	for n := 1; n < len(c.partner); n++ {
		if c.partner[n] != c.partner[n-1]+1 {
			count++
		}
	}
	return count
}

// prev returns the key of the record before the one that comes next.
func (c *comparer) prev() Key {
	if n := c.result.Keys.Len(); n > 0 {
		return c.result.Keys.At(n - 1)
	}
	return ""
}

// emitAppend adds record n of new as a new row.
func (c *comparer) emitAppend(n int) error {
	key, err := c.newKey(n)
	if err != nil {
		return err
	}
	record, err := c.new.record(n)
	if err != nil {
		return err
	}
	for _, place := range c.new.layout.data {
		if c.opt.RowStore && !keepable(byteCell(record.Cells, place)) {
			return c.badCell(n, place)
		}
	}
	c.result.Changes.Rows = append(c.result.Changes.Rows, Change{
		Op: Append, Key: key, Prev: c.prev(), After: c.new.layout.cells(record.Cells),
	})
	c.result.Keys.Add(key)
	return nil
}

// emitUpdate adds the difference between two records, if there is one.
func (c *comparer) emitUpdate(o, n int) error {
	old, new, err := c.both(o, n)
	if err != nil {
		return err
	}
	changed, bad := c.differ(old, new)
	if bad >= 0 {
		return c.badCell(n, bad)
	}
	if !changed {
		return nil
	}
	change := Change{Op: Update, Key: c.old.key(o), Prev: c.prev()}
	change.Before, change.After = c.old.layout.cells(old), c.new.layout.cells(new)
	for j, i := range c.columns.toOld {
		if i >= 0 && i < len(change.Before) && j < len(change.After) &&
			c.equalCell(i, byteCell(old, c.old.layout.data[i]), byteCell(new, c.new.layout.data[j])) {
			change.After[j] = change.Before[i]
		}
	}
	c.result.Changes.Rows = append(c.result.Changes.Rows, change)
	return nil
}

// differ compares two records cell by cell. bad is the place of a changed cell
// that the store can't keep, or -1.
func (c *comparer) differ(old, new [][]byte) (changed bool, bad int) {
	for j, i := range c.columns.toOld {
		cell := byteCell(new, c.new.layout.data[j])
		if i >= 0 && c.equalCell(i, byteCell(old, c.old.layout.data[i]), cell) || i < 0 && len(cell) == 0 {
			continue
		}
		if c.opt.RowStore && !keepable(cell) {
			return true, c.new.layout.data[j]
		}
		changed = true
	}
	for i, j := range c.columns.toNew {
		changed = changed || j < 0 && len(byteCell(old, c.old.layout.data[i])) > 0
	}
	a, b := c.old.layout.extraCells(old), c.new.layout.extraCells(new)
	for k := range max(len(a), len(b)) {
		changed = changed || !bytes.Equal(byteCell(a, k), byteCell(b, k))
	}
	return changed, -1
}

// emitDeletes adds the rows that are gone.
func (c *comparer) emitDeletes() error {
	tail := 0
	for o, n := range c.inverse {
		if n >= 0 {
			tail = 0
			continue
		}
		tail++
		record, err := c.old.record(o)
		if err != nil {
			return err
		}
		change := Change{Op: Delete, Key: c.old.key(o), Before: c.old.layout.cells(record.Cells)}
		if at := c.old.first + o; at > 0 {
			change.Prev = c.old.keys.At(at - 1)
		}
		c.result.Changes.Rows = append(c.result.Changes.Rows, change)
	}
	if c.old.behind() == c.old.keys.Len() {
		c.result.Tail = tail
	}
	return nil
}
