package table

import (
	"fmt"
	"io"
)

// Dialect is the form of a CSV text, apart from its cells.
type Dialect struct {
	BOM      bool   // starts with a UTF-8 byte order mark
	EOL      string // "\n", "\r\n" or "\r"
	FinalEOL bool   // the last record ends with EOL
	Quoting  Quoting
}

// Quoting says which cells are written in quotes.
type Quoting uint8

// The quoting rules.
const (
	// QuoteMinimal: Python's csv.QUOTE_MINIMAL (facts/ragas.md B2).
	QuoteMinimal Quoting = iota
	// QuoteAll: every cell.
	QuoteAll
	// QuoteSpreadsheet: as QuoteMinimal, and cells with ; TAB or outer spaces
	// (design section 5: how row stores are rendered).
	QuoteSpreadsheet
)

// Python is the dialect of new tables: CRLF, minimal quoting, no BOM.
var Python = Dialect{EOL: "\r\n", FinalEOL: true}

// Rendered is the dialect in which row stores are shown.
var Rendered = Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteSpreadsheet}

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

// Reader reads records one after the other, as Python's csv module does
// (facts/ragas.md B3): BOM, LF or CRLF, lazy quotes, blank lines skipped; a
// lone CR ends a record only in a file whose header ends in one.
// It never fails on content: Problem returns what is wrong.
type Reader struct{ reader }

// NewReader returns a reader of src from the byte offset start, which must be 0
// or a record boundary of a text of dialect d.
func NewReader(src Source, start int64, d Dialect) *Reader { return newReader(src, start, d) }

// Next returns the next record; io.EOF after the last. The record is valid
// until the next call. The first record from offset 0 is the header.
func (r *Reader) Next() (*Record, error) { return r.next() }

// Dialect returns what has been seen so far; exact after io.EOF.
func (r *Reader) Dialect() Dialect { return r.dialect() }

// Record is one record of a text.
type Record struct {
	Start, End int64 // bytes, End behind its line ending
	Line       int   // physical line on which it starts, from 1
	Cells      [][]byte
	// Problem is the first thing that is wrong with the text of this record
	// (BareQuote, Unterminated), or nil.
	Problem *Problem
	// Ended: a line ending followed (false only for the last record).
	Ended bool
}

// Writer writes records in a dialect.
type Writer struct{ writer }

// NewWriter returns a writer in dialect d. The BOM is written before the first record.
func NewWriter(w io.Writer, d Dialect) *Writer { return newWriter(w, d) }

// Write writes one record.
func (w *Writer) Write(cells []string) error { return w.write(cells) }

// WriteRaw copies the bytes of one or more whole records. If they lack a final
// line ending and something follows, one is added.
func (w *Writer) WriteRaw(records []byte) error { return w.writeRaw(records) }

// Close flushes and, by Dialect.FinalEOL, ends or leaves open the last record.
func (w *Writer) Close() error { return w.close() }

// Check reads src as a table of its own, without a known older content, and
// returns header, dialect, number of records and the first *Problem (nil: none).
// The error is a read error of src.
func Check(src Source) (CheckResult, error) { return check(src) }

// CheckResult is what Check found.
type CheckResult struct {
	Header  []string
	Dialect Dialect
	Records int
	// Complete is the offset behind the last complete record.
	Complete int64
	Problem  *Problem
}
