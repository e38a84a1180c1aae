package table

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestReaderCells(t *testing.T) {
	tests := []struct {
		name, text string
		want       [][]string
	}{
		{"nothing", "", nil},
		{"only a BOM", "\ufeff", nil},
		{"LF", "a,b\n1,2\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"CRLF", "a,b\r\n1,2\r\n", [][]string{{"a", "b"}, {"1", "2"}}},
		{"mixed line endings", "a\r\n1\n2\r\n", [][]string{{"a"}, {"1"}, {"2"}}},
		{"CR ends records behind a header that ends in one", "a\r1\n2\r\n3\r", [][]string{{"a"}, {"1"}, {"2"}, {"3"}}},
		{"CR is a character elsewhere", "a,b\n1,x\ry\n\r,\r\r\n", [][]string{{"a", "b"}, {"1", "x\ry"}, {"\r", "\r"}}},
		{"half of a CRLF at the end", "a\r\n1\r", [][]string{{"a"}, {"1"}}},
		{"BOM", "\ufeffa\n1\n", [][]string{{"a"}, {"1"}}},
		{"BOM before quotes", "\ufeff\"a\"\n1\n", [][]string{{"a"}, {"1"}}},
		{"no final line ending", "a\n1", [][]string{{"a"}, {"1"}}},
		{"blank lines", "a\n\n\r\n1\n\n", [][]string{{"a"}, {"1"}}},
		{"blank line before the header", "\na\n", [][]string{{}, {"a"}}},
		{"an empty cell is no blank line", "a\n\"\"\n \n", [][]string{{"a"}, {""}, {" "}}},
		{"quotes", "a\n\"x,\"\"y\"\"\nz\"\n\"\"\"\"\n", [][]string{{"a"}, {"x,\"y\"\nz"}, {`"`}}},
		{"line endings inside cells", "a\r\n\"1\r\n2\n3\r4\"\r\n", [][]string{{"a"}, {"1\r\n2\n3\r4"}}},
		{"quote inside a bare cell", "a\nx\"y\n\"\n", [][]string{{"a"}, {"x\"y"}, {"\n"}}},
		{"text behind a closing quote", "a\n\"x\"y,\"x\"\"y\"z\"\",\"\"0\n", [][]string{{"a"}, {"xy", "x\"yz\"\"", "0"}}},
		{"space before a quote", "a\n \"2\"\n", [][]string{{"a"}, {` "2"`}}},
		{"quote never closed", "a\n\"x\n1,2\n", [][]string{{"a"}, {"x\n1,2\n"}}},
		{"NUL and bytes that are no UTF-8", "a\n\x00\xff,\xc3\n", [][]string{{"a"}, {"\x00\xff", "\xc3"}}},
		{"empty cells", ",\n,,\n", [][]string{{"", ""}, {"", "", ""}}},
		{"more and fewer cells", "a,b\n1\n1,2,3\n", [][]string{{"a", "b"}, {"1"}, {"1", "2", "3"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			equalRows(t, "cells", parse(t, test.text, blockSize).rows, test.want)
		})
	}
}

func TestReaderProblems(t *testing.T) {
	tests := []struct {
		name, text   string
		kind         ProblemKind
		line, column int
	}{
		{"bare quote", "a,b\n1,x\"y\n", BareQuote, 2, 4},
		{"text behind a closing quote", "a,b\n1,\"x\"y\n", BareQuote, 2, 5},
		{"closing quote, CR, text", "a,b\n1,\"x\"\ry\n", BareQuote, 2, 5},
		{"space before quotes", "a,b\n1, \"x\"\n", BareQuote, 2, 4},
		{"columns count characters", "a,b\näöü,\"x\"y\n", BareQuote, 2, 7},
		{"columns count bytes that are no UTF-8", "a,b\n\xff\xff,\"x\"y\n", BareQuote, 2, 6},
		{"lines count inside cells", "a,b\n\"1\n\r\n2\",\"x\"y\n", BareQuote, 4, 6},
		{"lines of a CR text", "a,b\r\"1\r\n\n\r2\",\"x\"y\r", BareQuote, 5, 6},
		{"lines count blank ones", "a,b\n\n\r\n1,x\"\n", BareQuote, 4, 4},
		{"CR in a quoted header is no line", "\"a\rb\",c\n1,x\"\n", BareQuote, 2, 4},
		{"LF in a quoted header is a line", "\"a\nb\r\n\",c\n1,x\"\n", BareQuote, 4, 4},
		{"quote never closed", "a,b\n1,\"x\n3,4\n", Unterminated, 2, 3},
		{"quote at the end", "a,b\n1,2\n\"", Unterminated, 3, 1},
		{"the first problem counts", "a,b\nx\"y,\"1\n", BareQuote, 2, 2},
		{"BOM is no character", "\ufeffa\",b\n", BareQuote, 1, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, record := range parse(t, test.text, blockSize).records {
				p := record.Problem
				if p == nil {
					continue
				}
				if p.Kind != test.kind || p.Line != test.line || p.Column != test.column || p.Reason == "" {
					t.Errorf("got kind %d, %v; want kind %d at line %d, column %d", p.Kind, p, test.kind, test.line, test.column)
				}
				if p.Beginning != (p.Kind == Unterminated) {
					t.Errorf("Beginning is %v", p.Beginning)
				}
				return
			}
			t.Error("no problem was found")
		})
	}
}

func TestReaderFromTheMiddle(t *testing.T) {
	for _, text := range difficultTexts() {
		whole := parse(t, text, blockSize)
		for i, record := range whole.records {
			if !record.Ended {
				continue
			}
			reader := NewReader(textSource(text), record.End, whole.dialect)
			reader.SetLine(1 + countLines([]byte(text[:record.End]), whole.dialect.bareCR(), false))
			rest := readAll(t, reader)
			equalRows(t, text, rest.rows, whole.rows[i+1:])
			for j, r := range rest.records {
				if r.Line != whole.records[i+1+j].Line {
					t.Errorf("%q: record %d is on line %d, want %d", text, i+1+j, r.Line, whole.records[i+1+j].Line)
				}
			}
		}
	}
}

// The start of growth may be a blank line, or between CR and LF.
func TestReaderStartsAtBlankLines(t *testing.T) {
	text := "a\r\n\r\n1\r\n"
	for start := int64(2); start <= 5; start++ {
		rest := readAll(t, NewReader(textSource(text), start, Dialect{EOL: "\r\n"}))
		equalRows(t, "cells", rest.rows, [][]string{{"1"}})
		if got := rest.records[0].Start; got != start {
			t.Errorf("from %d: Start is %d", start, got)
		}
	}
}

func TestReaderNames(t *testing.T) {
	for _, text := range []string{"\"\ufeff_row_id\",b\n", "\ufeff\"\ufeff_row_id\",b\n", "\ufeff_row_id,b\n"} {
		record, err := NewReader(textSource(text), 0, Dialect{}).Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := record.Names(); !slices.Equal(got, []string{"_row_id", "b"}) {
			t.Errorf("%q: names are %q", text, got)
		}
	}
}

func TestReaderReadError(t *testing.T) {
	short := section{textSource("a\n1\n"), 100}
	failing := failingSource{textSource("a\n1\n")}
	for _, test := range []struct {
		source Source
		want   error
	}{{short, io.ErrUnexpectedEOF}, {failing, errDisk}} {
		if _, err := NewReader(test.source, 0, Dialect{}).Next(); !errors.Is(err, test.want) {
			t.Errorf("reading gives %v, want %v", err, test.want)
		}
		if _, err := Check(test.source); !errors.Is(err, test.want) {
			t.Errorf("checking gives %v, want %v", err, test.want)
		}
	}
}

var errDisk = errors.New("disk on fire")

// failingSource can't be read.
type failingSource struct{ Source }

func (failingSource) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

// Whatever the size of the blocks, a text has the same records.
func TestReaderBlocksMakeNoDifference(t *testing.T) {
	check := func(t rapid.TB, text string, block int) {
		got, want := parse(t, text, block), parse(t, text, blockSize)
		equalRows(t, "cells", got.rows, want.rows)
		if got.dialect != want.dialect {
			t.Fatalf("%q: dialect is %+v, want %+v", text, got.dialect, want.dialect)
		}
		for i := range want.records {
			g, w := got.records[i], want.records[i]
			if !equalProblems(g.Problem, w.Problem) {
				t.Fatalf("%q: problem is %v, want %v", text, g.Problem, w.Problem)
			}
			if g.Start != w.Start || g.End != w.End || g.Line != w.Line || g.Ended != w.Ended {
				t.Fatalf("%q: record is %+v, want %+v", text, g, w)
			}
		}
	}
	for _, text := range difficultTexts() {
		for block := 1; block < 12; block++ {
			check(t, text, block)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, anyText().Draw(t, "text"), rapid.IntRange(1, 40).Draw(t, "block"))
	})
}

func equalProblems(a, b *Problem) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// The spans of a text are the text.
func TestReaderSpansTileTheText(t *testing.T) {
	check := func(t rapid.TB, text string) {
		p := parse(t, text, blockSize)
		end := int64(0)
		if p.dialect.BOM {
			end = int64(len(byteOrderMark))
		}
		for _, record := range p.records {
			if record.Start != end || record.End <= record.Start {
				t.Fatalf("%q: record %+v does not follow %d", text, record, end)
			}
			end = record.End
		}
		if end != int64(len(text)) {
			t.Fatalf("%q: the last record ends at %d of %d", text, end, len(text))
		}
	}
	for _, text := range difficultTexts() {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, anyText().Draw(t, "text")) })
}

func TestReaderLongCells(t *testing.T) {
	for _, size := range []int{10_000, blockSize - 3, blockSize, 5 << 20} {
		rows := [][]string{{"a", "b"}, {strings.Repeat("x", size), strings.Repeat("\"\n", size/2)}, {"1", "2"}}
		text := format(t, rows, Python)
		equalRows(t, "long cells", parse(t, text, blockSize).rows, rows)
	}
}

func TestReaderDialect(t *testing.T) {
	tests := []struct {
		name, text string
		want       Dialect
	}{
		{"nothing is Python", "", Python},
		{"LF", "a\n1\r\n2\n", Dialect{EOL: "\n", FinalEOL: true}},
		{"CRLF", "a\r\n1\n", Dialect{EOL: "\r\n", FinalEOL: true}},
		{"CR", "a\r1\n", Dialect{EOL: "\r", FinalEOL: true}},
		{"BOM, open end", "\ufeffa\n1", Dialect{BOM: true, EOL: "\n"}},
		{"half a line ending", "a\r\n1\r", Dialect{EOL: "\r\n"}},
		{"half a blank line", "a\r\n1\r\n\r", Dialect{EOL: "\r\n"}},
		{"all quotes", "\"a\",\"b\"\n\"1\",\"\"\n", Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteAll}},
		{"quotes only where they must", "a,b\n\"1,\",\"\"\"\"\n", Dialect{EOL: "\n", FinalEOL: true}},
		{"lone empty cell", "a\n\"\"\n", Dialect{EOL: "\n", FinalEOL: true}},
		{"text", "\"\",\"a\"\n\"1\",NA\n\"2\",TRUE\n\"\",-1.5e7\n\"x\",\n", Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteText}},
		{"some text without quotes", "\"a\",\"b\"\nx,\"y\"\n", Dialect{EOL: "\n", FinalEOL: true}},
		{"spreadsheet", "a,b\n\"x;y\",\" z\"\n", Dialect{EOL: "\n", FinalEOL: true, Quoting: QuoteSpreadsheet}},
		{"spreadsheet would have quoted more", "a,b\n\"x;y\",x;y\n", Dialect{EOL: "\n", FinalEOL: true}},
		{"spreadsheet would have quoted less", "a,b\n\"x;y\",\"1\"\n", Dialect{EOL: "\n", FinalEOL: true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := parse(t, test.text, blockSize).dialect; got != test.want {
				t.Errorf("reader says %+v, want %+v", got, test.want)
			}
			result, err := Check(textSource(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if result.Dialect != test.want {
				t.Errorf("check says %+v, want %+v", result.Dialect, test.want)
			}
		})
	}
}
