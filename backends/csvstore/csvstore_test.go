package csvstore_test

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// A file name and a table name lead to each other, and to nothing else.
func TestNamesAreOneToOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		file, err := csvstore.FileName(name)
		back, isTable := csvstore.TableName(name + csvstore.Suffix)
		if (err == nil) != isTable {
			t.Fatalf("table %q: error %v, and yet its file is a table: %t", name, err, isTable)
		}
		if err == nil && (file != name+".csv" || back != name) {
			t.Fatalf("table %q has the file %q, which is the table %q", name, file, back)
		}
		if err != nil && !errors.Is(err, backends.ErrRefused) {
			t.Fatalf("table %q: error %v is not ErrRefused", name, err)
		}
	})
}

func TestFilesThatAreNoTables(t *testing.T) {
	for _, file := range []string{"qa.CSV", "qa.csv.bak", ".csv", "csv", "", ".qa.csv", "~qa.csv", "#qa.csv", "a/b.csv"} {
		if name, isTable := csvstore.TableName(file); isTable {
			t.Errorf("%q is taken for the table %q", file, name)
		}
	}
	for file, want := range map[string]string{"qa.csv": "qa", "v1.2.csv": "v1.2", "x.csv.csv": "x.csv", " .csv": " "} {
		if name, isTable := csvstore.TableName(file); !isTable || name != want {
			t.Errorf("%q is the table %q (%t), want %q", file, name, isTable, want)
		}
	}
}

func documentOf(text string) backends.Document {
	return backends.Document{
		Size: int64(len(text)), SHA1: sha1.Sum([]byte(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

func TestCopy(t *testing.T) {
	const text = "a,b\r\n1,2\r\n"
	var seekable = documentOf(text)
	seekable.Open = func() (io.ReadCloser, error) { return seekCloser{strings.NewReader(text)}, nil }
	for name, document := range map[string]backends.Document{"stream": documentOf(text), "file": seekable} {
		if _, err := csvstore.Copy(io.Discard, document, 100); !errors.Is(err, backends.ErrIncomplete) {
			t.Errorf("%s from behind its end: error %v", name, err)
		}
		for _, from := range []int64{0, 5, int64(len(text))} {
			var out bytes.Buffer
			n, err := csvstore.Copy(&out, document, from)
			if err != nil || out.String() != text[from:] || n != int64(out.Len()) {
				t.Errorf("%s from %d: %d bytes %q, error %v", name, from, n, out.String(), err)
			}
		}
	}
}

type seekCloser struct{ io.ReadSeeker }

func (seekCloser) Close() error { return nil }

func TestCopyTakesOnlyWholeDocuments(t *testing.T) {
	const text = "a,b\r\n1,2\r\n"
	broken := errors.New("disk")
	short, long, other, unknown := documentOf(text), documentOf(text), documentOf(text), documentOf(text)
	short.Size++
	long.Size--
	other.SHA1[0]++
	unknown.SHA1 = [20]byte{}
	unreadable, closed := documentOf(text), documentOf(text)
	unreadable.Open = func() (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
	closed.Open = func() (io.ReadCloser, error) { return nil, broken }
	for name, test := range map[string]struct {
		document backends.Document
		from     int64
		want     error
	}{
		"short":         {short, 0, backends.ErrIncomplete},
		"long":          {long, 0, backends.ErrIncomplete},
		"other bytes":   {other, 0, backends.ErrIncomplete},
		"unknown sum":   {unknown, 0, nil},
		"tail of other": {other, 5, nil}, // the sum is of the whole
		"short tail":    {short, 5, backends.ErrIncomplete},
		"tail too far":  {short, 100, backends.ErrIncomplete},
		"unreadable":    {unreadable, 0, broken},
		"unopenable":    {closed, 0, broken},
		"none":          {backends.Document{}, 0, backends.ErrRefused},
	} {
		if _, err := csvstore.Copy(io.Discard, test.document, test.from); !errors.Is(err, test.want) {
			t.Errorf("%s: error %v, want %v", name, err, test.want)
		}
	}
}

func TestCopyPassesOnWhatTheWriterSays(t *testing.T) {
	full := errors.New("disk full")
	_, err := csvstore.Copy(failingWriter{full}, documentOf("a"), 0)
	if !errors.Is(err, full) || errors.Is(err, backends.ErrIncomplete) {
		t.Errorf("error %v, want that of the writer alone", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// However the bytes come, the right number of them is a document and any other
// is not.
func TestReaderKnowsWhatIsWhole(t *testing.T) {
	for name, cut := range map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		"with EOF": iotest.DataErrReader, "by halves": iotest.HalfReader,
	} {
		for size, want := range map[int64]error{4: backends.ErrIncomplete, 5: nil, 6: backends.ErrIncomplete, 0: backends.ErrIncomplete} {
			_, err := io.ReadAll(csvstore.NewReader(cut(strings.NewReader("12345")), size))
			if !errors.Is(err, want) {
				t.Errorf("%s: 5 bytes as %d: error %v, want %v", name, size, err, want)
			}
		}
		if got, err := io.ReadAll(csvstore.NewReader(cut(strings.NewReader("")), 0)); err != nil || len(got) != 0 {
			t.Errorf("%s: nothing: %q, error %v", name, got, err)
		}
	}
}
