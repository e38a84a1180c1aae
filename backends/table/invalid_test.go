package table

import (
	"errors"
	"strings"
	"testing"
)

func TestProblems(t *testing.T) {
	const base = "_row_id,q,a\nr1,A,1\nr2,B,2\n"
	for _, test := range []struct {
		name, new    string
		kind         ProblemKind // in both kinds of store
		line, column int
		beginning    bool
	}{
		{"nothing", "", NoHeader, 1, 1, true},
		{"blank first line", "\n" + base, NoHeader, 1, 1, false},
		{"cut header", "_row_id", ForeignHeader, 1, 1, true},
		{"cut within a quote", "_row_id,\"q", Unterminated, 1, 9, true},
		{"foreign header", "x,y,z\n1,2,3\n", ForeignHeader, 1, 1, false},
		{"no header", "r1,A,1\nr2,B,2\n", ForeignHeader, 1, 1, false},
		{"semicolons", "_row_id;q;a\nr1;A;1\n", OtherDelimiter, 1, 1, false},
		{"tabs", "_row_id\tq\ta\nr1\tA\t1\n", OtherDelimiter, 1, 1, false},
		{"repeated column", "_row_id,q,q\nr1,A,1\n", RepeatedColumn, 1, 11, false},
		{"too many cells", base + "r3,C,3,4\n", TooManyCells, 4, 8, false},
		{"too few cells", base + "r3,C\nr4,D,4\n", TooFewCells, 4, 5, false},
		{"cut record", base + "r3,C", TooFewCells, 4, 5, true},
		{"changed record with fewer cells", "_row_id,q,a\nr1,A\nr2,B,2\n", TooFewCells, 2, 5, false},
		{"bare quote", base + "r3,say \"hi\",3\n", BareQuote, 4, 8, false},
		{"unterminated", base + "r3,\"C,3\n", Unterminated, 4, 4, true},
		{"behind other line ends", strings.ReplaceAll(base, "\n", "\r\n") + "r3,\"C\nD\",3\r\nr4,4\r\n", TooFewCells, 6, 5, false},
	} {
		for _, row := range []bool{false, true} {
			old, opt := content(t, base), document()
			if row {
				old, opt = rowContent(t, base), rowStore(columns("q", "a")...)
			}
			_, err := Compare(old, Content{Source: textSource(test.new)}, opt)
			var p *Problem
			if !errors.As(err, &p) {
				t.Errorf("%s, row store %v: no problem: %v", test.name, row, err)
				continue
			}
			if p.Kind != test.kind || p.Line != test.line || p.Column != test.column || p.Beginning != test.beginning || p.Reason == "" {
				t.Errorf("%s, row store %v: kind %d, beginning %v: %v", test.name, row, p.Kind, p.Beginning, p)
			}
		}
	}
}

func TestRowStoreProblems(t *testing.T) {
	const base = "_row_id,q,a\nr1,A,1\nr2,B,2\n"
	for _, test := range []struct {
		name, new    string
		kind         ProblemKind
		line, column int
	}{
		{"NUL", "_row_id,q,a\nr1,A,1\nr2,\"x\x00\",2\n", BadCell, 3, 4},
		{"no UTF-8", base + "r3,C,\xff\n", BadCell, 4, 6},
		{"bad name", "_row_id,q,a,\xff\nr1,A,1,\nr2,B,2,\n", BadCell, 1, 13},
		{"unknown id", base + "x9,C,3\n", UnknownRowID, 4, 1},
		{"column without a name", "_row_id,q,,a\nr1,A,,1\nr2,B,,2\n", NoHeader, 1, 11},
		{"cells behind the last name", "_row_id,q,a,\nr1,A,1,\nr2,B,2,x\n", TooManyCells, 3, 8},
	} {
		_, err := Compare(rowContent(t, base), Content{Source: textSource(test.new)}, rowStore(columns("q", "a")...))
		var p *Problem
		if !errors.As(err, &p) {
			t.Errorf("%s: no problem: %v", test.name, err)
			continue
		}
		if p.Kind != test.kind || p.Line != test.line || p.Column != test.column {
			t.Errorf("%s: kind %d: %v", test.name, p.Kind, p)
		}
	}
}

// What the old content has as well is no problem.
func TestOldProblemsStay(t *testing.T) {
	for _, base := range []string{
		"q,a\nx\"y,1\nz,2\n", "q,a\nx\nz,2\n", "q,a\nx,y,z\nz,2\n", "q,q\nx,1\nz,2\n", "q,a\nz,2\n\"open,1\n",
	} {
		for _, new := range []string{
			strings.Replace(base, "z,2", "z,3", 1), strings.ReplaceAll(base, "\n", "\r\n"),
			strings.Replace(strings.ReplaceAll(base, "\n", "\r\n"), "z,2", "z,3", 1),
		} {
			if strings.Contains(base, "open") && strings.Contains(new, "\r") {
				continue // the line end is in the cell: another cell
			}
			if _, err := Compare(content(t, base), Content{Source: textSource(new)}, document()); err != nil {
				t.Errorf("%q -> %q: %v", base, new, err)
			}
		}
	}
}

// Columns without a name do not make a table's header a foreign one.
func TestForeignHeaderCountsNames(t *testing.T) {
	base := content(t, "q,a,,\nx,1,,\nz,2,,\n")
	if _, err := Compare(base, Content{Source: textSource("q,a\nx,1\nz,2\n")}, document()); err != nil {
		t.Errorf("without the columns that have no name: %v", err)
	}
	var p *Problem
	if _, err := Compare(base, Content{Source: textSource("q,,\nx,,\nz,,\n")}, document()); !errors.As(err, &p) || p.Kind != ForeignHeader {
		t.Errorf("half of the names and the columns without: %v", err)
	}
}

// Whatever can be read is accepted from a store.
func TestLenient(t *testing.T) {
	base := content(t, "q,a\nx,1\n")
	for _, new := range difficultTexts() {
		opt := document()
		opt.Lenient = true
		if _, err := Compare(base, Content{Source: textSource(new)}, opt); err != nil {
			t.Errorf("%.60q: %v", new, err)
		}
	}
}
