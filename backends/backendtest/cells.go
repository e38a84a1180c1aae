package backendtest

import (
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

func cellRules() []rule {
	return []rule{
		{name: "CellsSurviveByteForByte", check: cellsSurvive},
		{name: "HeaderSurvivesByteForByte", check: headerSurvives},
		{name: "MissingIsNotEmpty", check: missingIsNotEmpty, needs: func(s *suite) bool { return s.PutRow != nil }},
	}
}

// strangeCells are cells that stores and codecs have lost or changed.
var strangeCells = map[string]string{
	"quotes":      `"q" and ""`,
	"comma":       "a,b",
	"LF":          "a\nb",
	"CR":          "a\rb",
	"CRLF":        "a\r\nb\r\n",
	"NUL":         "a\x00b",
	"spaces":      "  outer  ",
	"tab":         "\ta\t",
	"unicode":     "é 你好 🚀 e\u0301",
	"line sep":    "a\u2028b\u2029c\u0085d",
	"BOM":         "\ufeffx",
	"not UTF-8":   "a\xff\xfe\x80b",
	"html":        "<a href='x'>&amp;</a>",
	"JSON":        `{"k": [1, null, "x"], "a": 1.0}`,
	"number":      "0.10",
	"big number":  "12345678901234567890123456789",
	"float":       "1e-07",
	"bool":        "TRUE",
	"date":        "2025-06-30 18:23:19.123456+00:00",
	"null word":   "null",
	"None":        "None",
	"formula":     "=1+1",
	"backslash":   `C:\n\"x\"`,
	"long":        strings.Repeat("0123456789", 20_000),
	"only quote":  `"`,
	"only spaces": " ",
	"only LF":     "\n",
}

func cellsSurvive(t *testing.T, s *suite) {
	qa := s.table(t, "qa", content{header: []string{"text", "other"}})
	next := qa.content
	for name, cell := range strangeCells {
		next = next.with(row{id: "id-" + strings.ReplaceAll(name, " ", "-"), cells: []string{cell, name}})
	}
	qa.change(t, next)
	qa.check(t)
	swapped := qa.content.clone() // and the same by update
	for _, r := range swapped.rows {
		r.cells[0], r.cells[1] = r.cells[1], r.cells[0]
	}
	qa.change(t, swapped)
	qa.check(t)
}

func headerSurvives(t *testing.T, s *suite) {
	header := []string{"with space", " outer ", `quo"te`, "a,b", "ünï", "line\nbreak", "id", "data", "UPPER", "upper", "1"}
	cells := make([]string, len(header))
	for i := range cells {
		cells[i] = header[i] + "!"
	}
	s.table(t, "qa", content{header: header, rows: []row{{id: "r1", cells: cells}}}).check(t)
}

// missingIsNotEmpty: what the store tells apart stays apart, also through a
// change of another cell of the row.
func missingIsNotEmpty(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2))
	id := qa.content.rows[0].id
	put := map[string]backends.Cell{
		"question": {Text: ""},
		"answer":   {Null: true},
		"score":    {Text: "1"},
	}
	s.PutRow(t, qa.ref, id, put)
	demandCells(t, s, qa.ref, id, put)

	qa.version = ""
	qa.content = qa.content.set(0, "question", "").set(0, "answer", "").set(0, "score", "1")
	qa.change(t, qa.content.set(0, "score", "2"))
	put["score"] = backends.Cell{Text: "2"}
	demandCells(t, s, qa.ref, id, put)

	qa.change(t, qa.content.set(0, "score", "")) // the empty cell clears
	put["score"] = backends.Cell{Null: true}
	demandCells(t, s, qa.ref, id, put)
}

// demandCells demands that a row has exactly these cells, by column name.
func demandCells(t *testing.T, s *suite, ref backends.Ref, id string, want map[string]backends.Cell) {
	t.Helper()
	loaded, err := s.Backend.Load(t.Context(), ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	defer loaded.Close() //nolint:errcheck // read to the end below
	found := false
	for r, err := range loaded.Rows {
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		if r.ID != id {
			continue
		}
		found = true
		for i, column := range loaded.Columns {
			cell := backends.Cell{Null: true}
			if i < len(r.Cells) {
				cell = r.Cells[i]
			}
			if wanted, named := want[column.Name]; named && cell != wanted {
				t.Errorf("row %s, column %q: %+v, want %+v", id, column.Name, cell, wanted)
			}
		}
	}
	if !found {
		t.Errorf("row %s is not there", id)
	}
}
