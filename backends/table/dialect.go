package table

import (
	"bytes"
	"strings"
)

// Dialect is the form of a CSV text, apart from its cells.
type Dialect struct {
	BOM      bool   // starts with a UTF-8 byte order mark
	EOL      string // "\n", "\r\n" or "\r": how the header ends; empty means "\r\n"
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
	// QuoteText: every cell but numbers and booleans (R's write.csv, Python's
	// csv.QUOTE_NONNUMERIC).
	QuoteText
)

// Python is the dialect of new tables: CRLF, minimal quoting, no BOM.
var Python = Dialect{EOL: "\r\n", FinalEOL: true}

// Rendered is the dialect in which row stores are shown.
var Rendered = Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteSpreadsheet}

// bareCR reports whether a lone CR ends a record.
func (d Dialect) bareCR() bool { return d.EOL == "\r" }

// eol returns the line ending to write.
func (d Dialect) eol() string {
	if d.EOL == "" {
		return Python.EOL
	}
	return d.EOL
}

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

// The bytes that bytes.Count takes as slices.
var (
	comma          = []byte{','}
	newline        = []byte{'\n'}
	carriageReturn = []byte{'\r'}
	crlf           = []byte{'\r', '\n'}
)

// The classes of bytes that decide about quotes.
const (
	mustQuote        = 1 << iota // can't stand outside of quotes
	spreadsheetQuote             // spreadsheets would split the cell there
)

// quoteClass gives the classes of each byte.
var quoteClass = [256]uint8{
	',': mustQuote, '"': mustQuote, '\r': mustQuote, '\n': mustQuote,
	';': spreadsheetQuote, '\t': spreadsheetQuote,
}

// needsQuotes reports whether a cell that stands beside others is written in
// quotes.
func needsQuotes[T string | []byte](q Quoting, cell T) bool {
	class := uint8(mustQuote)
	switch q {
	case QuoteAll:
		return true
	case QuoteText:
		return !isBareValue(string(cell))
	case QuoteSpreadsheet:
		class |= spreadsheetQuote
		if len(cell) > 0 && (cell[0] == ' ' || cell[len(cell)-1] == ' ') {
			return true
		}
	}
	for i := 0; i < len(cell); i++ {
		if quoteClass[cell[i]]&class != 0 {
			return true
		}
	}
	return false
}

// isBareValue reports whether QuoteText leaves a cell without quotes.
func isBareValue(cell string) bool {
	switch cell {
	case "TRUE", "FALSE", "True", "False":
		return true
	}
	_, number := parseDecimal(cell)
	return number && !strings.ContainsAny(cell, " \t")
}

// quotingSample is how many bytes of a text are looked at to tell its quoting.
const quotingSample = 256 << 10

// quotingEvidence tells from the cells of a text how its writer quotes.
type quotingEvidence struct {
	bare            bool // a cell without quotes was seen
	bareSpreadsheet bool // one that QuoteSpreadsheet would quote
	bareText        bool // one that QuoteText would quote, and no missing value
	spare           bool // a quoted cell that QuoteMinimal would not quote
	spareOther      bool // one that QuoteSpreadsheet would not quote either
}

// see takes the raw text of one record, without its line ending. Of the header
// the first cell is no evidence if it starts like a BOM: Writer.Write always
// quotes that.
func (e *quotingEvidence) see(text []byte, header bool) {
	for first := true; ; first = false {
		raw, rest, more := cutCell(text)
		alone := first && !more
		switch {
		case first && header && bytes.HasPrefix(raw, []byte(`"`+byteOrderMark)):
		case len(raw) > 0 && raw[0] == '"':
			e.seeQuoted(raw, alone)
		default:
			e.bare = true
			e.bareText = e.bareText || len(raw) > 0 && string(raw) != "NA" && needsQuotes(QuoteText, raw)
			e.bareSpreadsheet = e.bareSpreadsheet || needsQuotes(QuoteSpreadsheet, raw)
		}
		if !more {
			return
		}
		text = rest
	}
}

// seeQuoted takes a raw cell in quotes; alone: it is the only one of its record.
func (e *quotingEvidence) seeQuoted(raw []byte, alone bool) {
	if e.spare && e.spareOther {
		return
	}
	content := raw[1:max(1, len(raw)-1)]
	if needsQuotes(QuoteMinimal, content) || len(content) == 0 && alone {
		return
	}
	e.spare = true
	e.spareOther = e.spareOther || !needsQuotes(QuoteSpreadsheet, content)
}

// quoting returns the rule that the evidence fits.
func (e *quotingEvidence) quoting() Quoting {
	switch {
	case e.spare && !e.bare:
		return QuoteAll
	case e.spare && !e.spareOther && !e.bareSpreadsheet:
		return QuoteSpreadsheet
	case e.spare && !e.bareText:
		return QuoteText
	}
	return QuoteMinimal
}
