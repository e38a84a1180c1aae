package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ProblemKind says what is wrong with a content.
type ProblemKind uint8

// The kinds of problem (design section 5, "Invalid is").
const (
	BareQuote ProblemKind = iota + 1
	Unterminated
	TooManyCells
	TooFewCells
	NoHeader
	RepeatedColumn
	ForeignHeader  // names at most half of the known columns
	OtherDelimiter // one cell with ; or TAB that contains the known names
	BadCell        // a row store can't keep it
	UnknownRowID   // not of this table
)

// Problem says where a content is no acceptable table. It is an error.
type Problem struct {
	Kind   ProblemKind
	Line   int // physical line, from 1
	Column int // character within the line, from 1
	Reason string
	// Beginning: more bytes could make it valid (0 bytes, a header that is cut,
	// an open quote at the end).
	Beginning bool
}

func (p *Problem) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Reason)
}

// The reasons of problems that need no numbers.
const (
	reasonBareQuote    = `a quote that neither opens nor closes its cell: write "" for a quote and put the cell in quotes`
	reasonUnterminated = "the quote that opens here is never closed"
	reasonNoHeader     = "there is no header: the first line must name the columns"
	reasonLongHeader   = "there is no header: the first record is longer than 1 MiB"
)

// textProblem makes the Problem of a span that has one; p is where it is.
func textProblem(span Span, p position) *Problem {
	problem := &Problem{Kind: span.Problem, Line: p.line, Column: p.column}
	switch span.Problem {
	case BareQuote:
		problem.Reason = reasonBareQuote
	case Unterminated:
		problem.Reason = reasonUnterminated
		problem.Beginning = true
	}
	return problem
}

// position is a place in a text, as editors count: lines and characters from 1.
// A line ends with LF, or in a text whose records end with CR with that too; a
// CR within a cell of any other text is a character of its line.
type position struct {
	line, column int
	cr           bool // CR ends a line
	afterCR      bool // the last byte was one: an LF now is no further line
}

// startOfLine is the position of the first character of a line.
func startOfLine(line int, cr bool) position { return position{line: line, column: 1, cr: cr} }

// advance moves p behind text.
//
// Characters are counted as bytes that don't continue a UTF-8 sequence. So text
// may be cut anywhere, and bytes that are no UTF-8 still move on.
func (p *position) advance(text []byte) {
	p.line += countLines(text, p.cr, p.afterCR)
	if start := lastLineStart(text, p.cr); start >= 0 {
		p.column = 1
		text = text[start:]
	}
	for _, b := range text {
		if b&0xC0 != 0x80 {
			p.column++
		}
	}
	if len(text) > 0 {
		p.afterCR = false
	}
}

// lastLineStart returns the index behind the last line ending, -1 without one.
func lastLineStart(text []byte, cr bool) int {
	end := bytes.LastIndexByte(text, '\n')
	if cr {
		end = max(end, bytes.LastIndexByte(text, '\r'))
	}
	if end < 0 {
		return -1
	}
	return end + 1
}

// countLines returns the number of line endings in text. With cr, CR, LF and
// CRLF are one each; afterCR says that a CR stands right before text.
func countLines(text []byte, cr, afterCR bool) int {
	lines := bytes.Count(text, newline)
	if !cr {
		return lines
	}
	lines += bytes.Count(text, carriageReturn) - bytes.Count(text, crlf)
	if afterCR && len(text) > 0 && text[0] == '\n' {
		lines--
	}
	return lines
}

// locate returns the position of the byte offset at, reading src from the byte
// offset start on, which has the position p. It reads in small pieces: records
// may be of any length.
func locate(src Source, start, at int64, p position) (position, error) {
	section := io.NewSectionReader(src, start, at-start)
	piece := make([]byte, 32<<10)
	for {
		n, err := section.Read(piece)
		if n > 0 {
			p.advance(piece[:n])
			p.afterCR = piece[n-1] == '\r'
		}
		switch {
		case errors.Is(err, io.EOF):
			return p, nil
		case err != nil:
			return p, err
		}
	}
}
