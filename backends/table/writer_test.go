package table

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWriterBytes(t *testing.T) {
	lf := Dialect{EOL: "\n", FinalEOL: true}
	tests := []struct {
		name string
		d    Dialect
		rows [][]string
		want string
	}{
		{"nothing", Python, nil, ""},
		{"nothing has no BOM either", Dialect{BOM: true}, nil, ""},
		{"CRLF", Python, [][]string{{"a", "b"}, {"1", ""}}, "a,b\r\n1,\r\n"},
		{"no line ending given is Python's", Dialect{FinalEOL: true}, [][]string{{"a"}}, "a\r\n"},
		{"BOM", Dialect{BOM: true, EOL: "\n"}, [][]string{{"a"}, {"1"}}, "\ufeffa\n1"},
		{"open end", Dialect{EOL: "\r\n"}, [][]string{{"a"}, {"1"}}, "a\r\n1"},
		{"minimal", lf, [][]string{{"a,", `b"`, "c\r", "d\n", " e ", "\t", ";", "'", "\x00", "\u2028"}},
			"\"a,\",\"b\"\"\",\"c\r\",\"d\n\", e ,\t,;,',\x00,\u2028\n"},
		{"single empty cell", lf, [][]string{{"a"}, {""}, {" "}, {}}, "a\n\"\"\n \n\"\"\n"},
		{"all", Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteAll}, [][]string{{"a", ""}, {""}}, "\"a\",\"\"\n\"\"\n"},
		{"text", Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteText}, [][]string{{"a", "1", "-0.5", "1e-7", "TRUE", "False", "", " 1", "NA", "1-2"}},
			"\"a\",1,-0.5,1e-7,TRUE,False,\"\",\" 1\",\"NA\",\"1-2\"\n"},
		{"spreadsheet", Rendered, [][]string{{"a;", "b\t", " c", "d ", "e f", ""}}, "\"a;\",\"b\t\",\" c\",\"d \",e f,\n"},
		{"a first cell that starts like a BOM", lf, [][]string{{"\ufeffa", "b"}, {"\ufeffc"}}, "\"\ufeffa\",b\n\ufeffc\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := format(t, test.rows, test.d); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// What was written is read again, in every dialect.
func TestWriterRowsSurvive(t *testing.T) {
	for _, d := range dialects() {
		rapid.Check(t, func(t *rapid.T) {
			rows := anyRows().Draw(t, "rows")
			text := format(t, rows, d)
			got := parse(t, text, blockSize)
			equalRows(t, "rows of "+text, got.rows, rows)
			if len(rows) == 0 {
				return
			}
			for _, record := range got.records {
				if record.Problem != nil {
					t.Fatalf("%q: %v", text, record.Problem)
				}
			}
			// Without any line ending its form can't be known.
			if want := d; len(rows) > 1 || d.FinalEOL {
				want.Quoting = got.dialect.Quoting
				if got.dialect != want {
					t.Fatalf("%q: dialect is %+v, want %+v", text, got.dialect, want)
				}
			}
		})
	}
}

// A text that is written again in the quoting told from it stays as it was.
func TestWriterKeepsItsOwnQuoting(t *testing.T) {
	for _, d := range dialects() {
		rapid.Check(t, func(t *rapid.T) {
			text := format(t, anyRows().Draw(t, "rows"), d)
			again := parse(t, text, blockSize)
			if got := format(t, again.rows, again.dialect); got != text {
				t.Fatalf("got %q, want %q", got, text)
			}
		})
	}
}

// rewrite copies a text record by record in its own dialect.
func rewrite(t rapid.TB, text string, p parsed, copyRecord func(*Writer, Record) error) string {
	t.Helper()
	var out bytes.Buffer
	writer := NewWriter(&out, p.dialect)
	for _, record := range p.records {
		if err := copyRecord(writer, record); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// reproduces fails unless raw records make up the text again.
func reproduces(t rapid.TB, text string) {
	t.Helper()
	p := parse(t, text, blockSize)
	if !p.valid() || len(p.records) == 0 {
		return
	}
	source := textSource(text)
	ways := map[string]func(*Writer, Record) error{
		"WriteRaw": func(w *Writer, r Record) error { return w.WriteRaw([]byte(text[r.Start:r.End])) },
		"CopyRaw":  func(w *Writer, r Record) error { return w.CopyRaw(source, r.Start, r.End) },
	}
	for name, way := range ways {
		if got := rewrite(t, text, p, way); got != text {
			t.Fatalf("%s: got %q, want %q", name, got, text)
		}
	}
}

func TestWriterRawRecordsReproduceTheText(t *testing.T) {
	for _, text := range difficultTexts() {
		reproduces(t, text)
	}
	rapid.Check(t, func(t *rapid.T) { reproduces(t, anyText().Draw(t, "text")) })
}

// Any records of a text, raw or written, in any order, are those records.
func TestWriterMixesRawAndWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyText().Draw(t, "text")
		p := parse(t, text, blockSize)
		if !p.valid() || len(p.records) < 2 || len(p.rows[0]) == 0 {
			return
		}
		p.dialect.FinalEOL = rapid.Bool().Draw(t, "final EOL")
		order := rapid.SliceOf(rapid.IntRange(1, len(p.records)-1)).Draw(t, "order")
		var out bytes.Buffer
		writer := NewWriter(&out, p.dialect)
		var want [][]string
		for _, i := range append([]int{0}, order...) {
			record := p.records[i]
			raw := []byte(text[record.Start:record.End])
			row := p.rows[i]
			switch {
			case i == 0 || rapid.Bool().Draw(t, "raw"):
				if err := writer.WriteRaw(raw); err != nil {
					t.Fatal(err)
				}
			default:
				if err := writer.Write(row); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, row)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		got := parse(t, out.String(), blockSize)
		equalRows(t, out.String(), got.rows, want)
		if got.dialect.FinalEOL != p.dialect.FinalEOL && !endsInCR(want) && !strings.HasSuffix(out.String(), "\n\r") {
			t.Fatalf("%q: final EOL is %v", out.String(), got.dialect.FinalEOL)
		}
	})
}

// endsInCR reports whether the last cell can't stand without a line ending.
func endsInCR(rows [][]string) bool {
	last := rows[len(rows)-1]
	return len(last) > 0 && strings.HasSuffix(last[len(last)-1], "\r")
}

func TestWriterEndsRecords(t *testing.T) {
	tests := []struct {
		name string
		d    Dialect
		raw  []string
		want string
	}{
		{"one is added between", Dialect{EOL: "\n"}, []string{"a\n", "1", "2"}, "a\n1\n2"},
		{"one is added behind", Dialect{EOL: "\r\n", FinalEOL: true}, []string{"a\r\n", "1"}, "a\r\n1\r\n"},
		{"the last is left open", Dialect{EOL: "\r\n"}, []string{"a\r\n", "1\r\n"}, "a\r\n1"},
		{"with the blank lines behind it", Dialect{EOL: "\n"}, []string{"a\n\n", "1\n\r\n\n"}, "a\n\n1"},
		{"others stay as they are", Dialect{EOL: "\r\n", FinalEOL: true}, []string{"a\r\n", "1\n", "2\n\n"}, "a\r\n1\n2\n\n"},
		{"half a CRLF is made whole", Dialect{EOL: "\r\n"}, []string{"a\r\n", "1\r", "2"}, "a\r\n1\r\n2"},
		{"a cell that ends in CR keeps its LF", Dialect{EOL: "\n"}, []string{"a\n", "1\r\r\n"}, "a\n1\r\r\n"},
		{"CR", Dialect{EOL: "\r"}, []string{"a\r", "1\r\n\r"}, "a\r1"},
		{"nothing is no record", Dialect{BOM: true, EOL: "\n", FinalEOL: true}, []string{""}, ""},
		{"several at once", Dialect{BOM: true, EOL: "\n"}, []string{"a\n1\n", "2\n3\n"}, "\ufeffa\n1\n2\n3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			writer := NewWriter(&out, test.d)
			for _, raw := range test.raw {
				if err := writer.WriteRaw([]byte(raw)); err != nil {
					t.Fatal(err)
				}
			}
			if err := writer.Close(); err != nil {
				t.Fatal(err)
			}
			if out.String() != test.want {
				t.Errorf("got %q, want %q", out.String(), test.want)
			}
		})
	}
}

// Copying goes through blocks; neither their bounds nor the buffer's show.
func TestWriterCopiesLongTexts(t *testing.T) {
	rows := [][]string{{"a", "b"}}
	for i := range 60_000 {
		rows = append(rows, []string{strings.Repeat("x", i%17), "\"\r\n"})
	}
	text := format(t, rows, Python)
	if len(text) < 2*blockSize {
		t.Fatal("the text is too short for this test")
	}
	var out bytes.Buffer
	writer := NewWriter(&out, Python)
	size := int64(len(text))
	if err := writer.CopyRaw(textSource(text), 0, size); err != nil {
		t.Fatal(err)
	}
	if err := writer.Write([]string{"end", ""}); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if out.String() != text+"end,\r\n" {
		t.Error("the copy differs")
	}
}

func TestWriterErrors(t *testing.T) {
	full := writerFunc(func([]byte) (int, error) { return 0, errDisk })
	short := writerFunc(func(b []byte) (int, error) { return len(b) - 1, nil })
	for _, out := range []writerFunc{full, short} {
		writer := NewWriter(out, Python)
		first := writer.Write([]string{strings.Repeat("x", writeBuffer)})
		if first == nil {
			t.Fatal("no error")
		}
		for _, err := range []error{
			writer.Write([]string{"a"}),
			writer.WriteRaw([]byte("a\n")),
			writer.CopyRaw(textSource("a\n"), 0, 2),
			writer.Close(),
		} {
			if !errors.Is(err, first) {
				t.Errorf("the first error was %v, then came %v", first, err)
			}
		}
	}
	writer := NewWriter(&bytes.Buffer{}, Python)
	if err := writer.CopyRaw(failingSource{textSource("a\n")}, 0, 2); !errors.Is(err, errDisk) {
		t.Errorf("copying what can't be read gives %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
