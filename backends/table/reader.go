package table

import (
	"bytes"
	"slices"
)

// Reader reads records one after the other, as Python's csv module does
// (facts/ragas.md B3): BOM, LF or CRLF, lazy quotes, blank lines skipped; a
// lone CR ends a record only in a file whose header ends in one.
// It never fails on content: Record.Problem returns what is wrong.
//
// It holds one record and one block of the text in memory. A text may be one
// record as a whole (a quote that is never closed), so run Check before reading
// what nobody has checked yet: that needs no more memory for long records.
type Reader struct {
	scan   scanner
	record Record
	style  quotingEvidence
	part   bool // the text goes on behind the end: a record that is cut there is no evidence
}

// NewReader returns a reader of src from the byte offset start, which must be 0
// or a record boundary of a text of dialect d. At 0 the dialect is found out
// and d is not used.
func NewReader(src Source, start int64, d Dialect) *Reader {
	r := &Reader{}
	r.scan.open(src, start, src.Size(), d)
	r.scan.whole = true
	return r
}

// SetLine says that the reader starts on physical line number line, for a
// reader that does not start at 0 (Place.Line).
func (r *Reader) SetLine(line int) { r.scan.line = line }

// Next returns the next record; io.EOF after the last. The record is valid
// until the next call. The first record from offset 0 is the header; if the
// first line is blank, that is a header without cells. Any other error is a
// read error of the source.
func (r *Reader) Next() (*Record, error) {
	header := r.scan.header
	span, err := r.scan.next()
	if err != nil {
		return nil, err
	}
	text := r.scan.text
	rec := &r.record
	rec.Start, rec.End, rec.Line, rec.Ended = span.Start, span.End, span.Line, span.Ended
	rec.Problem = nil
	if span.Problem != 0 {
		p := startOfLine(span.Line, r.scan.cr)
		p.advance(text[:span.problemAt-r.scan.textStart])
		rec.Problem = textProblem(span, p)
	}
	if span.Cells > 0 && span.End-r.scan.start <= quotingSample && (span.Ended || !r.part) {
		r.style.see(text, header)
	}
	rec.Cells = slices.Grow(rec.Cells[:0], span.Cells)
	switch {
	case span.Cells == 0:
	case span.quoted:
		rec.Cells = splitQuoted(rec.Cells, text)
	default:
		rec.Cells = splitPlain(rec.Cells, text)
	}
	return rec, nil
}

// Dialect returns what has been seen so far; BOM, EOL and FinalEOL are exact
// after io.EOF. Quoting is told from the first records. What can't be told yet is
// as in Python, or as in the dialect given to a reader that does not start at 0.
func (r *Reader) Dialect() Dialect {
	d := r.scan.dialect()
	if r.style != (quotingEvidence{}) {
		d.Quoting = r.style.quoting()
	}
	return d
}

// Record is one record of a text.
type Record struct {
	// Start and End are byte offsets. End is behind the line ending and behind
	// blank lines that follow, so that the next record starts there: the spans of
	// all records are the whole text but for a BOM.
	Start, End int64
	Line       int // physical line on which its cells start, from 1
	Cells      [][]byte
	// Problem is the first thing that is wrong with the text of this record
	// (BareQuote, Unterminated), or nil.
	Problem *Problem
	// Ended: a line ending followed (false only for the last record).
	Ended bool
}

// Strings returns a copy of the cells.
func (r *Record) Strings() []string {
	cells := make([]string, len(r.Cells))
	for i, cell := range r.Cells {
		cells[i] = string(cell)
	}
	return cells
}

// Names returns a copy of the cells of a header. A byte order mark that a tool
// has put inside the quotes of the first name is no part of the name.
func (r *Record) Names() []string {
	names := r.Strings()
	if len(names) > 0 {
		names[0] = string(bytes.TrimPrefix(r.Cells[0], []byte(byteOrderMark)))
	}
	return names
}
