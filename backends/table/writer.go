package table

import (
	"bytes"
	"io"
	"strings"
)

// writeBuffer is how many bytes are collected before they are written.
const writeBuffer = 64 << 10

// Writer writes records in a dialect. After an error every call returns it.
type Writer struct {
	w   io.Writer
	d   Dialect
	err error
	buf []byte

	begun bool   // something was written
	open  bool   // the last record has no line ending yet
	held  []byte // line endings behind the last record: written when something follows
	last  byte   // the last byte that went into buf
}

// NewWriter returns a writer in dialect d. The BOM is written before the first record.
func NewWriter(w io.Writer, d Dialect) *Writer {
	d.EOL = d.eol()
	return &Writer{w: w, d: d, buf: make([]byte, 0, writeBuffer)}
}

// Write writes one record. A record without cells is written as one empty cell:
// a blank line would be no record.
func (w *Writer) Write(cells []string) error {
	first := !w.begun
	w.begin()
	if len(cells) == 0 || len(cells) == 1 && cells[0] == "" {
		w.buf = append(w.buf, `""`...)
	}
	for i, cell := range cells {
		switch {
		case len(cells) == 1 && cell == "":
			continue
		case i > 0:
			w.buf = append(w.buf, ',')
		}
		if needsQuotes(w.d.Quoting, cell) || first && i == 0 && strings.HasPrefix(cell, byteOrderMark) {
			w.quote(cell)
		} else {
			w.buf = append(w.buf, cell...)
		}
	}
	w.open = true
	w.last = w.buf[len(w.buf)-1]
	return w.flushFull()
}

// quote appends a cell in quotes.
func (w *Writer) quote(cell string) {
	w.buf = append(w.buf, '"')
	for {
		i := strings.IndexByte(cell, '"')
		if i < 0 {
			break
		}
		w.buf = append(w.buf, cell[:i+1]...)
		w.buf = append(w.buf, '"')
		cell = cell[i+1:]
	}
	w.buf = append(w.buf, cell...)
	w.buf = append(w.buf, '"')
}

// WriteRaw copies the bytes of one or more whole records. If they lack a final
// line ending and something follows, one is added. The BOM is none of a record's
// bytes (Record.Start).
func (w *Writer) WriteRaw(records []byte) error {
	if len(records) > 0 {
		w.begin()
		w.raw(records)
	}
	return w.err
}

// CopyRaw is WriteRaw of the bytes [start, end) of src, block by block. An error
// of src is returned and leaves the last record torn: write no further.
func (w *Writer) CopyRaw(src Source, start, end int64) error {
	if start >= end {
		return w.err
	}
	w.begin()
	section := io.NewSectionReader(src, start, end-start)
	block := make([]byte, min(blockSize, end-start))
	for start < end && w.err == nil {
		n, err := io.ReadFull(section, block[:min(int64(len(block)), end-start)])
		if err != nil {
			w.fail(err)
			break
		}
		w.raw(block[:n])
		start += int64(n)
	}
	return w.err
}

// raw writes a piece of records and holds back the line endings at its end.
func (w *Writer) raw(piece []byte) {
	w.buf = append(w.buf, w.held...)
	text := trimEOL(piece, w.d.bareCR())
	w.held = append(w.held[:0], piece[len(text):]...)
	w.open = len(w.held) == 0
	if len(text) > 0 {
		w.last = text[len(text)-1]
	}
	if len(w.buf)+len(text) <= cap(w.buf) {
		w.buf = append(w.buf, text...)
		return
	}
	w.flush()
	w.write(text)
}

// trimEOL cuts all line endings off the end of text.
func trimEOL(text []byte, cr bool) []byte {
	if cr {
		return bytes.TrimRight(text, "\r\n")
	}
	for bytes.HasSuffix(text, newline) {
		text = bytes.TrimSuffix(text[:len(text)-1], carriageReturn)
	}
	return text
}

// begin makes ready for a record: the BOM, or the end of the record before.
func (w *Writer) begin() {
	if !w.begun && w.d.BOM {
		w.buf = append(w.buf, byteOrderMark...)
	}
	w.begun = true
	w.end()
}

// end writes the line ending that the last record still lacks.
func (w *Writer) end() {
	switch {
	case !w.open:
	case w.last == '\r' && !w.d.bareCR():
		w.buf = append(w.buf, '\n') // the other half is there
	default:
		w.buf = append(w.buf, w.d.EOL...)
	}
	w.open = false
	w.buf = append(w.buf, w.held...)
	w.held = w.held[:0]
}

// Close flushes and, by Dialect.FinalEOL, ends or leaves open the last record.
// It does not close the underlying writer.
func (w *Writer) Close() error {
	// Without its LF a CR at the end of a cell would look like a line ending.
	if w.d.FinalEOL || len(w.held) > 0 && w.last == '\r' && !w.d.bareCR() {
		w.end()
	}
	w.flush()
	return w.err
}

func (w *Writer) flushFull() error {
	if len(w.buf) >= writeBuffer {
		w.flush()
	}
	return w.err
}

func (w *Writer) flush() {
	w.write(w.buf)
	w.buf = w.buf[:0]
}

func (w *Writer) write(b []byte) {
	if w.err != nil || len(b) == 0 {
		return
	}
	if n, err := w.w.Write(b); err != nil {
		w.err = err
	} else if n < len(b) {
		w.err = io.ErrShortWrite
	}
}

func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
