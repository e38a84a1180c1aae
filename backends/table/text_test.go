package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// Helpers of all tests of the CSV text.

// textSource is a text in memory.
func textSource(text string) Source { return strings.NewReader(text) }

// parsed is everything that a Reader says about a text.
type parsed struct {
	rows    [][]string // the header first
	records []Record   // without Cells
	dialect Dialect
}

// valid reports whether the text of all records is as a strict reader wants it.
func (p parsed) valid() bool {
	return !slices.ContainsFunc(p.records, func(r Record) bool { return r.Problem != nil })
}

// parse reads a whole text in blocks of the given size.
func parse(t rapid.TB, text string, block int) parsed {
	t.Helper()
	reader := NewReader(textSource(text), 0, Dialect{})
	reader.scan.block = block
	return readAll(t, reader)
}

func readAll(t rapid.TB, reader *Reader) parsed {
	t.Helper()
	var p parsed
	for {
		record, err := reader.Next()
		if errors.Is(err, io.EOF) {
			p.dialect = reader.Dialect()
			return p
		}
		if err != nil {
			t.Fatalf("a text in memory can't fail: %v", err)
		}
		p.rows = append(p.rows, record.Strings())
		copied := *record
		copied.Cells = nil
		p.records = append(p.records, copied)
	}
}

// format writes rows in a dialect.
func format(t rapid.TB, rows [][]string, d Dialect) string {
	t.Helper()
	var out bytes.Buffer
	writer := NewWriter(&out, d)
	for _, row := range rows {
		if err := writer.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// equalRows fails unless the rows are equal; empty and missing rows are not.
func equalRows(t rapid.TB, what string, got, want [][]string) {
	t.Helper()
	if slices.EqualFunc(got, want, slices.Equal) {
		return
	}
	t.Fatalf("%s:\n got %.2000q\nwant %.2000q", what, got, want)
}

// pieces are what CSV texts are made of where it gets difficult.
var pieces = []string{
	`"`, `""`, `,`, "\n", "\r\n", "\r", `a`, `b c`, ` `, "\t", `;`, "\x00", "\xff", "é", "\ufeff",
	`","`, "\"\n\"", `a"b`, `"x"`, strings.Repeat("long ", 9),
}

// anyText generates texts that may be wrong in every way.
func anyText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 40).Draw(t, "pieces"), "")
	})
}

// anyRows generates rows that a text can hold: each has at least one cell.
func anyRows() *rapid.Generator[[][]string] {
	cell := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 4).Draw(t, "cell"), "")
	}))
	return rapid.SliceOfN(rapid.SliceOfN(cell, 1, 5), 0, 8)
}

// dialects are all dialects.
func dialects() []Dialect {
	var all []Dialect
	for _, eol := range []string{"\n", "\r\n", "\r"} {
		for _, quoting := range []Quoting{QuoteMinimal, QuoteAll, QuoteSpreadsheet, QuoteText} {
			for _, bom := range []bool{false, true} {
				for _, final := range []bool{false, true} {
					all = append(all, Dialect{BOM: bom, EOL: eol, FinalEOL: final, Quoting: quoting})
				}
			}
		}
	}
	return all
}

// difficultTexts are the seeds of the fuzz targets and cases of several tests.
func difficultTexts() []string {
	texts := []string{
		"", "\ufeff", "\xef\xbb", "\n", "\r", "\r\n", "\ufeff\n", `"`, `""`, `"""`, ",", "a",
		"a,b\n1,2\n", "a,b\r\n1,2\r\n", "a,b\r1,2\r", "a,b\n1,2", "a,b\r\n1,2\r", "a,b\r\n1,2\r\n\r",
		"\ufeffa,b\n1,2\n", "\ufeff\"a\",\"b\"\n\"1\",\"2\"\n", "\"\ufeff_row_id\",\"b\"\n\"1\",\"2\"\n",
		"q\r\n\"\"\r\n\"\"\r\nx\r\n", "a\n\n\n1\n\n", "a\r\n\r\n1\r\n\r\n", "a\r\r1\r\r\r2\n\n3\r\n",
		"a,b\na\"b,\"x\"y\n \"2\",3\n", "a,b\n1,\"x\n2,3\n", "a,b\n\"x\r\ny\",\"a\rb\"\r\n", "a,b\n1,x\ry\n",
		"a,b\n\"x\"\"y\",\"\"\"\"\n\"\",\"\"\n", "a,b\n\"x\"\r\n\"y\"\r,z\n", "a,b\n1\r\r\n", "a,b\n1,\"x\"\r",
		"a,b\n1,\"x\r", "\"a\rb\",c\n1,2\n", "\"a\nb\",c\r\"1\r\n2\n\r\",2\r", "a\n\x00\n\xff\xfe,\x80\n",
		"\ufeff\ufeffa\n", "a,b\n\u2028,\u00a0\n", "a\nx\"\n\"y\n", "a\n\"x\" \n\"y\" ,z\n", "a;b\n1;2\n",
	}
	return append(texts, fmt.Sprintf("a,b\n%s,\"%s\"\n", strings.Repeat("x", 10_000), strings.Repeat(`""`, 10_000)))
}
