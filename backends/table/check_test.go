package table

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCheckProblems(t *testing.T) {
	tests := []struct {
		name, text   string
		kind         ProblemKind // 0: none
		line, column int
		beginning    bool
	}{
		{"a table", "a,b\n1,2\n", 0, 0, 0, false},
		{"only a header", "a,b\n", 0, 0, 0, false},
		{"only a header without line ending", "a,b", 0, 0, 0, false},
		{"last record without line ending", "a,b\n1,2", 0, 0, 0, false},
		{"blank lines", "a,b\n\n1,2\n\n", 0, 0, 0, false},
		{"unnamed columns by accident", ",a,,\n1,2,,\n", 0, 0, 0, false},
		{"empty cells", "a\n\"\"\n", 0, 0, 0, false},

		{"nothing", "", NoHeader, 1, 1, true},
		{"only a BOM", "\ufeff", NoHeader, 1, 1, true},
		{"blank first line", "\na,b\n1,2\n", NoHeader, 1, 1, false},
		{"blank first line behind a BOM", "\ufeff\r\na\n", NoHeader, 1, 1, false},
		{"header of an empty cell", "\"\"\n1\n", NoHeader, 1, 1, false},
		{"header of empty cells", ",\n1,2\n", NoHeader, 1, 1, false},
		{"header of empty cells, cut", ",", NoHeader, 1, 1, true},
		{"endless header", strings.Repeat("a,", maxHeader), NoHeader, 1, 1, false},

		{"repeated column", "a,b,a\n1,2,3\n", RepeatedColumn, 1, 5, false},
		{"repeated column in quotes", "\"ä\nä\",b,\"ä\nä\"\n1,2,3\n", RepeatedColumn, 2, 6, false},
		{"a cut name repeats a column", "a,ab,a", RepeatedColumn, 1, 6, true},
		{"a whole name repeats a column", "a,a,b", RepeatedColumn, 1, 3, false},
		{"BOM makes no difference between names", "\"\ufeffa\",a\n", RepeatedColumn, 1, 6, false},

		{"bare quote", "a,b\n1,x\"\n", BareQuote, 2, 4, false},
		{"bare quote in the header", "a,b\"\n1,x\n", BareQuote, 1, 4, false},
		{"quote never closed", "a,b\n1,\"x\n2,3\n", Unterminated, 2, 3, true},
		{"quote never closed in the header", "a,\"b\n1,x\n", Unterminated, 1, 3, true},
		{"quote never closed, bare quote before", "a,b\n1\",\"x\n2,3\n", BareQuote, 2, 2, false},

		{"more cells", "a,b\n1,2\n3,4,5,6\n", TooManyCells, 3, 5, false},
		{"more cells, quoted", "a,b\n\"1,\n\",\"2,,\",\"3\"\n", TooManyCells, 3, 9, false},
		{"more cells at the end", "a,b\n1,2,", TooManyCells, 2, 5, false},
		{"fewer cells", "a,b,c\n1,2\n", TooFewCells, 2, 4, false},
		{"fewer cells, CRLF", "a,b\r\n\"1\"\r\n", TooFewCells, 2, 4, false},
		{"fewer cells at the end", "a,b\n1,2\n3", TooFewCells, 3, 2, true},
		{"the first problem counts", "a,b\n1\n1,2,3\n\"", TooFewCells, 2, 2, false},
		{"the first problem of a record counts", "a,b\n1,2,x\"\n", TooManyCells, 2, 5, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			result, err := Check(textSource(test.text))
			if err != nil {
				t.Fatal(err)
			}
			p := result.Problem
			switch {
			case p == nil && test.kind == 0:
			case p == nil:
				t.Error("no problem was found")
			case p.Kind != test.kind || p.Line != test.line || p.Column != test.column || p.Beginning != test.beginning || p.Reason == "":
				t.Errorf("got kind %d, beginning %v, %v; want kind %d, beginning %v, line %d, column %d",
					p.Kind, p.Beginning, p, test.kind, test.beginning, test.line, test.column)
			}
		})
	}
}

func TestCheckCounts(t *testing.T) {
	tests := []struct {
		text     string
		records  int
		complete int64
	}{
		{"", 0, 0},
		{"a", 0, 0},
		{"a\n", 0, 2},
		{"\ufeffa\r\n1\r\n2", 2, 9},
		{"a\r\n1\r\n2\r", 2, 6},
		{"a\r\n1\r\n\r", 1, 6},
		{"a\n1\n\n\n", 1, 6},
		{"a\n1\n\"2\n3\n", 2, 4},
		{"a\n1,1\nx\"\n2\n", 3, 11},
	}
	for _, test := range tests {
		result, err := Check(textSource(test.text))
		if err != nil {
			t.Fatal(err)
		}
		if result.Records != test.records || result.Complete != test.complete {
			t.Errorf("%q: %d records, complete up to %d; want %d and %d",
				test.text, result.Records, result.Complete, test.records, test.complete)
		}
	}
}

// agrees fails if Check says anything that Reader does not.
func agrees(t rapid.TB, text string) {
	t.Helper()
	result, err := Check(textSource(text))
	if err != nil {
		t.Fatal(err)
	}
	p := parse(t, text, blockSize)
	if result.Dialect != p.dialect {
		t.Fatalf("%q: dialect is %+v, want %+v", text, result.Dialect, p.dialect)
	}
	if len(p.records) == 0 {
		if result.Problem == nil || result.Problem.Kind != NoHeader {
			t.Fatalf("%q: problem of no record is %v", text, result.Problem)
		}
		return
	}
	if got, want := result.Records, len(p.records)-1; got != want {
		t.Fatalf("%q: %d records, want %d", text, got, want)
	}
	if result.Header != nil && len(result.Header) != len(p.rows[0]) {
		t.Fatalf("%q: header is %q, want %q", text, result.Header, p.rows[0])
	}
	first := slices.IndexFunc(p.records, func(r Record) bool { return r.Problem != nil })
	ragged := slices.IndexFunc(p.rows, func(row []string) bool { return len(row) != len(p.rows[0]) })
	switch problem := result.Problem; {
	case problem == nil && (first >= 0 || ragged >= 0):
		t.Fatalf("%q: no problem, but record %d has one or record %d is ragged", text, first, ragged)
	case problem == nil:
	case problem.Kind == BareQuote || problem.Kind == Unterminated:
		if first < 0 || *p.records[first].Problem != *problem {
			t.Fatalf("%q: problem is %v, which is not record %d's", text, problem, first)
		}
	case problem.Kind == TooManyCells || problem.Kind == TooFewCells:
		if ragged < 0 || first >= 0 && first < ragged || problem.Line < p.records[ragged].Line {
			t.Fatalf("%q: problem is %v, but record %d is ragged", text, problem, ragged)
		}
	}
}

func TestCheckAgreesWithReader(t *testing.T) {
	for _, text := range difficultTexts() {
		agrees(t, text)
	}
	rapid.Check(t, func(t *rapid.T) { agrees(t, anyText().Draw(t, "text")) })
}

// A text that is cut and then goes on must not have been final: a cut table is a
// table, or a beginning.
func TestCheckCutTablesAreBeginnings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := anyRows().Draw(t, "rows")
		if len(rows) == 0 || repeated(rows[0]) >= 0 || !named(rows[0]) {
			return
		}
		rows[0][0] = strings.TrimPrefix(rows[0][0], byteOrderMark)
		for i := range rows {
			rows[i] = append(rows[i], make([]string, 5)...)[:len(rows[0])]
		}
		text := format(t, rows, rapid.SampledFrom(dialects()).Draw(t, "dialect"))
		if result, err := Check(textSource(text)); err != nil || result.Problem != nil {
			t.Skip("the header is no header after all")
		}
		for cut := range len(text) {
			result, err := Check(textSource(text[:cut]))
			if err != nil {
				t.Fatal(err)
			}
			if result.Problem != nil && !result.Problem.Beginning {
				t.Fatalf("%q is no beginning of %q: %v", text[:cut], text, result.Problem)
			}
		}
	})
}

// Check must not hold a record in memory, however long it is.
func TestCheckMemory(t *testing.T) {
	endless := endlessSource{head: "a,b\n1,\"", size: 64 << 20}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result, err := Check(endless)
	runtime.ReadMemStats(&after)
	if err != nil || result.Problem == nil || result.Problem.Kind != Unterminated {
		t.Fatalf("got %v, %v", result.Problem, err)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 8*blockSize {
		t.Errorf("checking an endless record took %d bytes of memory", taken)
	}
}

// endlessSource is a text of size bytes: head, and then x to the end.
type endlessSource struct {
	head string
	size int64
}

func (s endlessSource) Size() int64 { return s.size }

func (s endlessSource) ReadAt(p []byte, offset int64) (int, error) {
	n := int(min(int64(len(p)), s.size-offset))
	p[0] = 'x'
	for filled := 1; filled < n; filled *= 2 {
		copy(p[filled:n], p[:filled])
	}
	if offset < int64(len(s.head)) {
		copy(p[:n], s.head[offset:])
	}
	return n, nil
}
