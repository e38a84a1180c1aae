package table

import (
	"bytes"
	"testing"
)

// 100 MB that are equal but for one cell, or grow by a row: at memory speed.
func BenchmarkCompare(b *testing.B) {
	const rows = 1 << 20
	table := []byte(format(b, bigGrid(rows, 1), Rendered))
	edited := bytes.Clone(table)
	edited[len(edited)/2] ^= 1
	grown := append(bytes.Clone(table), "new,x,y,z,,,,\n"...)
	crlf := bytes.ReplaceAll(table, []byte("\n"), []byte("\r\n"))
	old := Content{Source: bytes.NewReader(table), Keys: Numbered(1, rows)}
	for name, test := range map[string]struct {
		text   []byte
		shared int64
	}{
		"same": {table, 0}, "one edit": {edited, 0}, "grown": {grown, 0}, "grown, known": {grown, int64(len(table))}, "CRLF": {crlf, 0},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(test.text)))
			b.ReportAllocs()
			for b.Loop() {
				opt := document()
				opt.SharedPrefix = test.shared
				got, err := Compare(old, Content{Source: bytes.NewReader(test.text)}, opt)
				if err != nil || len(got.Changes.Rows) > 2 {
					b.Fatal(err, len(got.Changes.Rows))
				}
			}
		})
	}
}

// One row changes in a large table.
func BenchmarkApply(b *testing.B) {
	const rows = 1 << 18
	g := bigGrid(rows, 1)
	table := []byte(format(b, g, Rendered))
	old := Content{Source: bytes.NewReader(table), Keys: Numbered(1, rows)}
	changes := Changes{OldHeader: g[0], NewHeader: g[0], Rows: []Change{
		{Op: Update, Key: NumberedKey(rows / 2), Before: g[rows/2], After: g[1]},
	}}
	b.SetBytes(int64(len(table)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Apply(&bytes.Buffer{}, old, changes, ApplyOptions{Dialect: Rendered}); err != nil {
			b.Fatal(err)
		}
	}
}
