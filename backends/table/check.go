package table

import (
	"errors"
	"fmt"
	"io"
)

// CheckResult is what Check found.
type CheckResult struct {
	// Header is nil if the first record can't be one (NoHeader, or a Problem of its
	// text on line 1).
	Header  []string
	Dialect Dialect
	Records int // the header not counted
	// Complete is the offset behind the last complete record (or header): what
	// follows later can't change anything before it.
	Complete int64
	Problem  *Problem
}

// Check reads src as a table of its own, without a known older content, and
// returns header, dialect, number of records and the first *Problem (nil: none).
// The error is a read error of src. Memory does not grow with src.
func Check(src Source) (CheckResult, error) {
	c := checker{src: src}
	if err := c.run(); err != nil {
		return CheckResult{}, err
	}
	return c.result, nil
}

// maxHeader is the length from which on a header is none. No table has a million
// columns; a file without line endings would be one header of any size.
const maxHeader = 1 << 20

type checker struct {
	src    Source
	scan   scanner
	result CheckResult
}

func (c *checker) run() error {
	c.scan.open(c.src, 0, c.src.Size(), Dialect{})
	header, err := c.scan.next()
	switch {
	case errors.Is(err, io.EOF):
		c.result.Dialect = c.scan.dialect()
		c.result.Problem = &Problem{Kind: NoHeader, Line: 1, Column: 1, Reason: reasonNoHeader, Beginning: true}
		return nil
	case err != nil:
		return err
	}
	if err := c.header(header); err != nil {
		return err
	}
	c.scan.columns = header.Cells
	if err := c.records(header); err != nil {
		return err
	}
	c.result.Dialect = c.scan.dialect()
	c.result.Dialect.Quoting, err = sampleQuoting(c.src)
	return err
}

// header reads the names of the columns and checks them.
func (c *checker) header(span Span) error {
	if span.Problem != 0 {
		return c.problem(span, 0)
	}
	if span.End > maxHeader {
		c.result.Problem = &Problem{Kind: NoHeader, Line: 1, Column: 1, Reason: reasonLongHeader}
		return nil
	}
	reader := NewReader(section{c.src, span.End}, 0, Dialect{})
	record, err := reader.Next()
	if err != nil {
		return err
	}
	c.result.Header = record.Names()
	if i := repeated(c.result.Header); i >= 0 {
		p, err := c.cellPosition(span, i)
		c.result.Problem = &Problem{
			Kind: RepeatedColumn, Line: p.line, Column: p.column,
			Reason:    fmt.Sprintf("the column %q is there twice", c.result.Header[i]),
			Beginning: !span.Ended && i == len(c.result.Header)-1,
		}
		return err
	}
	if !named(c.result.Header) {
		c.result.Problem = &Problem{
			Kind: NoHeader, Line: 1, Column: 1, Reason: reasonNoHeader, Beginning: !span.Ended,
		}
	}
	return nil
}

// cellPosition returns where cell i of the header starts; i is not 0.
func (c *checker) cellPosition(span Span, i int) (position, error) {
	p := startOfLine(span.Line, c.scan.cr)
	var again scanner
	again.open(section{c.src, span.End}, 0, span.End, Dialect{})
	again.columns = i // so that cell i is one too many
	found, err := again.next()
	if err != nil {
		return p, err
	}
	return locate(c.src, span.Start, found.problemAt, p)
}

// records goes through all records behind the header.
func (c *checker) records(header Span) error {
	for span := header; ; {
		if span.Ended {
			c.result.Complete = span.End
			if c.scan.cut {
				c.result.Complete-- // half a line ending
			}
		}
		var err error
		span, err = c.scan.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		c.result.Records++
		if span.Problem != 0 && c.result.Problem == nil {
			if err := c.problem(span, header.Cells); err != nil {
				return err
			}
		}
	}
}

// problem records what is wrong with a record.
func (c *checker) problem(span Span, columns int) error {
	p, err := locate(c.src, span.Start, span.problemAt, startOfLine(span.Line, c.scan.cr))
	problem := textProblem(span, p)
	switch span.Problem {
	case TooManyCells:
		problem.Reason = fmt.Sprintf("%d cells, but the header names %d columns", span.Cells, columns)
	case TooFewCells:
		problem.Reason = fmt.Sprintf("only %d cells, but the header names %d columns", span.Cells, columns)
		problem.Beginning = !span.Ended
	}
	c.result.Problem = problem
	return err
}

// repeated returns the index of the first name that was there before, or -1.
// Tools add unnamed columns by accident, several too: they repeat no name.
func repeated(names []string) int {
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		if name != "" && seen[name] {
			return i
		}
		seen[name] = true
	}
	return -1
}

// named reports whether at least one name is not empty.
func named(names []string) bool {
	for _, name := range names {
		if name != "" {
			return true
		}
	}
	return false
}

// sampleQuoting tells the quoting of src as Reader.Dialect does at the end.
func sampleQuoting(src Source) (Quoting, error) {
	size := min(src.Size(), quotingSample)
	reader := NewReader(section{src, size}, 0, Dialect{})
	reader.part = size < src.Size()
	for {
		_, err := reader.Next()
		switch {
		case errors.Is(err, io.EOF):
			return reader.Dialect().Quoting, nil
		case err != nil:
			return 0, err
		}
	}
}

// section is the first size bytes of a source.
type section struct {
	Source
	size int64
}

// Size returns the number of bytes of the section.
func (s section) Size() int64 { return s.size }
