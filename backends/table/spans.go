package table

import (
	"errors"
	"io"
)

// Span is where a record stands, without its cells.
type Span struct {
	Start, End int64 // as in Record
	Line       int   // physical line on which its cells start, from 1
	Cells      int   // how many; 0 only for a header that is a blank line
	Ended      bool  // a line ending followed
	// Problem is the kind of the first thing that is wrong with the text
	// (BareQuote, Unterminated); 0: nothing. Reader tells more.
	Problem ProblemKind

	problemAt int64
	quoted    bool // has quotes
	open      bool // ends within quotes
}

// note records a problem if it is the first.
func (s *Span) note(kind ProblemKind, at int64) {
	if s.Problem == 0 {
		s.Problem = kind
		s.problemAt = at
	}
}

// Spans walks over the records of a part of a text without making cells: several
// times as fast as Reader, and in constant memory however long a record is.
type Spans struct{ scan scanner }

// NewSpans returns the records of src that start in the bytes [from, to). from
// must be 0 or a record boundary of a text of dialect d; to may be any offset:
// the last record is given whole. From 0 the first span is the header, and the
// dialect is found out.
func NewSpans(src Source, from, to int64, d Dialect) *Spans {
	s := &Spans{}
	s.scan.open(src, from, min(to, src.Size()), d)
	return s
}

// SetLine says that the walk starts on physical line number line.
func (s *Spans) SetLine(line int) { s.scan.line = line }

// Next returns the next span; io.EOF after the last. Any other error is a read
// error of the source.
func (s *Spans) Next() (Span, error) { return s.scan.next() }

// Place is a record boundary of a text.
type Place struct {
	Offset  int64 // bytes
	Line    int   // physical line that starts there, from 1
	Records int   // before it, the header not counted
}

// Boundary returns the last record boundary of src that is not behind the byte
// offset at, going from the known boundary from (the zero Place with Line 1 is
// the start of a text). Texts of one dialect that are equal up to at have the
// same one. Before the end of the header there is no boundary but from.
//
// The end of a last record without line ending is no boundary: what follows
// would continue it.
func Boundary(src Source, from Place, at int64, d Dialect) (Place, error) {
	// What stands behind at must make no difference: the text ends there.
	spans := NewSpans(section{src, min(at, src.Size())}, from.Offset, at, d)
	spans.SetLine(max(from.Line, 1))
	place := from
	for header := from.Offset == 0; ; header = false {
		span, err := spans.Next()
		switch {
		case errors.Is(err, io.EOF) && header, err == nil && !span.Ended:
			return place, nil
		case errors.Is(err, io.EOF): // perhaps behind blank lines
			return spans.place(place.Records), nil
		case err != nil:
			return from, err
		}
		if header {
			half, err := spans.halfHeaderEnd(src)
			if err != nil || half {
				return from, err
			}
			place = spans.place(0)
			continue
		}
		place = spans.place(place.Records + 1)
	}
}

// place is where the walk is; half a line ending stays behind it.
func (s *Spans) place(records int) Place {
	place := Place{Offset: s.scan.offset(), Line: s.scan.line, Records: records}
	if s.scan.cut {
		place.Offset--
	}
	return place
}

// halfHeaderEnd reports whether the header that was walked over ends between the
// CR and the LF of a CRLF in src.
func (s *Spans) halfHeaderEnd(src Source) (bool, error) {
	at := s.scan.offset()
	if !s.scan.cr || at >= src.Size() {
		return false, nil
	}
	next := make([]byte, 1)
	if _, err := src.ReadAt(next, at); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return next[0] == '\n', nil
}

// CountRecords returns how many records start in the bytes [from, to) of src,
// the header not counted. from must be 0 or a record boundary.
func CountRecords(src Source, from, to int64, d Dialect) (int, error) {
	spans := NewSpans(src, from, to, d)
	records := 0
	if from == 0 {
		records = -1
	}
	for {
		_, err := spans.Next()
		switch {
		case errors.Is(err, io.EOF):
			return max(records, 0), nil
		case err != nil:
			return 0, err
		}
		records++
	}
}
