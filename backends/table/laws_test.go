package table

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The laws of differences and merges, on small tables with few distinct values,
// so that equal rows, equal cells, empty rows and short rows are common.

// grid is a table: the header first.
type grid [][]string

var smallCells = []string{"", "a", "b", "c", "1", "x,y", "l\nm", `q"q`}

func drawRow(t *rapid.T, width int, short bool) []string {
	n := width
	if short && rapid.IntRange(0, 5).Draw(t, "short") == 0 {
		n = rapid.IntRange(1, width).Draw(t, "cells")
	}
	row := make([]string, n)
	for i := range row {
		row[i] = rapid.SampledFrom(smallCells).Draw(t, "cell")
	}
	return row
}

func drawGrid(t *rapid.T) grid {
	width := rapid.IntRange(1, 4).Draw(t, "columns")
	names := []string{"q", "a", "s", "_row_id"}
	g := grid{names[:width]}
	for range rapid.IntRange(0, 8).Draw(t, "rows") {
		g = append(g, drawRow(t, width, true))
	}
	return g
}

// edit changes a table in a few places, as a person or a tool does.
func (g grid) edit(t *rapid.T, columns bool) grid {
	next := grid{}
	for _, row := range g {
		next = append(next, slices.Clone(row))
	}
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		next = next.editOnce(t, columns)
	}
	return next
}

func (g grid) editOnce(t *rapid.T, columns bool) grid {
	kinds := []string{"cell", "append", "insert", "delete", "move", "copy"}
	if columns {
		kinds = append(kinds, "add column", "drop column", "rename column", "move column")
	}
	width := len(g[0])
	anyRow := func() int { return rapid.IntRange(1, len(g)-1).Draw(t, "row") }
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	switch {
	case kind == "append":
		return append(g, drawRow(t, width, false))
	case kind == "insert":
		return slices.Insert(g, rapid.IntRange(1, len(g)).Draw(t, "at"), drawRow(t, width, false))
	case strings.HasSuffix(kind, "column"):
		return g.editColumn(t, kind)
	case len(g) == 1:
		return g
	case kind == "cell":
		at := anyRow()
		for len(g[at]) < width {
			g[at] = append(g[at], "")
		}
		g[at][rapid.IntRange(0, width-1).Draw(t, "column")] = rapid.SampledFrom(smallCells).Draw(t, "cell")
		return g
	case kind == "delete":
		at := anyRow()
		return slices.Delete(g, at, at+1)
	case kind == "copy":
		return slices.Insert(g, rapid.IntRange(1, len(g)).Draw(t, "at"), slices.Clone(g[anyRow()]))
	}
	at := anyRow()
	row := g[at]
	g = slices.Delete(g, at, at+1)
	return slices.Insert(g, rapid.IntRange(1, len(g)).Draw(t, "to"), row)
}

func (g grid) editColumn(t *rapid.T, kind string) grid {
	width := len(g[0])
	at := rapid.IntRange(0, width-1).Draw(t, "column")
	name := rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "name")
	for i := range g {
		for len(g[i]) < width {
			g[i] = append(g[i], "")
		}
	}
	taken := slices.Contains(g[0], name)
	for i := range g {
		switch {
		case kind == "drop column" && width > 1:
			g[i] = slices.Delete(g[i], at, at+1)
		case kind == "add column" && !taken && i == 0:
			g[i] = slices.Insert(slices.Clone(g[i]), at, name)
		case kind == "add column" && !taken:
			g[i] = slices.Insert(g[i], at, rapid.SampledFrom(smallCells).Draw(t, "cell"))
		case kind == "rename column" && !taken && i == 0:
			g[i] = slices.Clone(g[i])
			g[i][at] = name
		case kind == "move column":
			cell := g[i][at]
			g[i] = append(slices.Delete(slices.Clone(g[i]), at, at+1), cell)
		}
	}
	return g
}

func (g grid) source(t *rapid.T) Source {
	return textSource(format(t, g, rapid.SampledFrom(dialects()).Draw(t, "dialect")))
}

func (g grid) content(t *rapid.T) Content {
	return Content{Source: g.source(t), Keys: Numbered(1, len(g)-1)}
}

// rows returns the rows without regard to order and to empty cells.
func (g grid) rows() []string {
	var rows []string
	for _, row := range g[1:] {
		rows = append(rows, canonicalRow(g[0], row))
	}
	slices.Sort(rows)
	return rows
}

func rowsOf(t rapid.TB, c Content) []string {
	rows := slices.Collect(maps.Values(byKey(t, c)))
	slices.Sort(rows)
	return rows
}

func lenient(prefix string) CompareOptions {
	return CompareOptions{NewKey: counter(prefix), Lenient: true}
}

func TestLawApplyCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawGrid(t)
		after := before.edit(t, true)
		old, new := before.content(t), Content{Source: after.source(t)}
		x := mustCompare(t, old, new, lenient("n"))
		if x.Keys.Len() != len(after)-1 {
			t.Fatalf("%d keys for %d rows", x.Keys.Len(), len(after)-1)
		}
		d := rapid.SampledFrom(dialects()).Draw(t, "write")
		got := mustApply(t, old, x.Changes, ApplyOptions{Dialect: d})
		if !slices.Equal(rowsOf(t, got), after.rows()) {
			t.Fatalf("applying\n%sto\n%s\ngives\n%s\nnot\n%s", show(x.Changes), text(t, old), text(t, got), text(t, new))
		}
		// Rows keep their keys.
		if want := byKey(t, Content{Source: new.Source, Keys: x.Keys}); !maps.Equal(byKey(t, got), want) {
			t.Fatalf("rows by key are %v, not %v", byKey(t, got), want)
		}
		// Nothing is left to do.
		rest := mustCompare(t, got, Content{Source: new.Source, Keys: x.Keys}, lenient("m"))
		if !rest.Changes.Empty() {
			t.Fatalf("the difference afterwards is\n%s", show(rest.Changes))
		}
		again := mustApply(t, got, x.Changes, ApplyOptions{Dialect: d})
		if text(t, again) != text(t, got) || !again.Keys.Equal(&got.Keys) {
			t.Fatalf("applying twice gives\n%s\nnot\n%s", text(t, again), text(t, got))
		}
	})
}

func TestLawInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawGrid(t)
		old := before.content(t)
		x := mustCompare(t, old, Content{Source: before.edit(t, true).source(t)}, lenient("n")).Changes
		options := ApplyOptions{Dialect: Rendered}
		back := mustApply(t, mustApply(t, old, x, options), Inverse(x), options)
		if !maps.Equal(byKey(t, back), byKey(t, old)) {
			t.Fatalf("forth\n%sand back\n%sgives\n%s\nnot\n%s", show(x), show(Inverse(x)), text(t, back), text(t, old))
		}
	})
}

func TestLawReorderIsNoChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawGrid(t)
		after := append(grid{before[0]}, rapid.Permutation(before[1:]).Draw(t, "order")...)
		x := mustCompare(t, before.content(t), Content{Source: after.source(t)}, document())
		if !x.Changes.Empty() {
			t.Fatalf("another order is the change\n%s", show(x.Changes))
		}
	})
}

func TestLawOneEdit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawGrid(t)
		before = append(before, drawRow(t, len(before[0]), false))
		after := before.edit(t, false)[:0]
		for _, row := range before {
			after = append(after, slices.Clone(row))
		}
		row := rapid.IntRange(1, len(before)-1).Draw(t, "row")
		for len(after[row]) < len(before[0]) {
			after[row] = append(after[row], "")
		}
		after[row][rapid.IntRange(0, len(before[0])-1).Draw(t, "column")] = "edited"
		x := mustCompare(t, before.content(t), Content{Source: after.source(t)}, document())
		if a, u, d := x.Changes.Count(); a != 0 || u != 1 || d != 0 {
			t.Fatalf("one edited cell is\n%s", show(x.Changes))
		}
	})
}

// merging is a base that two sides have edited.
type merging struct {
	base, ours, theirs Content
	our, their         Changes
}

func drawMerging(t *rapid.T, columns bool) merging {
	before := drawGrid(t)
	m := merging{base: before.content(t)}
	m.ours.Source, m.theirs.Source = before.edit(t, columns).source(t), before.edit(t, columns).source(t)
	our := mustCompare(t, m.base, m.ours, lenient("our"))
	their := mustCompare(t, m.base, m.theirs, lenient("their"))
	m.our, m.ours.Keys = our.Changes, our.Keys
	m.their, m.theirs.Keys = their.Changes, their.Keys
	return m
}

func TestLawMerge(t *testing.T) {
	for _, resolution := range []Resolution{Hold, Ours, Theirs} {
		t.Run(fmt.Sprint(resolution), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkMerge(t, drawMerging(t, true), resolution) })
		})
	}
}

func checkMerge(t *rapid.T, m merging, resolution Resolution) {
	merged := Merge(m.our, m.their, func(Conflict) Resolution { return resolution }, nil)
	options := ApplyOptions{Dialect: Rendered}
	sent := byKey(t, mustApply(t, m.theirs, merged.Send, options))
	taken := byKey(t, mustApply(t, m.ours, merged.Take, options))
	document := byKey(t, mustApply(t, m.ours, merged.Document, options))
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("ours\n%stheirs\n%ssend\n%stake\n%sdocument\n%s%s", show(m.our), show(m.their),
			show(merged.Send), show(merged.Take), show(merged.Document), fmt.Sprintf(format, args...))
	}
	if !maps.Equal(sent, document) {
		fail("the store would hold %v, the document %v", sent, document)
	}
	if (resolution != Hold || len(merged.Conflicts) == 0) && !hasNameConflict(merged) && !maps.Equal(sent, taken) {
		fail("the sides end up with %v and %v", sent, taken)
	}
	// Merging again finds nothing to send but what is in conflict.
	if len(merged.Conflicts) == 0 {
		l, r := mustApply(t, m.ours, merged.Take, options), mustApply(t, m.theirs, merged.Send, options)
		if rest := mustCompare(t, l, r, lenient("x")).Changes; !rest.Empty() {
			fail("both sides differ by %s", show(rest))
		}
	}
	checkNothingLost(fail, m, merged, taken)
}

func hasNameConflict(m Merged) bool {
	return slices.ContainsFunc(m.Conflicts, func(c Conflict) bool { return c.Key == "" })
}

// checkNothingLost: a row that one side changed or added is there in the end,
// unless the other side's change of it is in conflict.
func checkNothingLost(fail func(string, ...any), m merging, merged Merged, taken map[Key]string) {
	for _, side := range []Changes{m.our, m.their} {
		for _, row := range side.Rows {
			edit := row.Op == Append
			if row.Op == Update {
				for i, j := range pairColumns(side.OldHeader, side.NewHeader, side.Columns) {
					edit = edit || j >= 0 && cellAt(row.Before, i) != cellAt(row.After, j)
				}
			}
			if _, there := taken[row.Key]; edit && !there {
				fail("row %s is lost", row.Key)
			}
		}
	}
}

func TestLawMergeIsSymmetric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMerging(t, true)
		there, back := Merge(m.our, m.their, nil, nil), Merge(m.their, m.our, nil, nil)
		if len(there.Conflicts) != len(back.Conflicts) {
			t.Fatalf("conflicts %v and %v", there.Conflicts, back.Conflicts)
		}
		if len(there.Conflicts) > 0 {
			return
		}
		options := ApplyOptions{Dialect: Rendered}
		a := byKey(t, mustApply(t, m.ours, there.Take, options))
		b := byKey(t, mustApply(t, m.theirs, back.Take, options))
		if !maps.Equal(a, b) {
			t.Fatalf("ours\n%stheirs\n%sone way %v\nother way %v", show(m.our), show(m.their), a, b)
		}
	})
}

// Edits of different rows are all there in the end.
func TestLawMergeDisjoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMerging(t, false)
		touched := map[Key]bool{}
		for _, row := range m.our.Rows {
			touched[row.Key] = true
		}
		m.their.Rows = slices.DeleteFunc(m.their.Rows, func(c Change) bool { return touched[c.Key] })
		merged := Merge(m.our, m.their, nil, nil)
		if len(merged.Conflicts) > 0 {
			t.Fatalf("disjoint edits are in conflict: %v", merged.Conflicts)
		}
		options := ApplyOptions{Dialect: Rendered}
		got := byKey(t, mustApply(t, m.ours, merged.Take, options))
		want := byKey(t, mustApply(t, mustApply(t, m.base, m.our, options), m.their, options))
		if !maps.Equal(got, want) {
			t.Fatalf("ours\n%stheirs\n%sgives %v, not %v", show(m.our), show(m.their), got, want)
		}
	})
}
