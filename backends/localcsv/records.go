package localcsv

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
)

// sameHeader reports whether two files begin with the same record.
func sameHeader(a, b io.ReaderAt) (bool, error) {
	first, err := header(a)
	if err != nil || len(first) == 0 {
		return false, err
	}
	second, err := header(b)
	return bytes.Equal(first, second), err
}

// header returns the first record of a file without its line ending.
func header(file io.ReaderAt) ([]byte, error) {
	const most = 1 << 20 // bytes of a header
	reader := bufio.NewReader(io.NewSectionReader(file, 0, most))
	var record []byte
	for {
		line, err := reader.ReadBytes('\n')
		record = append(record, line...)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if err != nil || bytes.Count(record, []byte{'"'})%2 == 0 {
			return bytes.TrimRight(record, "\r\n"), nil
		}
	}
}

// wholeRecords returns the length of the whole records at the beginning of
// bytes that begin with a record.
func wholeRecords(tail []byte) int {
	whole, quotes := 0, 0
	for i, c := range tail {
		switch c {
		case '"':
			quotes++
		case '\n':
			if quotes%2 == 0 {
				whole = i + 1
			}
		}
	}
	return whole
}

// appendRecords appends records to a file, behind a line ending, and makes them
// safe.
func appendRecords(target *os.File, records []byte) error {
	st, err := fstat(target)
	if err != nil {
		return err
	}
	if st.Size > 0 {
		var last [1]byte
		if _, err := target.ReadAt(last[:], st.Size-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			records = append([]byte{'\n'}, records...)
		}
	}
	if n, err := target.Write(records); err != nil {
		// What went in must not go in twice.
		return errors.Join(err, undo(target, st.Size, int64(n)))
	}
	return target.Sync()
}

// undo removes the last n bytes of a file that had size bytes before them.
func undo(target *os.File, size, n int64) error {
	now, err := fstat(target)
	if err != nil || n == 0 || now.Size != size+n {
		return err
	}
	return target.Truncate(size)
}
