package table

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Helpers of all tests of comparing and merging.

// content makes a content with numbered keys from 1 on.
func content(t rapid.TB, text string) Content {
	t.Helper()
	found, err := Check(textSource(text))
	if err != nil {
		t.Fatal(err)
	}
	return Content{Source: textSource(text), Keys: Numbered(1, found.Records)}
}

// rowContent makes the content of a row store, whose first column is the id.
func rowContent(t rapid.TB, text string) Content {
	t.Helper()
	var keys Keys
	for i, row := range parse(t, text, blockSize).rows {
		if i > 0 {
			keys.Add(Key(row[0]))
		}
	}
	return Content{Source: textSource(text), Keys: keys}
}

// counter returns a function that makes the keys prefix1, prefix2, ...
func counter(prefix string) func() Key {
	n := 0
	return func() Key {
		n++
		return Key(fmt.Sprint(prefix, n))
	}
}

// document are the options of a document store.
func document() CompareOptions { return CompareOptions{NewKey: counter("new-")} }

// rowStore are the options of a row store whose own ids start with "r".
func rowStore(columns ...Column) CompareOptions {
	return CompareOptions{
		RowStore: true, Columns: columns, NewKey: counter("new-"),
		ForeignKey: func(id string) ForeignKey {
			switch {
			case strings.HasPrefix(id, "r"):
				return ForeignAdopt
			case strings.HasPrefix(id, "other"):
				return ForeignFresh
			}
			return ForeignRefuse
		},
	}
}

func columns(names ...string) []Column {
	var list []Column
	for _, name := range names {
		list = append(list, Column{Name: name, Type: Text})
	}
	return list
}

func mustCompare(t rapid.TB, old, new Content, opt CompareOptions) *Comparison {
	t.Helper()
	c, err := Compare(old, new, opt)
	if err != nil {
		t.Fatalf("comparing\n%s\nwith\n%s\n: %v", text(t, old), text(t, new), err)
	}
	return c
}

func mustApply(t rapid.TB, c Content, changes Changes, opt ApplyOptions) Content {
	t.Helper()
	var out bytes.Buffer
	keys, err := Apply(&out, c, changes, opt)
	if err != nil {
		t.Fatalf("applying %s to\n%s\n: %v", show(changes), text(t, c), err)
	}
	return Content{Source: textSource(out.String()), Keys: keys}
}

// text returns the bytes of a content.
func text(t rapid.TB, c Content) string {
	t.Helper()
	if c.Source == nil {
		return ""
	}
	all := make([]byte, c.Source.Size())
	if err := readFull(c.Source, 0, all); err != nil {
		t.Fatal(err)
	}
	return string(all)
}

// show renders changes as one line each: "+key cells", "-key cells" and
// "~key before -> after".
func show(c Changes) string {
	var b strings.Builder
	for _, change := range c.Columns {
		fmt.Fprintf(&b, "column %q -> %q at %d\n", change.Old, change.New, change.Position)
	}
	for _, row := range c.Rows {
		switch row.Op {
		case Append:
			fmt.Fprintf(&b, "+%s %s\n", row.Key, strings.Join(row.After, ","))
		case Update:
			fmt.Fprintf(&b, "~%s %s -> %s\n", row.Key, strings.Join(row.Before, ","), strings.Join(row.After, ","))
		case Delete:
			fmt.Fprintf(&b, "-%s %s\n", row.Key, strings.Join(row.Before, ","))
		}
	}
	return b.String()
}

// byKey returns the rows of a content by their keys, as name=cell for cells that
// are not empty; with them a content is the same up to order and dialect.
func byKey(t rapid.TB, c Content) map[Key]string {
	t.Helper()
	rows := map[Key]string{}
	lines := parse(t, text(t, c), blockSize).rows
	if len(lines) == 0 {
		return rows
	}
	if len(lines[0]) > 0 { // as in Record.Names
		lines[0][0] = strings.TrimPrefix(lines[0][0], byteOrderMark)
	}
	if len(lines)-1 != c.Keys.Len() {
		t.Fatalf("%d rows but %d keys in\n%s", len(lines)-1, c.Keys.Len(), text(t, c))
	}
	for i, line := range lines[1:] {
		if _, twice := rows[c.Keys.At(i)]; twice {
			t.Fatalf("the key %s is there twice in\n%s", c.Keys.At(i), text(t, c))
		}
		rows[c.Keys.At(i)] = canonicalRow(lines[0], line)
	}
	return rows
}

func canonicalRow(header, cells []string) string {
	var parts []string
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		name := fmt.Sprint("extra", i)
		if i < len(header) {
			name = header[i]
		}
		parts = append(parts, fmt.Sprintf("%s=%q", name, cell))
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// allKeys returns all keys as strings.
func allKeys(k Keys) []string {
	var keys []string
	for i := range k.Len() {
		keys = append(keys, string(k.At(i)))
	}
	return keys
}

func equalText(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}
