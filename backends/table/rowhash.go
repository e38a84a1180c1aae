package table

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// rowHasher hashes the cells of a row in the columns that both contents have, so
// that equal rows have equal hashes whatever the order of columns, and cells that
// are missing at the end count as empty.
type rowHasher struct {
	seed     maphash.Seed
	rowStore bool
	old, new *layout
	pairs    []columnPair
	types    []Type // by old column
}

// columnPair is one column in both contents: places in their records.
type columnPair struct{ column, old, new int }

func newRowHasher(c *comparer) rowHasher {
	h := rowHasher{
		seed: c.seed, rowStore: c.opt.RowStore, old: &c.old.layout, new: &c.new.layout, types: c.columns.types,
	}
	for i, j := range c.columns.toNew {
		if j >= 0 {
			h.pairs = append(h.pairs, columnPair{i, h.old.data[i], h.new.data[j]})
		}
	}
	return h
}

// row hashes a record of either side.
func (h *rowHasher) row(record [][]byte, isNew bool) uint64 {
	var sum uint64
	for _, pair := range h.pairs {
		cell := byteCell(record, pair.place(isNew))
		if len(cell) > 0 {
			sum += mix(h.cell(cell), pair.column)
		}
	}
	extra := h.old.extraCells(record)
	if isNew {
		extra = h.new.extraCells(record)
	}
	for i, cell := range extra {
		if len(cell) > 0 {
			sum += mix(h.cell(cell), -1-i)
		}
	}
	return sum
}

func (p columnPair) place(isNew bool) int {
	if isNew {
		return p.new
	}
	return p.old
}

// cell hashes one cell. In a row store the form of newlines does not matter.
func (h *rowHasher) cell(cell []byte) uint64 {
	if h.rowStore && bytes.IndexByte(cell, '\r') >= 0 {
		return maphash.String(h.seed, unifyNewlines(string(cell)))
	}
	return maphash.Bytes(h.seed, cell)
}

// loose hashes a record by the meaning of its cells (coarse), without one column.
func (h *rowHasher) loose(record [][]byte, isNew bool, without int) uint64 {
	var sum uint64
	for _, pair := range h.pairs {
		if pair.column == without {
			continue
		}
		if hash := h.looseCell(byteCell(record, pair.place(isNew)), pair.column); hash != 0 {
			sum += mix(hash, pair.column)
		}
	}
	return sum
}

// looseCell hashes a cell by its meaning; 0: empty.
func (h *rowHasher) looseCell(cell []byte, column int) uint64 {
	if len(cell) == 0 {
		return 0
	}
	if !h.rowStore {
		return maphash.Bytes(h.seed, cell)
	}
	text := coarse(h.types[column], string(cell))
	if text == "" {
		return 0
	}
	return maphash.String(h.seed, text)
}

// cells hashes the cells of a row one by one, by their meaning.
func (h *rowHasher) cells(into []uint32, record [][]byte, isNew bool) []uint32 {
	for _, pair := range h.pairs {
		hash := h.looseCell(byteCell(record, pair.place(isNew)), pair.column)
		into = append(into, uint32(hash^hash>>32))
	}
	return into
}

// mix makes the hash of a cell depend on its column.
func mix(hash uint64, column int) uint64 {
	hi, lo := bits.Mul64(hash^0x9E3779B97F4A7C15, uint64(column)*2+0xD6E8FEB86659FD93)
	return hi ^ lo
}

// idHash hashes a row id; 0 for none.
func (c *comparer) idHash(id []byte) uint64 {
	if len(id) == 0 {
		return 0
	}
	return max(maphash.Bytes(c.seed, id), 1)
}

// rowID returns the row id in a cell of a row store's id column.
func rowID(cell []byte) []byte { return bytes.Trim(cell, " ") }
