package table

import (
	"cmp"
	"slices"
)

const (
	// maxNearest bounds the cells that matchNearest remembers.
	maxNearest = 8_000_000
	// commonCell: a cell that more open rows have says nothing about a row.
	commonCell = 16
)

// matchNearest matches the rows that are still open, wherever they stand: those
// that have a rare cell in common and differ in at most half of their cells.
// The more alike first, then the nearer, then the earlier.
func (c *comparer) matchNearest() error {
	old, new := openRows(c.inverse), openRows(c.partner)
	if len(old) == 0 || len(new) == 0 || (len(old)+len(new))*len(c.hasher.pairs) > maxNearest {
		return nil
	}
	l, err := c.readLikeness(old, new)
	if err != nil {
		return err
	}
	pairs := l.candidates(func(o, n int) int { return abs(int(old[o]) - int(new[n])) })
	slices.SortFunc(pairs, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.differing, b.differing), cmp.Compare(a.distance, b.distance),
			cmp.Compare(a.new, b.new), cmp.Compare(a.old, b.old))
	})
	for _, pair := range pairs {
		o, n := old[pair.old], new[pair.new]
		if c.inverse[o] == open && c.partner[n] == open {
			c.match(o, n)
		}
	}
	return nil
}

// candidate is an old and a new row that may be the same.
type candidate struct {
	old, new            int
	differing, distance int
}

// candidates finds the pairs of rows that are alike, by their rare cells.
func (l *likeness) candidates(distance func(o, n int) int) []candidate {
	type cell struct {
		column int
		hash   uint32
	}
	rows := make(map[cell][]int32) // rows of old that have the cell, at most one more than commonCell
	for o := range l.oldID {
		for i, hash := range l.old[o*l.columns : (o+1)*l.columns] {
			if at := (cell{i, hash}); hash != 0 && len(rows[at]) <= commonCell {
				rows[at] = append(rows[at], int32(o))
			}
		}
	}
	var pairs []candidate
	for n := range l.newID {
		seen := make(map[int32]bool)
		for i, hash := range l.new[n*l.columns : (n+1)*l.columns] {
			at := rows[cell{i, hash}]
			if hash == 0 || len(at) > commonCell {
				continue
			}
			for _, o := range at {
				if seen[o] {
					continue
				}
				seen[o] = true
				if d := l.differing(int(o), n); 2*d <= l.columns {
					pairs = append(pairs, candidate{int(o), n, d, distance(int(o), n)})
				}
			}
		}
	}
	return pairs
}

func openRows(list []int32) []int32 {
	var rows []int32
	for i, p := range list {
		if p == open {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

func abs(n int) int { return max(n, -n) }
