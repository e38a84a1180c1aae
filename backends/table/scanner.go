package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// blockSize is how many bytes are read at once. It fits in a core's own cache.
const blockSize = 256 << 10

// scanner finds the records of a text: where they start and end, how many cells
// they have, what is wrong with them. It looks only at bytes that can matter
// (quotes and line endings) and lets package bytes find them, several at a time.
// Both Reader and Spans stand on it, so that the grammar is written once.
//
// Its memory is one block; if whole is set also the record at hand.
//
// A text is unquoted until a quote stands at the start of a cell, and quoted
// until the quote that closes. Python's reader has more states, but these two
// give the same cells: a quote at any other place is an ordinary byte.
type scanner struct {
	src        Source
	start, end int64 // reading starts and ends there
	last       int64 // no record starts at or behind it

	// constant after open
	whole   bool // keep the bytes of a record together for text
	columns int  // report records with more or fewer cells; 0: don't
	block   int  // bytes to read at once

	// the block: bytes [base, base+len(buf)) of the text
	buf  []byte
	base int64
	pos  int // everything before is done
	keep int64

	nextQuote, nextLF, nextCR finder

	d      Dialect
	header bool // the next record is the header, which decides how records end
	cr     bool // a lone CR ends a record
	cut    bool // the text ends with a CR of which the LF may be missing
	ended  bool // the last record had a line ending
	line   int  // physical line at pos
	lines  int  // of the header: lines if only LF ends one

	text      []byte // of the last record, without its line ending; if whole
	textStart int64
	spare     []byte
}

// finder remembers where in the block a byte comes next, so that no byte of the
// block is searched twice.
type finder struct{ at int }

func (f *finder) find(block []byte, b byte, from int) int {
	if f.at < from {
		f.at = len(block)
		if i := bytes.IndexByte(block[from:], b); i >= 0 {
			f.at = from + i
		}
	}
	return f.at
}

func (s *scanner) open(src Source, start, last int64, d Dialect) {
	*s = scanner{src: src, start: start, end: src.Size(), last: last, base: start, keep: -1, line: 1, block: blockSize}
	s.d = Python
	if start > 0 {
		s.d = d
		s.cr = d.bareCR()
	} else {
		s.header, s.cr = true, true
	}
	s.ended = true
	s.forget()
}

// dialect returns what is known of the text's form, but for its quoting.
func (s *scanner) dialect() Dialect {
	d := s.d
	d.EOL = d.eol()
	d.FinalEOL = s.ended && !s.cut
	return d
}

func (s *scanner) offset() int64 { return s.base + int64(s.pos) }

func (s *scanner) forget() { s.nextQuote.at, s.nextLF.at, s.nextCR.at = -1, -1, -1 }

// more reads the next block behind what must be kept. It returns false at the
// end of the text. The byte before pos always stays: it may be a comma or a CR.
func (s *scanner) more() (bool, error) {
	next := s.base + int64(len(s.buf))
	if next >= s.end {
		return false, nil
	}
	from := max(s.pos-1, 0)
	if s.keep >= 0 {
		from = int(s.keep - s.base)
	}
	kept := len(s.buf) - from
	// At least doubling what is kept makes long records cost no more than short ones.
	want := int(min(int64(max(s.block, kept)), s.end-next))
	if cap(s.buf) >= kept+want {
		copy(s.buf[:kept], s.buf[from:])
		s.buf = s.buf[:kept+want]
	} else {
		grown := make([]byte, kept+want, kept+int(min(int64(2*want), s.end-next)))
		copy(grown, s.buf[from:])
		s.buf = grown
	}
	s.base += int64(from)
	s.pos -= from
	s.forget()
	n, err := s.src.ReadAt(s.buf[kept:], next)
	if n == want {
		return true, nil
	}
	s.buf = s.buf[:kept+n]
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return false, fmt.Errorf("reading at byte %d: %w", next+int64(n), err)
}

// ahead sees to it that n bytes from pos on are in the block, or all there are.
func (s *scanner) ahead(n int) error {
	for len(s.buf)-s.pos < n {
		if more, err := s.more(); err != nil || !more {
			return err
		}
	}
	return nil
}

// next returns the next record; io.EOF behind the last.
func (s *scanner) next() (Span, error) {
	header := s.header
	start, err := s.begin()
	if err != nil {
		return Span{}, err
	}
	span := Span{Start: start, Line: s.line, Cells: 1}
	s.textStart = s.offset()
	if s.whole {
		s.keep = s.textStart
	}
	textEnd, err := s.record(&span)
	if err != nil {
		return Span{}, err
	}
	if textEnd == s.textStart {
		span.Cells = 0 // only a header can be blank
	}
	if s.columns > 0 && span.Cells < s.columns {
		span.note(TooFewCells, textEnd)
	}
	if header {
		s.header = false
		s.cr = s.d.bareCR()
		if !s.cr && span.Ended {
			s.line = span.Line + s.lines + 1
		}
	}
	if s.whole {
		s.text = s.buf[s.textStart-s.base : textEnd-s.base]
		s.keep = -1
	}
	s.ended = span.Ended
	if span.Ended {
		if err := s.skipBlank(); err != nil {
			return Span{}, err
		}
	}
	span.End = s.offset()
	return span, nil
}

// begin goes to the first byte of the next record and returns where its span
// starts, which is there but for blank lines where reading started.
func (s *scanner) begin() (int64, error) {
	if s.header {
		if err := s.ahead(len(byteOrderMark)); err != nil {
			return 0, err
		}
		if bytes.HasPrefix(s.buf, []byte(byteOrderMark)) {
			s.pos = len(byteOrderMark)
			s.d.BOM = true
		}
	}
	start := s.offset()
	if start >= s.last {
		return 0, io.EOF
	}
	if start == s.start && start > 0 {
		if err := s.skipBlank(); err != nil {
			return 0, err
		}
	}
	if s.offset() >= s.last {
		return 0, io.EOF
	}
	return start, nil
}

// record goes behind the record at pos and returns where its text ends.
func (s *scanner) record(span *Span) (textEnd int64, err error) {
	cellStart := true // pos is the start of a cell
	for {
		end := s.recordEnd()
		if quote := s.nextQuote.find(s.buf, '"', s.pos); quote < end {
			s.countCells(span, quote)
			if quote > s.pos {
				cellStart = s.buf[quote-1] == ','
			}
			span.quoted = true
			s.pos = quote + 1
			if cellStart {
				err = s.quotedPart(span)
			} else {
				span.note(BareQuote, s.offset()-1)
			}
			if err != nil {
				return 0, err
			}
			cellStart = false
			continue
		}
		s.countCells(span, end)
		if end > s.pos {
			cellStart = s.buf[end-1] == ','
		}
		s.pos = end
		if end < len(s.buf) {
			return s.endRecord(span)
		}
		more, err := s.more()
		if err != nil {
			return 0, err
		}
		if !more {
			return s.endText(span), nil
		}
	}
}

// recordEnd returns the index of the line ending outside of quotes that comes
// next, or len(buf).
func (s *scanner) recordEnd() int {
	end := s.nextLF.find(s.buf, '\n', s.pos)
	if s.cr {
		end = min(end, s.nextCR.find(s.buf, '\r', s.pos))
	}
	return end
}

// countCells counts the commas from pos to end, which are outside of quotes.
func (s *scanner) countCells(span *Span, end int) {
	part := s.buf[s.pos:end]
	n := bytes.Count(part, comma)
	if s.columns > 0 && span.Cells <= s.columns && span.Cells+n > s.columns {
		at := 0
		for range s.columns - span.Cells + 1 {
			at += bytes.IndexByte(part[at:], ',') + 1
		}
		span.note(TooManyCells, s.offset()+int64(at))
	}
	span.Cells += n
}

// quotedPart goes from behind an opening quote behind the closing one.
func (s *scanner) quotedPart(span *Span) error {
	opened := s.offset() - 1
	counted := s.pos // lines before are counted
	count := func() {
		if s.nextLF.at >= s.pos && (!s.cr || s.nextCR.at >= s.pos) {
			return // most cells are of one line
		}
		afterCR := counted > 0 && s.buf[counted-1] == '\r'
		s.line += countLines(s.buf[counted:s.pos], s.cr, afterCR)
		if s.header {
			s.lines += countLines(s.buf[counted:s.pos], false, false)
		}
	}
	for {
		s.pos = s.nextQuote.find(s.buf, '"', s.pos)
		if len(s.buf)-s.pos < 3 { // the quote and what decides about it
			count()
			err := s.ahead(3)
			if err != nil {
				return err
			}
			counted = s.pos
		}
		rest := s.buf[s.pos:]
		switch {
		case len(rest) == 0:
			span.note(Unterminated, opened)
			span.open = true
			return nil
		case rest[0] != '"': // the block ended before the quote was found
		case len(rest) > 1 && rest[1] == '"':
			s.pos += 2
		default:
			count()
			s.pos++
			if !s.endsCell(rest[1:]) {
				span.note(BareQuote, s.offset()-1)
			}
			return nil
		}
	}
}

// endsCell reports whether a quoted cell may be followed by rest.
func (s *scanner) endsCell(rest []byte) bool {
	switch {
	case len(rest) == 0, rest[0] == ',', rest[0] == '\n':
		return true
	case rest[0] == '\r':
		return s.cr || len(rest) == 1 || rest[1] == '\n'
	}
	return false
}

// endRecord goes behind the line ending at pos and returns where the text ends.
func (s *scanner) endRecord(span *Span) (textEnd int64, err error) {
	if err := s.ahead(2); err != nil {
		return 0, err
	}
	textEnd = s.offset()
	eol := "\n"
	switch rest := s.buf[s.pos:]; {
	case rest[0] == '\r' && len(rest) > 1 && rest[1] == '\n':
		eol = "\r\n"
		s.pos++
	case rest[0] == '\r':
		eol = "\r"
	case !s.cr && s.pos > 0 && s.buf[s.pos-1] == '\r' && textEnd > s.textStart:
		textEnd--
	}
	s.pos++
	s.line++
	span.Ended = true
	if s.header {
		s.d.EOL = eol
	}
	return textEnd, nil
}

// endText returns where the text of a last record without line ending ends. A
// CR there is taken for a line ending that was cut in two.
func (s *scanner) endText(span *Span) int64 {
	end := s.offset()
	if !span.open && !s.cr && s.pos > 0 && s.buf[s.pos-1] == '\r' && end > s.textStart {
		s.cut = true
		end--
	}
	return end
}

// skipBlank goes behind blank lines.
func (s *scanner) skipBlank() error {
	for {
		if len(s.buf)-s.pos < 2 {
			// The block will move: save the record.
			if s.whole {
				s.spare = append(s.spare[:0], s.text...)
				s.text = s.spare
			}
			if err := s.ahead(2); err != nil {
				return err
			}
		}
		rest := s.buf[s.pos:]
		switch {
		case len(rest) == 0:
			return nil
		case rest[0] == '\n':
			s.pos++
		case rest[0] != '\r':
			return nil
		case len(rest) > 1 && rest[1] == '\n':
			s.pos += 2
		case s.cr:
			s.pos++
		case len(rest) == 1: // the first half of a blank line
			s.pos++
			s.cut = true
			return nil
		default:
			return nil
		}
		s.line++
	}
}
