package table

import (
	"strings"
	"testing"
)

func TestCompareDocument(t *testing.T) {
	const base = "q,a,s\nq1,a1,1\nq2,a2,2\nq3,a3,3\nq4,a4,4\n"
	for _, test := range []struct{ name, old, new, want string }{
		{"same", base, base, ""},
		{"edit", base, strings.Replace(base, "a2", "xx", 1), "~#2 q2,a2,2 -> q2,xx,2\n"},
		{"edit first", base, strings.Replace(base, "q1", "xx", 1), "~#1 q1,a1,1 -> xx,a1,1\n"},
		{"edit last", base, strings.Replace(base, ",4", ",5", 1), "~#4 q4,a4,4 -> q4,a4,5\n"},
		{"append", base, base + "q5,a5,5\n", "+new-1 q5,a5,5\n"},
		{"append without final newline", strings.TrimSpace(base), base + "q5,a5,5", "+new-1 q5,a5,5\n"},
		{"insert", base, strings.Replace(base, "q3", "x,y,z\nq3", 1), "+new-1 x,y,z\n"},
		{"delete", base, strings.Replace(base, "q3,a3,3\n", "", 1), "-#3 q3,a3,3\n"},
		{"delete all", base, "q,a,s\n", "-#1 q1,a1,1\n-#2 q2,a2,2\n-#3 q3,a3,3\n-#4 q4,a4,4\n"},
		{"CRLF", base, strings.ReplaceAll(base, "\n", "\r\n"), ""},
		{"BOM", base, "\ufeff" + base, ""},
		{"BOM in quotes", base, strings.Replace(base, "q", "\"\ufeffq\"", 1), ""},
		{"quotes", base, strings.ReplaceAll(base, "q1", `"q1"`), ""},
		{"blank lines", base, strings.ReplaceAll(base, "\n", "\n\n"), ""},
		{"no final newline", base, strings.TrimSpace(base), ""},
		{"reversed", base, "q,a,s\nq4,a4,4\nq3,a3,3\nq2,a2,2\nq1,a1,1\n", ""},
		{
			"CRLF and edit", base, strings.Replace(strings.ReplaceAll(base, "\n", "\r\n"), "a3", "xx", 1),
			"~#3 q3,a3,3 -> q3,xx,3\n",
		},
		{
			"delete, edit and append at once", base, "q,a,s\nq2,xx,2\nq3,a3,3\nq4,a4,4\nq5,a5,5\n",
			"~#2 q2,a2,2 -> q2,xx,2\n+new-1 q5,a5,5\n-#1 q1,a1,1\n",
		},
		{"equal rows, one deleted", "q\nA\nA\nA\n", "q\nA\nA\n", "-#3 A\n"},
		{"equal rows, neighbours tell", "q\nA\nB\nA\nC\nA\nD\n", "q\nB\nA\nC\nA\nD\nE\n", "+new-1 E\n-#1 A\n"},
		{
			"equal rows, one edited, other line ends", "q\nA\nA\nA\nA\n", "q\r\nA\r\nA\r\nB\r\nA\r\n",
			"~#3 A -> B\n",
		},
		{"short rows are padded", "q,a,s\nx\ny,,\n", "q,a,s\nx,,\ny,,\n", ""},
		{"old short row stays", "q,a\nx\ny,1\n", "q,a\nx\ny,2\n", "~#2 y,1 -> y,2\n"},
		{"old bare quote stays", "q,a\nx\"y,1\ny,1\n", "q,a\r\nx\"y,1\r\ny,2\r\n", "~#2 y,1 -> y,2\n"},
		{"column order", base, "s,q,a\n1,q1,a1\n2,q2,a2\n3,q3,a3\n4,q4,a4\n", ""},
		{
			"column added", "q,a\n1,2\n3,4\n", "q,n,a\n1,,2\n3,x,4\n",
			"column \"\" -> \"n\" at 1\n~#2 3,4 -> 3,x,4\n",
		},
		{
			"column dropped", "q,a,s\n1,2,3\n4,5,\n7,8,9\n", "q,a\n1,2\n4,5\n7,8\n",
			"column \"s\" -> \"\" at 2\n~#1 1,2,3 -> 1,2\n~#3 7,8,9 -> 7,8\n",
		},
		{"column renamed", base, strings.Replace(base, "a,s", "answer,s", 1), "column \"a\" -> \"answer\" at 1\n"},
		{"one of two columns renamed", "q,a\n1,2\n", "q,b\n1,2\n", "column \"a\" -> \"b\" at 1\n"},
		{
			"column replaced", base, "q,b,s\nq1,x,1\nq2,y,2\nq3,z,3\nq4,w,4\n",
			"column \"\" -> \"b\" at 1\ncolumn \"a\" -> \"\" at 1\n" +
				"~#1 q1,a1,1 -> q1,x,1\n~#2 q2,a2,2 -> q2,y,2\n~#3 q3,a3,3 -> q3,z,3\n~#4 q4,a4,4 -> q4,w,4\n",
		},
		{
			"known by id", "_row_id,q\nr1,A\nr2,B\nr3,C\n", "_row_id,q\nr3,X\nr1,Y\nr2,B\n",
			"~#3 r3,C -> r3,X\n~#1 r1,A -> r1,Y\n",
		},
		{
			"another id in place is another row", "_row_id,q,a\nr1,A,1\n", "_row_id,q,a\nr9,Z,9\n",
			"+new-1 r9,Z,9\n-#1 r1,A,1\n",
		},
		{"repeated ids stay", "_row_id,q\nr1,A\nr1,B\n", "_row_id,q\nr1,A\nr1,C\n", "~#2 r1,B -> r1,C\n"},
		{
			"moved and edited", "q,a,s\nq1,a1,1\nq2,a2,2\nq3,a3,3\nq4,a4,4\nq5,a5,5\n",
			"q,a,s\nq4,a4,4\nq1,a1,1\nq5,a5,5\nq3,xx,3\nq2,a2,2\n", "~#3 q3,a3,3 -> q3,xx,3\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			old, new := content(t, test.old), Content{Source: textSource(test.new)}
			got := mustCompare(t, old, new, document())
			equalText(t, "changes", show(got.Changes), test.want)
			again := Content{Source: new.Source, Keys: got.Keys}
			equalText(t, "changes by key", show(mustCompare(t, old, again, document()).Changes), test.want)
		})
	}
}

func TestCompareRowStore(t *testing.T) {
	typed := []Column{
		{Name: "q", Type: Text}, {Name: "n", Type: Number}, {Name: "b", Type: Bool}, {Name: "j", Type: JSON},
	}
	const base = "_row_id,q,n,b,j\nr1,A,0.10,True,\"[1, 2]\"\nr2,B,2,False,{}\nr3,C,,,\n"
	for _, test := range []struct{ name, new, want string }{
		{"same", base, ""},
		{"spelling", "_row_id,q,n,b,j\r\nr1,A,0.1,TRUE,\"[1,2]\"\r\nr2,B,2.0,0,{ }\r\nr3,C,NA,nan,\r\n", ""},
		{"the old spelling stays", strings.Replace(base, "A,0.10,True", "X,0.1,true", 1),
			"~r1 A,0.10,True,[1, 2] -> X,0.10,True,[1, 2]\n"},
		{"alias", strings.Replace(base, "_row_id", "X_row_id", 1), ""},
		{"id name with spaces", strings.Replace(base, "_row_id", "\" _row_id \"", 1), ""},
		{"id name with BOM", strings.Replace(base, "_row_id", "\"\ufeff_row_id\"", 1), ""},
		{"no id is a new row", base + ",D,1,,\n", "+new-1 D,1,,\n"},
		{"repeated id, equal row keeps it", base + "r1,X,1,,\n", "+new-1 X,1,,\n"},
		{"repeated id, equal row comes later", strings.Replace(base, "r1,", "r1,X,1,,\nr1,", 1), "+new-1 X,1,,\n"},
		{
			"repeated id, no equal row", strings.Replace(base, "r1,A,0.10", "r1,Y,1,,\nr1,X,5", 1),
			"~r1 A,0.10,True,[1, 2] -> Y,1,,\n+new-1 X,5,True,[1, 2]\n",
		},
		{"unknown id of this table", base + "r9,D,1,,\n", "+r9 D,1,,\n"},
		{"unknown id twice", base + "r9,D,1,,\nr9,E,1,,\n", "+r9 D,1,,\n+new-1 E,1,,\n"},
		{"id of another table", base + "other1,D,1,,\n", "+new-1 D,1,,\n"},
		{"id column dropped", "q,n,b,j\nC,,,\nA,0.1,true,\"[1,2]\"\nB,2.0,false,{}\n", ""},
		{"pandas index", ",_row_id,q,n,b,j\n0,r1,A,0.1,True,\"[1, 2]\"\n1,r2,B,2,False,{}\n2,r3,C,,,\n", ""},
		{"unnamed columns", "Unnamed: 0,_row_id,q,n,b,j,,\n0,r1,A,0.1,True,\"[1, 2]\",,\n1,r2,B,2,False,{},,\n2,r3,C,,,,,\n", ""},
		{"column added", "_row_id,q,n,b,j,new\nr1,A,0.10,True,\"[1, 2]\",5\nr2,B,2,False,{},\nr3,C,,,,\n",
			"column \"\" -> \"new\" at 4\n~r1 A,0.10,True,[1, 2] -> A,0.10,True,[1, 2],5\n"},
		{"moved", "_row_id,q,n,b,j\nr3,C,,,\nr1,A,0.10,True,\"[1, 2]\"\nr2,B,2,False,{}\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mustCompare(t, rowContent(t, base), Content{Source: textSource(test.new)}, rowStore(typed...))
			equalText(t, "changes", show(got.Changes), test.want)
		})
	}
}

func TestCompareGuessesTypes(t *testing.T) {
	old := rowContent(t, "_row_id,q\nr1,A\nr2,B\n")
	new := Content{Source: textSource("_row_id,q,n,b,d,j,t\nr1,A,1,true,2024-01-05,[1],x\nr2,B,,FALSE,2024/02/01,{},1\n")}
	got := mustCompare(t, old, new, rowStore(columns("q")...))
	want := map[string]Type{"n": Number, "b": Bool, "d": Date, "j": JSON, "t": Text}
	for _, column := range got.Changes.Columns {
		if column.Type != want[column.New] {
			t.Errorf("column %s is %s, want %s", column.New, column.Type, want[column.New])
		}
	}
	if len(got.Changes.Columns) != len(want) {
		t.Errorf("%d columns were added, want %d", len(got.Changes.Columns), len(want))
	}
}

// A buffer that was opened before its new rows had ids is saved again and again:
// the rows are added once.
func TestSameBufferTwice(t *testing.T) {
	old := rowContent(t, "_row_id,q\nr1,A\nr2,B\n")
	const buffer = "_row_id,q\nr1,A\n,N\nr2,B\n,N\nr1,copy\nother7,O\n"
	opt := rowStore(columns("q")...)
	first := mustCompare(t, old, Content{Source: textSource(buffer)}, opt)
	equalText(t, "first", show(first.Changes), "+new-1 N\n+new-2 N\n+new-3 copy\n+new-4 O\n")
	saved := Content{Source: textSource(buffer), Keys: first.Keys}

	edited := strings.Replace(strings.ReplaceAll(buffer, "\n", "\r\n"), "copy", "edited", 1)
	second := mustCompare(t, saved, Content{Source: textSource(edited)}, opt)
	equalText(t, "second", show(second.Changes), "~new-3 copy -> edited\n")

	// The same buffer, after ids have come to the file that it is compared with.
	filled := mustApply(t, saved, Changes{}, ApplyOptions{Dialect: Rendered, RowStore: true})
	equalText(t, "filled", text(t, filled), "_row_id,q\nr1,A\nnew-1,N\nr2,B\nnew-2,N\nnew-3,copy\nnew-4,O\n")
	third := mustCompare(t, filled, Content{Source: textSource("_row_id,q\nr1,A\n,N\nr2,B\n,N\n")}, opt)
	equalText(t, "third", show(third.Changes), "-new-3 copy\n-new-4 O\n")
}

func TestCompareFlags(t *testing.T) {
	old := content(t, "q\n1\n2\n3\n4\n")
	for _, test := range []struct {
		name, new       string
		reordered, same bool
		tail            int
	}{
		{"same", "q\n1\n2\n3\n4\n", false, true, 0},
		{"dialect", "q\r\n1\r\n2\r\n3\r\n4\r\n", false, false, 0},
		{"cut", "q\n1\n2\n", false, false, 2},
		{"hole", "q\n1\n4\n", false, false, 0},
		{"cut and dialect", "q\r\n1\r\n", false, false, 3},
		{"moved", "q\n2\n1\n3\n4\n", true, false, 0},
		{"moved and cut", "q\n2\n1\n3\n", true, false, 1},
	} {
		got := mustCompare(t, old, Content{Source: textSource(test.new)}, document())
		if got.Reordered != test.reordered || got.SameBytes != test.same || got.Tail != test.tail {
			t.Errorf("%s: Reordered %v, SameBytes %v, Tail %d", test.name, got.Reordered, got.SameBytes, got.Tail)
		}
	}
}

func TestCompareNewTable(t *testing.T) {
	got := mustCompare(t, Content{}, Content{Source: textSource("q,n\nA,1\nB,2\n")}, rowStore())
	equalText(t, "changes", show(got.Changes),
		"column \"\" -> \"q\" at 0\ncolumn \"\" -> \"n\" at 1\n+new-1 A,1\n+new-2 B,2\n")
	if got.Changes.OldHeader != nil || got.Changes.Columns[1].Type != Number || got.SameBytes {
		t.Errorf("OldHeader %q, type %s, SameBytes %v", got.Changes.OldHeader, got.Changes.Columns[1].Type, got.SameBytes)
	}
	made := mustApply(t, Content{}, got.Changes, ApplyOptions{Dialect: Rendered})
	equalText(t, "applied to nothing", text(t, made), "q,n\nA,1\nB,2\n")
}

func TestSharedPrefix(t *testing.T) {
	const base = "q,a\n1,2\n3,4\n"
	for _, shared := range []int64{4, 8, 12} {
		opt := document()
		opt.SharedPrefix = shared
		got := mustCompare(t, content(t, base), Content{Source: textSource(base + "5,6\n")}, opt)
		equalText(t, "changes", show(got.Changes), "+new-1 5,6\n")
		equalText(t, "keys", strings.Join(allKeys(got.Keys), " "), "#1 #2 new-1")
	}
}

func TestCompareByKey(t *testing.T) {
	old := Content{Source: textSource("q\nA\nA\nB\nB\n"), Keys: KeysOf("a", "b", "c", "d")}
	new := Content{Source: textSource("q\nA\nA\nB\nB\n"), Keys: KeysOf("b", "x", "c", "e")}
	got := mustCompare(t, old, new, document())
	equalText(t, "changes", show(got.Changes), "+x A\n+e B\n-a A\n-d B\n")
	if !got.SameBytes || got.Tail != 1 {
		t.Errorf("SameBytes %v, Tail %d", got.SameBytes, got.Tail)
	}
}

func TestWrongKeys(t *testing.T) {
	old := Content{Source: textSource("q\n1\n2\n"), Keys: Numbered(1, 1)}
	if _, err := Compare(old, Content{Source: textSource("q\n2\n1\n")}, document()); err == nil {
		t.Error("too few keys of old were accepted")
	}
	old.Keys = Numbered(1, 3)
	if _, err := Compare(old, Content{Source: textSource("q\n2\n1")}, document()); err == nil {
		t.Error("too many keys of old were accepted")
	}
	for n := range 5 {
		wrong := Content{Source: textSource("q\n1\n2\n"), Keys: Numbered(1, n)}
		if _, err := Apply(&strings.Builder{}, wrong, Changes{}, ApplyOptions{}); (err == nil) != (n == 2) {
			t.Errorf("Apply with %d keys for 2 records: %v", n, err)
		}
	}
}
