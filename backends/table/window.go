package table

import (
	"bytes"
	"errors"
	"io"
)

// maxExpected bounds the room that is made before records have been seen.
const maxExpected = 4 << 20

// side is one of the two contents of a comparison.
type side struct {
	src    Source
	size   int64
	keys   *Keys
	layout layout
	d      Dialect // how its records end
	body   int64   // offset behind the header

	// The window: what lies between the equal bytes at both ends.
	first      int   // number of its first record
	start, end int64 // bytes
	records    []indexed
	faults     []int32 // records of the window with bad text, or too many or few cells

	walk *Reader // goes over the records behind the window while it grows

	// The reader of single records.
	reader *Reader
	at     int // the record that reader gives next
	until  int // the record at which reader ends
	asked  int // the record that was asked for last
	ahead  int // how many records are read at once
}

// indexed is what is remembered of a record of the window.
type indexed struct {
	start int64
	hash  uint64 // of the cells in the columns that both contents have
	id    uint64 // hash of the row id that it shows; 0: none
}

// openSide reads the header of a content; a nil source has none.
func openSide(content Content, opt *CompareOptions) (side, *Record, error) {
	s := side{src: content.Source, keys: &content.Keys, asked: -2, ahead: 1}
	if s.src == nil {
		s.src = bytes.NewReader(nil)
	}
	s.size = s.src.Size()
	reader := NewReader(s.src, 0, Dialect{})
	record, err := reader.Next()
	switch {
	case errors.Is(err, io.EOF):
		s.body = s.size
	case err != nil:
		return s, nil, err
	default:
		s.layout.header = record.Names()
		s.body = record.End
	}
	s.layout = newLayout(s.layout.header, opt)
	s.d = reader.Dialect()
	s.start, s.end = s.body, s.body
	return s, record, nil
}

// growTo takes the records that start before the byte offset limit into the window.
func (s *side) growTo(limit int64, index func(*side, *Record) error) error {
	if s.walk == nil {
		s.walk = NewReader(s.src, s.start, s.d)
	}
	if s.end < limit && s.records == nil {
		s.records = make([]indexed, 0, s.expect(limit))
	}
	for s.end < limit {
		record, err := s.walk.Next()
		if errors.Is(err, io.EOF) {
			s.end = s.size // blank lines
			return nil
		}
		if err != nil {
			return err
		}
		if err := index(s, record); err != nil {
			return err
		}
		s.end = record.End
	}
	return nil
}

// sampleRecords is how many records tell how long records are.
const sampleRecords = 64

// expect guesses how many records start before limit. Room for all of them at
// once takes far less memory than growing does; where the guess is bad it grows.
func (s *side) expect(limit int64) int {
	spans := NewSpans(s.src, s.start, min(limit, s.start+blockSize), s.d)
	records, end := int64(0), s.start
	for records < sampleRecords {
		span, err := spans.Next()
		if err != nil {
			break // the walk meets the same error, and reports it
		}
		records, end = records+1, span.End
	}
	if records == 0 || limit <= s.start {
		return 0
	}
	guess := (limit - s.start) * records / max(end-s.start, 1)
	return int(min(guess+guess/32+1, (limit-s.start)/2+1, maxExpected))
}

// behind returns the number of the first record behind the window.
func (s *side) behind() int { return s.first + len(s.records) }

// maxAhead is the most records that are read ahead.
const maxAhead = 4096

// record reads record i of the window again. It is valid until the next call.
// The longer records are asked for in their order, the more are read at once.
func (s *side) record(i int) (*Record, error) {
	if s.reader == nil || s.at != i || i == s.until {
		if i == s.asked+1 {
			s.ahead = min(4*s.ahead, maxAhead)
		} else {
			s.ahead = 1
		}
		s.until = min(i+s.ahead, len(s.records))
		end := s.end
		if s.until < len(s.records) {
			end = s.records[s.until].start
		}
		s.reader = NewReader(section{s.src, end}, s.records[i].start, s.d)
	}
	s.asked, s.at = i, i+1
	return s.reader.Next()
}

// key returns the key of record i of the window.
func (s *side) key(i int) Key { return s.keys.At(s.first + i) }

// findWindow sets the start of both windows behind the bytes that are equal at
// the beginning, back to a record boundary, and returns how many bytes at the
// end may be left out.
func findWindow(old, new *side, shared int64, positional bool) (suffix int64, same bool, err error) {
	prefix, err := commonPrefix(old.src, new.src, shared)
	if err != nil {
		return 0, false, err
	}
	if prefix == old.size && prefix == new.size {
		return 0, true, nil
	}
	if prefix >= old.body && prefix >= new.body && old.body == new.body {
		place := Place{Offset: shared, Records: old.keys.Len()}
		if prefix != shared || shared != old.size {
			if place, err = Boundary(old.src, Place{Line: 1}, prefix, old.d); err != nil {
				return 0, false, err
			}
		}
		if place.Offset >= old.body {
			old.begin(place)
			new.begin(place)
		}
	}
	if !positional || old.d.bareCR() != new.d.bareCR() {
		return 0, false, nil
	}
	suffix, err = commonSuffix(old.src, new.src, min(old.size-old.start, new.size-new.start))
	return suffix, false, err
}

// begin lets the window begin at a record boundary.
func (s *side) begin(at Place) {
	s.first, s.start, s.end = at.Records, at.Offset, at.Offset
}

// fillWindows indexes the records of both windows: up to the first record
// boundary that is equally far from both ends and within the equal bytes there.
func fillWindows(old, new *side, suffix int64, index func(*side, *Record) error) error {
	if err := old.growTo(old.size-suffix, index); err != nil {
		return err
	}
	if err := new.growTo(new.size-suffix, index); err != nil {
		return err
	}
	for old.size-old.end != new.size-new.end {
		rest := min(old.size-old.end, new.size-new.end)
		if err := old.growTo(old.size-rest, index); err != nil {
			return err
		}
		if err := new.growTo(new.size-rest, index); err != nil {
			return err
		}
	}
	return nil
}

// commonPrefix returns how many bytes at the start are equal, at least shared.
func commonPrefix(a, b Source, shared int64) (int64, error) {
	n := min(a.Size(), b.Size())
	blockA, blockB := make([]byte, blockSize), make([]byte, blockSize)
	for at := min(shared, n); at < n; {
		size := min(n-at, blockSize)
		if err := readBoth(a, b, at, at, blockA[:size], blockB[:size]); err != nil {
			return 0, err
		}
		if equal := equalBytes(blockA[:size], blockB[:size]); int64(equal) < size {
			return at + int64(equal), nil
		}
		at += size
	}
	return n, nil
}

// commonSuffix returns how many bytes at the end are equal, at most limit.
func commonSuffix(a, b Source, limit int64) (int64, error) {
	blockA, blockB := make([]byte, blockSize), make([]byte, blockSize)
	for done := int64(0); done < limit; {
		size := min(limit-done, blockSize)
		if err := readBoth(a, b, a.Size()-done-size, b.Size()-done-size, blockA[:size], blockB[:size]); err != nil {
			return 0, err
		}
		if !bytes.Equal(blockA[:size], blockB[:size]) {
			equal := int64(0)
			for blockA[size-1-equal] == blockB[size-1-equal] {
				equal++
			}
			return done + equal, nil
		}
		done += size
	}
	return limit, nil
}

// equalBytes returns how many bytes at the start are equal.
func equalBytes(a, b []byte) int {
	if bytes.Equal(a, b) {
		return len(a)
	}
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}

func readBoth(a, b Source, atA, atB int64, intoA, intoB []byte) error {
	if err := readFull(a, atA, intoA); err != nil {
		return err
	}
	return readFull(b, atB, intoB)
}

// readFull fills block; that a source ends sooner than it said is an error.
func readFull(src Source, at int64, block []byte) error {
	n, err := src.ReadAt(block, at)
	if n == len(block) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
