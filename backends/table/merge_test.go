package table

import (
	"fmt"
	"strings"
	"testing"
)

// mergeTexts merges what two texts made of a base.
func mergeTexts(t *testing.T, base, ours, theirs string, resolve func(Conflict) Resolution) (Merged, Content, Content) {
	t.Helper()
	old := content(t, base)
	opt := document()
	l, r := Content{Source: textSource(ours)}, Content{Source: textSource(theirs)}
	our := mustCompare(t, old, l, opt)
	their := mustCompare(t, old, r, opt)
	l.Keys, r.Keys = our.Keys, their.Keys
	return Merge(our.Changes, their.Changes, resolve, nil), l, r
}

func TestMerge(t *testing.T) {
	const base = "q,a,s\nq1,a1,1\nq2,a2,2\nq3,a3,3\n"
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(base) }
	for _, test := range []struct{ name, ours, theirs, send, take string }{
		{"nothing", base, base, "", ""},
		{"ours", replace("a1", "x"), base, "~#1 q1,a1,1 -> q1,x,1\n", ""},
		{"theirs", base, replace("a1", "x"), "", "~#1 q1,a1,1 -> q1,x,1\n"},
		{"two cells of a row", replace("a1", "x"), replace("q1", "y"), "~#1 y,a1,1 -> y,x,1\n", "~#1 q1,x,1 -> y,x,1\n"},
		{"the same cell, equally", replace("a1", "x"), replace("a1", "x"), "", ""},
		{"both delete", replace("q1,a1,1\n", ""), replace("q1,a1,1\n", ""), "", ""},
		{"our edit beats their delete", replace("a1", "x"), replace("q1,a1,1\n", ""), "+#1 q1,x,1\n", ""},
		{"their edit beats our delete", replace("q1,a1,1\n", ""), replace("a1", "x"), "", "+#1 q1,x,1\n"},
		{"both append an equal row", base + "n,n,n\n", base + "n,n,n\n", "+new-1 n,n,n\n", "+new-2 n,n,n\n"},
		{
			"our column, their edit", "q,a,s,n\nq1,a1,1,x\nq2,a2,2,\nq3,a3,3,\n", replace("a1", "y"),
			"column \"\" -> \"n\" at 3\n~#1 q1,y,1 -> q1,y,1,x\n", "~#1 q1,a1,1,x -> q1,y,1,x\n",
		},
		{
			"our rename, their edit", replace("q,a,s", "q,answer,s"), replace("a1", "y"),
			"column \"a\" -> \"answer\" at 1\n", "~#1 q1,a1,1 -> q1,y,1\n",
		},
		{
			"our drop, their edit elsewhere", "q,s\nq1,1\nq2,2\nq3,3\n", replace("q1", "y"),
			"column \"a\" -> \"\" at 1\n~#1 y,a1,1 -> y,1\n~#2 q2,a2,2 -> q2,2\n~#3 q3,a3,3 -> q3,3\n", "~#1 q1,1 -> y,1\n",
		},
		{
			"our drop, their edit of it", "q,s\nq1,1\nq2,2\nq3,3\n", replace("a1", "y"),
			"", "column \"\" -> \"a\" at 1\n~#1 q1,1 -> q1,y,1\n~#2 q2,2 -> q2,a2,2\n~#3 q3,3 -> q3,a3,3\n",
		},
		{
			"both add a column", "q,a,s,n\nq1,a1,1,x\nq2,a2,2,\nq3,a3,3,\n", "q,a,s,n\nq1,a1,1,\nq2,a2,2,y\nq3,a3,3,\n",
			"~#1 q1,a1,1, -> q1,a1,1,x\n", "~#2 q2,a2,2, -> q2,a2,2,y\n",
		},
		{
			"our columns without a name", "q,a,s,,\nq1,a1,1,,\nq2,a2,2,x,z\nq3,a3,3,,\n", replace("a1", "y"),
			"column \"\" -> \"\" at 3\ncolumn \"\" -> \"\" at 4\n~#2 q2,a2,2 -> q2,a2,2,x,z\n", "~#1 q1,a1,1,, -> q1,y,1,,\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			merged, l, r := mergeTexts(t, base, test.ours, test.theirs, nil)
			equalText(t, "send", show(merged.Send), test.send)
			equalText(t, "take", show(merged.Take), test.take)
			equalText(t, "document", show(merged.Document), test.take)
			if len(merged.Conflicts) > 0 {
				t.Errorf("conflicts %v", merged.Conflicts)
			}
			options := ApplyOptions{Dialect: Rendered}
			a, b := mustApply(t, l, merged.Take, options), mustApply(t, r, merged.Send, options)
			equalText(t, "both ways", fmt.Sprint(byKey(t, a)), fmt.Sprint(byKey(t, b)))
		})
	}
}

func TestMergeConflict(t *testing.T) {
	const base, ours, theirs = "q,a\nq1,a1\nq2,a2\n", "q,a\nX,our\nq2,a2\n", "q,a\nq1,their\nY,a2\n"
	for _, test := range []struct {
		resolution           Resolution
		send, take, document string
	}{
		{Hold, "~#1 q1,their -> X,their\n", "~#2 q2,a2 -> Y,a2\n", "~#1 X,our -> X,their\n~#2 q2,a2 -> Y,a2\n"},
		{Ours, "~#1 q1,their -> X,our\n", "~#2 q2,a2 -> Y,a2\n", "~#2 q2,a2 -> Y,a2\n"},
		{Theirs, "~#1 q1,their -> X,their\n", "~#1 X,our -> X,their\n~#2 q2,a2 -> Y,a2\n", "~#1 X,our -> X,their\n~#2 q2,a2 -> Y,a2\n"},
	} {
		merged, _, _ := mergeTexts(t, base, ours, theirs, func(Conflict) Resolution { return test.resolution })
		equalText(t, "send", show(merged.Send), test.send)
		equalText(t, "take", show(merged.Take), test.take)
		equalText(t, "document", show(merged.Document), test.document)
		equalText(t, "conflicts", fmt.Sprint(merged.Conflicts), "[{#1 a a1 our their}]")
	}
}

// Both sides have a row under one id that the base does not have.
func TestMergeSameNewID(t *testing.T) {
	header := []string{"q", "a"}
	add := func(cells ...string) Changes {
		return Changes{OldHeader: header, NewHeader: header, Rows: []Change{{Op: Append, Key: "r9", After: cells}}}
	}
	equal := Merge(add("1", "x"), add("1.0", "x"), nil, func(_, a, b string) bool { return EqualCells(Number, a, b) })
	if !equal.Send.Empty() || !equal.Take.Empty() || len(equal.Conflicts) > 0 {
		t.Errorf("equal rows: send %s take %s conflicts %v", show(equal.Send), show(equal.Take), equal.Conflicts)
	}
	held := Merge(add("1", "x"), add("1", "y,z"), nil, nil)
	equalText(t, "conflict", fmt.Sprintf("%q", held.Conflicts), `[{"r9" "" "" "1,x" "1,\"y,z\""}]`)
	if !held.Send.Empty() || !held.Take.Empty() {
		t.Errorf("held: send %s take %s", show(held.Send), show(held.Take))
	}
	equalText(t, "document", show(held.Document), "~r9 1,x -> 1,y,z\n")
}

// Rows that both sides add at the end: those from elsewhere come last.
func TestMergeOrder(t *testing.T) {
	const base = "q\n1\n2\n"
	merged, l, r := mergeTexts(t, base, "q\n1\nour0\n2\nour1\nour2\n", "q\n1\n2\ntheir1\ntheir2\n", nil)
	options := ApplyOptions{Dialect: Rendered}
	want := "q\n1\nour0\n2\nour1\nour2\ntheir1\ntheir2\n"
	equalText(t, "taken", text(t, mustApply(t, l, merged.Take, options)), want)
	equalText(t, "sent", text(t, mustApply(t, r, merged.Send, options)), want)
}

func TestApplyKeepsBytes(t *testing.T) {
	const text1 = "\ufeffq,\"a\"\r\n\r\n\"1\",x\r\n2,\"y\"\n\n\n3,z"
	old := content(t, text1)
	d := Dialect{BOM: true, EOL: "\r\n"}
	equalText(t, "no change", text(t, mustApply(t, old, Changes{}, ApplyOptions{Dialect: d})), text1)
	header := []string{"q", "a"}
	edit := Changes{OldHeader: header, NewHeader: header, Rows: []Change{
		{Op: Update, Key: "#2", Before: []string{"2", "y"}, After: []string{"2", "Y"}},
	}}
	equalText(t, "edit", text(t, mustApply(t, old, edit, ApplyOptions{Dialect: d})), "\ufeffq,\"a\"\r\n\r\n\"1\",x\r\n2,Y\r\n3,z")
}
