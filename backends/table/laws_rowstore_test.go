package table

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rowGrid draws a row store's table as it is rendered: ids first.
func rowGrid(t *rapid.T) grid {
	g := grid{{"_row_id", "q", "n"}}
	for i := range rapid.IntRange(0, 7).Draw(t, "rows") {
		g = append(g, []string{
			fmt.Sprint("r", i), rapid.SampledFrom([]string{"", "a", "b", "l\nm"}).Draw(t, "q"),
			rapid.SampledFrom([]string{"", "1", "0.50", "1e3"}).Draw(t, "n"),
		})
	}
	return g
}

// editRows edits a row store's table, its ids and its spelling too.
func (g grid) editRows(t *rapid.T) grid {
	next := grid{}
	for _, row := range g {
		next = append(next, slices.Clone(row))
	}
	spelling := map[string]string{"1": "1.0", "0.50": ".5", "1e3": "1000", "": "NaN", "l\nm": "l\r\nm"}
	for range rapid.IntRange(0, 5).Draw(t, "edits") {
		kind := rapid.SampledFrom([]string{"cell", "spelling", "new", "delete", "move", "copy", "clear id", "foreign"}).Draw(t, "kind")
		fresh := []string{"", rapid.SampledFrom([]string{"a", "new"}).Draw(t, "q"), "7"}
		if kind == "new" || kind == "foreign" || len(next) == 1 {
			if kind == "foreign" {
				fresh[0] = rapid.SampledFrom([]string{"r90", "r91", "other1"}).Draw(t, "id")
			}
			next = slices.Insert(next, rapid.IntRange(1, len(next)).Draw(t, "at"), fresh)
			continue
		}
		at := rapid.IntRange(1, len(next)-1).Draw(t, "row")
		row := next[at]
		switch kind {
		case "cell":
			row[1] = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "to")
		case "spelling":
			for i := 2; i < len(row); i++ {
				if other, ok := spelling[row[i]]; ok {
					row[i] = other
				}
			}
		case "clear id":
			row[0] = ""
		case "delete":
			next = slices.Delete(next, at, at+1)
		case "move":
			next = slices.Delete(next, at, at+1)
			next = slices.Insert(next, rapid.IntRange(1, len(next)).Draw(t, "to"), row)
		case "copy":
			next = slices.Insert(next, rapid.IntRange(1, len(next)).Draw(t, "to"), slices.Clone(row))
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "drop ids") == 0 {
		for i := range next {
			next[i] = next[i][1:]
		}
	}
	return next
}

// meaning returns rows by key, with numbers and newlines in one spelling.
func meaning(t rapid.TB, c Content) map[Key]string {
	t.Helper()
	rows := map[Key]string{}
	lines := parse(t, text(t, c), blockSize).rows
	for i, line := range lines[1:] {
		cells := line[len(line)-2:]
		rows[c.Keys.At(i)] = fmt.Sprintf("%q %q", coarse(Text, cells[0]), coarse(Number, cells[1]))
	}
	if len(rows) != len(lines)-1 {
		t.Fatalf("keys repeat: %q", allKeys(c.Keys))
	}
	return rows
}

func TestLawRowStore(t *testing.T) {
	known := []Column{{Name: "q", Type: Text}, {Name: "n", Type: Number}}
	rapid.Check(t, func(t *rapid.T) {
		before := rowGrid(t)
		after := before.editRows(t)
		old := rowContent(t, format(t, before, Rendered))
		new := Content{Source: after.source(t)}
		opt := rowStore(known...)
		x := mustCompare(t, old, new, opt)
		new.Keys = x.Keys
		options := ApplyOptions{Dialect: Rendered, RowStore: true}
		got := mustApply(t, old, x.Changes, options)
		if want := meaning(t, new); !maps.Equal(meaning(t, got), want) {
			t.Fatalf("applying\n%sto\n%s\ngives\n%s\nnot %v", show(x.Changes), text(t, old), text(t, got), want)
		}
		if again := mustApply(t, got, x.Changes, options); text(t, again) != text(t, got) {
			t.Fatalf("applying twice gives\n%s\nnot\n%s", text(t, again), text(t, got))
		}
		back := mustApply(t, got, Inverse(x.Changes), options)
		if !maps.Equal(byKey(t, back), byKey(t, old)) {
			t.Fatalf("forth and back gives\n%s\nnot\n%s", text(t, back), text(t, old))
		}
		checkIDs(t, before, after, x)
		// The same buffer again adds nothing, nor does what Apply made of it.
		rest := mustCompare(t, new, Content{Source: new.Source}, opt)
		if !rest.Changes.Empty() || !rest.Keys.Equal(&new.Keys) {
			t.Fatalf("the same buffer again is\n%s", show(rest.Changes))
		}
		filled := mustApply(t, new, Changes{}, options)
		if rest := mustCompare(t, filled, new, opt).Changes; !rest.Empty() {
			t.Fatalf("filling in ids is\n%s", show(rest))
		}
		if rest := mustCompare(t, got, Content{Source: filled.Source}, opt); len(after[0]) == 3 && !rest.Changes.Empty() {
			t.Fatalf("the file with its ids differs from the store by\n%s", show(rest.Changes))
		}
	})
}

// checkIDs: a row that shows a known id once is that row.
func checkIDs(t *rapid.T, before, after grid, x *Comparison) {
	if len(after[0]) < 3 {
		return
	}
	shown := map[string]int{}
	for _, row := range after[1:] {
		shown[row[0]]++
	}
	for i, row := range after[1:] {
		id := row[0]
		known := slices.ContainsFunc(before[1:], func(r []string) bool { return r[0] == id })
		if id != "" && shown[id] == 1 && (known || strings.HasPrefix(id, "r")) && x.Keys.At(i) != Key(id) {
			t.Fatalf("row %q got the key %s", row, x.Keys.At(i))
		}
		if strings.HasPrefix(id, "other") && x.Keys.At(i) == Key(id) {
			t.Fatalf("the id %s of another table was taken over", id)
		}
	}
}
