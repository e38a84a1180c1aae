package judge_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// fixture is an Input for a table of a document store at rest.
type fixture struct {
	judge.Input
	t    *testing.T
	next int
}

const small = "q,a\none,1\ntwo,2\nthree,3\n"

func documents(t *testing.T, text string) *fixture {
	f := &fixture{t: t, next: 1000}
	f.Form = backends.Documents
	f.NewKey = func() table.Key { f.next++; return table.Key(fmt.Sprintf("#%d", f.next)) }
	f.Temp = newTemp
	f.S = content(t, text)
	f.L, f.R = f.S, f.S
	return f
}

// rowStore is the same for a row store; the text shows the ids.
func rowStore(t *testing.T, text string, columns ...table.Column) *fixture {
	f := documents(t, text)
	f.Form = backends.Rows
	f.Columns = columns
	f.NewKey = func() table.Key { f.next++; return table.Key(fmt.Sprintf("mine%d", f.next)) }
	var keys table.Keys
	for _, record := range parse(t, []byte(text))[1:] {
		keys.Add(table.Key(record[0]))
	}
	f.S.Keys = keys
	f.L, f.R = f.S, f.S
	return f
}

func content(t *testing.T, text string) table.Content {
	t.Helper()
	source := bytes.NewReader([]byte(text))
	check, err := table.Check(source)
	must(t, err)
	return table.Content{Source: source, Keys: table.Numbered(1, check.Records)}
}

// saved judges a save.
func (f *fixture) saved(text string) *judge.Verdict {
	f.t.Helper()
	f.L = table.Content{Source: bytes.NewReader([]byte(text))}
	verdict, err := judge.Judge(f.Input)
	must(f.t, err)
	return verdict
}

// stored is the store's next version: the arrival that leads to it.
func (f *fixture) stored(text string) judge.Arrival {
	f.t.Helper()
	comparison, err := table.Compare(f.R, table.Content{Source: bytes.NewReader([]byte(text))},
		table.CompareOptions{NewKey: f.NewKey, RowStore: f.Form == backends.Rows, Columns: f.Columns,
			ForeignKey: func(string) table.ForeignKey { return table.ForeignAdopt }})
	must(f.t, err)
	f.R = table.Content{Source: bytes.NewReader([]byte(text)), Keys: comparison.Keys}
	return judge.Arrival{Number: 1, Changes: comparison.Changes}
}

// outcome is what the file and the store hold after the verdict is carried out.
func (f *fixture) outcome(v *judge.Verdict) (file, document string) {
	f.t.Helper()
	l := table.Content{Source: f.L.Source, Keys: v.Keys}
	apply := func(changes table.Changes) string {
		var out bytes.Buffer
		_, err := table.Apply(&out, l, changes, table.ApplyOptions{Dialect: v.Dialect, RowStore: f.Form == backends.Rows})
		must(f.t, err)
		return out.String()
	}
	return apply(v.Merged.Take), apply(v.Merged.Document)
}

// wantCounts checks how many rows go out.
func wantCounts(t *testing.T, v *judge.Verdict, appends, updates, deletes int) {
	t.Helper()
	if v.State != judge.Send {
		t.Fatalf("not sent: %s", show(v))
	}
	a, u, d := v.Merged.Send.Count()
	if a != appends || u != updates || d != deletes {
		t.Fatalf("sent +%d ~%d -%d, want +%d ~%d -%d", a, u, d, appends, updates, deletes)
	}
}

func wantState(t *testing.T, v *judge.Verdict, state judge.State) {
	t.Helper()
	if v.State != state {
		t.Fatalf("want state %d: %s", state, show(v))
	}
}

func wantHeld(t *testing.T, v *judge.Verdict, rule byte) {
	t.Helper()
	if v.State != judge.Held || v.Rule != rule || v.Reason == "" {
		t.Fatalf("want held by (%c): %s", rule, show(v))
	}
	if !v.Merged.Send.Empty() {
		t.Fatalf("held, and yet something is sent: %s", show(v))
	}
}

func TestUnchangedIsClean(t *testing.T) {
	f := documents(t, small)
	v := f.saved(small)
	wantState(t, v, judge.Clean)
	if v.BytesDiffer || !v.Exact || v.Keys.Len() != 3 || !slices.Equal(v.Header, []string{"q", "a"}) {
		t.Fatalf("%+v", v)
	}
}

func TestOtherFormOfTheSameRowsIsClean(t *testing.T) {
	for name, text := range map[string]string{
		"sorted":           "q,a\nthree,3\none,1\ntwo,2\n",
		"quoted":           "\"q\",\"a\"\n\"one\",\"1\"\n\"two\",\"2\"\n\"three\",\"3\"\n",
		"CRLF":             strings.ReplaceAll(small, "\n", "\r\n"),
		"byte order mark":  "\ufeff" + small,
		"no final newline": strings.TrimSuffix(small, "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			v := documents(t, small).saved(text)
			wantState(t, v, judge.Clean)
			if !v.BytesDiffer || !v.Exact || !v.Merged.Send.Empty() || !v.Merged.Take.Empty() {
				t.Fatalf("%+v", v)
			}
		})
	}
}

func TestDialectIsThatOfTheSave(t *testing.T) {
	v := documents(t, small).saved("\ufeff\"q\",\"a\"\r\n\"one\",\"1\"\r\n\"two\",\"2\"")
	want := table.Dialect{BOM: true, EOL: "\r\n", Quoting: table.QuoteAll}
	if v.Dialect != want {
		t.Fatalf("got %+v", v.Dialect)
	}
}

func TestDialectOfALargeTable(t *testing.T) {
	text := numbered(1000)
	if v := documents(t, text).saved(text); !v.Dialect.FinalEOL || v.Dialect.EOL != "\n" {
		t.Fatalf("got %+v", v.Dialect)
	}
	if v := documents(t, text).saved(strings.TrimSuffix(text, "\n")); v.Dialect.FinalEOL {
		t.Fatalf("got %+v", v.Dialect)
	}
}

func TestNewTableIsSentWhole(t *testing.T) {
	f := documents(t, small)
	f.S, f.R = table.Content{}, table.Content{}
	v := f.saved(small)
	wantCounts(t, v, 3, 0, 0)
	if !v.Exact || v.Keys.Len() != 3 {
		t.Fatalf("%+v", v)
	}
}

func TestNewTableSavedTwiceKeepsItsKeys(t *testing.T) {
	f := documents(t, small)
	f.S, f.R = table.Content{}, table.Content{}
	first := f.saved(small)
	f.Reference = table.Content{Source: f.L.Source, Keys: first.Keys}
	second := f.saved(strings.Replace(small, "two,2", "two,5", 1))
	wantCounts(t, second, 3, 0, 0)
	for i := range 3 {
		if first.Keys.At(i) != second.Keys.At(i) {
			t.Fatalf("row %d: first %s, then %s", i, first.Keys.At(i), second.Keys.At(i))
		}
	}
}

func TestTableThatTheStoreLostIsSentWhole(t *testing.T) {
	f := documents(t, small)
	f.R = table.Content{}
	v := f.saved("q,a\none,1\ntwo,5\n")
	wantCounts(t, v, 2, 0, 0)
	if v.Keys.At(0) != "#1" || v.Keys.At(1) != "#2" {
		t.Fatalf("keys %s %s", v.Keys.At(0), v.Keys.At(1))
	}
}

func TestSmallEditIsASmallChange(t *testing.T) {
	text := numbered(1000)
	v := documents(t, text).saved(strings.Replace(text, "question 500,", "question D,", 1))
	wantCounts(t, v, 0, 1, 0)
	if v.Merged.Send.Rows[0].Key != "#500" || !v.Exact {
		t.Fatalf("%+v", v.Merged.Send.Rows)
	}
}

func TestInvalid(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		kind table.ProblemKind
	}{
		"empty":           {"", table.NoHeader},
		"bare quote":      {"q,a\none,1\ntw\"o,2\n", table.BareQuote},
		"open quote":      {"q,a\none,1\n\"two,2\n", table.Unterminated},
		"too many cells":  {"q,a\none,1\ntwo,2,3\nthree,3\n", table.TooManyCells},
		"too few cells":   {"q,a\none,1\ntwo,2\nfour\nthree,3\n", table.TooFewCells},
		"repeated column": {"q,q\none,1\n", table.RepeatedColumn},
		"foreign header":  {"x,y\none,5\n", table.ForeignHeader},
		"half a header":   {"q,x\none,5\nzwo,6\n", table.ForeignHeader},
		"other delimiter": {"q;a\none;1\ntwo;2\n", table.OtherDelimiter},
	} {
		t.Run(name, func(t *testing.T) {
			v := documents(t, small).saved(test.text)
			wantState(t, v, judge.Invalid)
			if v.Problem.Kind != test.kind || v.Problem.Reason == "" || v.Problem.Line == 0 {
				t.Fatalf("got %d: %v", v.Problem.Kind, v.Problem)
			}
			if !v.Merged.Send.Empty() {
				t.Fatalf("sent %+v", v.Merged.Send)
			}
		})
	}
}

func TestConfirmedHeaderBecomesTheTables(t *testing.T) {
	f := documents(t, small)
	f.Confirmed = true
	text := "x,y\neins,5\nzwei,6\n"
	v := f.saved(text)
	wantState(t, v, judge.Send)
	if _, document := f.outcome(v); document != text {
		t.Fatalf("sent %q", document)
	}
	if !slices.Equal(v.Header, []string{"x", "y"}) || !v.Exact {
		t.Fatalf("%+v", v)
	}
}

func TestConfirmedIsStillNoTable(t *testing.T) {
	for _, text := range []string{"", "q,a\ntw\"o,2\n", "q,q\n1,2\n", "x,y\n\"open,1\n"} {
		f := documents(t, small)
		f.Confirmed = true
		wantState(t, f.saved(text), judge.Invalid)
	}
}

func TestColumns(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want table.ColumnChange
	}{
		"added":   {"q,a,s\none,1,x\ntwo,2,y\nthree,3,z\n", table.ColumnChange{Op: table.AddColumn, New: "s", Position: 2}},
		"renamed": {"q,answer\none,1\ntwo,2\nthree,3\n", table.ColumnChange{Op: table.RenameColumn, Old: "a", New: "answer", Position: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			v := documents(t, small).saved(test.text)
			wantState(t, v, judge.Send)
			columns := v.Merged.Send.Columns
			if len(columns) != 1 {
				t.Fatalf("%+v", columns)
			}
			test.want.Type = columns[0].Type
			if columns[0] != test.want || !v.Exact {
				t.Fatalf("got %+v, want %+v", columns[0], test.want)
			}
		})
	}
}

func TestReadErrorIsNoVerdict(t *testing.T) {
	f := documents(t, small)
	f.L = table.Content{Source: broken{}}
	if v, err := judge.Judge(f.Input); !errors.Is(err, errBroken) {
		t.Fatalf("%v, %v", v, err)
	}
}

var errBroken = errors.New("disk on fire")

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errBroken }
func (broken) Size() int64                       { return 100 }

var _ io.ReaderAt = broken{}

// numbered is a table of n rows.
func numbered(n int) string {
	var out strings.Builder
	out.WriteString("question,answer\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&out, "question %d,answer %d\n", i, i)
	}
	return out.String()
}

// lines is a table of the header and the records i to j (from 1) of text.
func lines(text string, ranges ...[2]int) string {
	all := strings.SplitAfter(text, "\n")
	var out strings.Builder
	out.WriteString(all[0])
	for _, r := range ranges {
		out.WriteString(strings.Join(all[r[0]:r[1]+1], ""))
	}
	return out.String()
}
