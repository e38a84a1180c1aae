package table

import (
	"testing"
)

// FuzzText reads anything as a table: nothing panics, all ways of reading agree,
// and what is read can be written again.
func FuzzText(f *testing.F) {
	for _, text := range difficultTexts() {
		if len(text) < 1000 { // the engine takes minutes to make a long one shorter
			f.Add(text, 7)
		}
	}
	f.Fuzz(func(t *testing.T, text string, block int) {
		block = 1 + (block&0xffff)%64
		p := parse(t, text, block)
		equalRows(t, "blocks make a difference", p.rows, parse(t, text, blockSize).rows)
		spans := spansOf(t, text, 0, int64(len(text)), Dialect{}, block)
		if len(spans) != len(p.records) {
			t.Fatalf("%d spans of %d records", len(spans), len(p.records))
		}
		agrees(t, text)
		reproduces(t, text)
		rows := p.rows
		if len(rows) > 0 && len(rows[0]) == 0 {
			rows = rows[1:] // a blank line that stands for a header can't be written
		}
		equalRows(t, "written and read", parse(t, format(t, rows, p.dialect), blockSize).rows, rows)
	})
}

// FuzzPython compares the cells with Python's.
func FuzzPython(f *testing.F) {
	python := newOracle(f)
	for _, text := range difficultTexts() {
		if len(text) < 1000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		equalRows(t, "cells", parse(t, text, blockSize).rows, python.read(t, text))
	})
}

// FuzzRows writes any rows in any dialect and reads them again.
func FuzzRows(f *testing.F) {
	f.Add("a", "", "1,\n", "\"", 3, 0)
	f.Add("\ufeff", "\r", " ", ";", 7, 2)
	all := dialects()
	f.Fuzz(func(t *testing.T, a, b, c, d string, dialect, columns int) {
		cells := []string{a, b, c, d, c, a, b, d}
		var rows [][]string
		for width := 1 + (columns&0xff)%4; len(cells) > 0; cells = cells[min(width, len(cells)):] {
			rows = append(rows, cells[:min(width, len(cells))])
		}
		text := format(t, rows, all[(dialect&0xffff)%len(all)])
		equalRows(t, text, parse(t, text, blockSize).rows, rows)
	})
}
