package table

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// checkHeader returns a *Problem if new's header is none for this table. What old
// has as well is no problem.
func (c *comparer) checkHeader() error {
	sameHeader := len(c.new.layout.header) > 0 && slices.Equal(c.old.layout.header, c.new.layout.header)
	if sameHeader || c.opt.Lenient && !c.opt.RowStore {
		return nil
	}
	found, err := Check(section{c.new.src, c.new.body})
	if err != nil {
		return err
	}
	if p := found.Problem; p != nil && (!c.opt.Lenient || p.Kind == NoHeader || p.Kind == RepeatedColumn) {
		return p
	}
	if c.opt.RowStore {
		if err := c.checkNames(); err != nil {
			return err
		}
	}
	if c.columns.candidate < 0 {
		return c.checkForeign()
	}
	return nil
}

// checkNames checks the names of a row store's columns.
func (c *comparer) checkNames() error {
	for j, name := range c.new.layout.names {
		switch {
		case name == "" && c.columns.toOld[j] < 0:
			return c.nameProblem(j, NoHeader, "this column has no name")
		case !keepable([]byte(name)):
			return c.nameProblem(j, BadCell, reasonBadCell)
		}
	}
	return nil
}

func (c *comparer) nameProblem(j int, kind ProblemKind, reason string) error {
	k := checker{src: c.new.src}
	k.scan.cr = c.new.d.bareCR()
	span := Span{Start: c.header.Start, End: c.header.End, Line: c.header.Line}
	p, err := k.cellPosition(span, c.new.layout.data[j])
	if err != nil {
		return err
	}
	return &Problem{Kind: kind, Line: p.line, Column: p.column, Reason: reason, Beginning: !c.header.Ended}
}

// checkForeign returns a *Problem if the header is that of another table. Columns
// without a name, which spreadsheets leave behind, say nothing about that.
func (c *comparer) checkForeign() error {
	var known []string
	named := 0
	for i, name := range c.old.layout.names {
		if name == "" {
			continue
		}
		known = append(known, name)
		if c.columns.toNew[i] >= 0 {
			named++
		}
	}
	if c.opt.Lenient || c.noOld || len(known) == 0 || 2*named > len(known) {
		return nil
	}
	p := &Problem{Kind: ForeignHeader, Line: 1, Column: 1, Beginning: c.header != nil && !c.header.Ended}
	if delimiter := otherDelimiter(c.new.layout.header, known); delimiter != "" {
		p.Kind = OtherDelimiter
		p.Reason = fmt.Sprintf("the columns are separated by %q: save with commas", delimiter)
		return p
	}
	p.Reason = fmt.Sprintf("the header names only %d of the %d columns of this table (%s)",
		named, len(known), strings.Join(known, ","))
	return p
}

// otherDelimiter returns the delimiter that a header of one cell was written
// with, if the known names stand in it.
func otherDelimiter(header, known []string) string {
	if len(header) != 1 {
		return ""
	}
	for _, delimiter := range [...]string{";", "\t"} {
		if !strings.Contains(header[0], delimiter) {
			continue
		}
		found := 0
		for _, name := range strings.Split(header[0], delimiter) {
			if slices.Contains(known, strings.Trim(name, `" `)) {
				found++
			}
		}
		if 2*found > len(known) {
			return delimiter
		}
	}
	return ""
}

// checkRecords returns a *Problem for the first record of new that no table of
// this store can have, and that old does not have.
func (c *comparer) checkRecords() error {
	if c.opt.Lenient && !c.opt.RowStore {
		return nil
	}
	faultyOld := make(map[int32]bool, len(c.old.faults))
	for _, o := range c.old.faults {
		faultyOld[o] = true
	}
	for _, n := range c.new.faults {
		o := c.partner[n]
		unchanged := o >= 0 && c.old.records[o].hash == c.new.records[n].hash
		if unchanged && faultyOld[o] {
			continue
		}
		record, err := c.new.record(int(n))
		if err != nil {
			return err
		}
		few := record.Problem == nil && len(record.Cells) < len(c.new.layout.header)
		if few && unchanged || c.opt.Lenient && !c.new.layout.spills(record.Cells) {
			continue
		}
		p, err := c.recordProblem(int(n))
		if err != nil {
			return err
		}
		return p
	}
	return nil
}

// recordProblem says what is wrong with record n of new.
func (c *comparer) recordProblem(n int) (*Problem, error) {
	k, span, err := c.scanRecord(n, len(c.new.layout.header))
	if err != nil {
		return nil, err
	}
	if span.Problem == 0 { // a cell in a column without a name
		record, err := c.new.record(n)
		if err != nil {
			return nil, err
		}
		for _, place := range c.new.layout.trailing {
			if len(byteCell(record.Cells, place)) > 0 {
				return c.cellProblem(n, place, TooManyCells, "a cell behind the last column that has a name")
			}
		}
	}
	if err := k.problem(span, len(c.new.layout.header)); err != nil {
		return nil, err
	}
	return k.result.Problem, nil
}

// scanRecord scans record n of new for a wrong number of cells.
func (c *comparer) scanRecord(n, columns int) (*checker, Span, error) {
	start := c.new.records[n].start
	place, err := Boundary(c.new.src, Place{Line: 1}, start, c.new.d)
	if err != nil {
		return nil, Span{}, err
	}
	k := &checker{src: c.new.src}
	k.scan.open(c.new.src, start, start+1, c.new.d)
	k.scan.columns, k.scan.line = columns, place.Line
	span, err := k.scan.next()
	return k, span, err
}

// cellProblem makes a Problem of one cell of record n of new.
func (c *comparer) cellProblem(n, cell int, kind ProblemKind, reason string) (*Problem, error) {
	k, span, err := c.scanRecord(n, cell) // so that this cell is one too many
	if err != nil {
		return nil, err
	}
	at := span.Start
	if span.Problem != 0 {
		at = span.problemAt
	}
	p, err := locate(c.new.src, span.Start, at, startOfLine(span.Line, k.scan.cr))
	if err != nil {
		return nil, err
	}
	return &Problem{Kind: kind, Line: p.line, Column: p.column, Reason: reason}, nil
}

const reasonBadCell = "a cell that this store can't keep: it holds a NUL, or bytes that are no UTF-8"

// keepable reports whether a row store can keep a cell.
func keepable(cell []byte) bool { return utf8.Valid(cell) && bytes.IndexByte(cell, 0) < 0 }

// badCell returns a *Problem for a cell of record n.
func (c *comparer) badCell(n, cell int) error {
	p, err := c.cellProblem(n, cell, BadCell, reasonBadCell)
	if err != nil {
		return err
	}
	return p
}

// unknownID returns a *Problem for the id of record n.
func (c *comparer) unknownID(n int, id string) error {
	p, err := c.cellProblem(n, c.new.layout.id, UnknownRowID,
		fmt.Sprintf("the row id %q is not one of this table: leave it empty for a new row", id))
	if err != nil {
		return err
	}
	return p
}
