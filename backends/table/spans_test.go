package table

import (
	"errors"
	"io"
	"testing"

	"pgregory.net/rapid"
)

func spansOf(t rapid.TB, text string, from, to int64, d Dialect, block int) []Span {
	t.Helper()
	spans := NewSpans(textSource(text), from, to, d)
	spans.scan.block = block
	var all []Span
	for {
		span, err := spans.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, span)
	}
}

// Spans say of every record what Reader says, whatever the size of the blocks.
func TestSpansAgreeWithReader(t *testing.T) {
	check := func(t rapid.TB, text string, block int) {
		p := parse(t, text, blockSize)
		spans := spansOf(t, text, 0, int64(len(text)), Dialect{}, block)
		if len(spans) != len(p.records) {
			t.Fatalf("%q: %d spans, want %d", text, len(spans), len(p.records))
		}
		for i, span := range spans {
			record := p.records[i]
			var kind ProblemKind
			if record.Problem != nil {
				kind = record.Problem.Kind
			}
			if span.Start != record.Start || span.End != record.End || span.Line != record.Line ||
				span.Cells != len(p.rows[i]) || span.Ended != record.Ended || span.Problem != kind {
				t.Fatalf("%q: span is %+v, record is %+v with cells %q", text, span, record, p.rows[i])
			}
		}
	}
	for _, text := range difficultTexts() {
		for _, block := range []int{1, 2, 3, 7, blockSize} {
			check(t, text, block)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, anyText().Draw(t, "text"), rapid.IntRange(1, 40).Draw(t, "block"))
	})
}

func TestSpansOfAPart(t *testing.T) {
	text := "a,b\n1,\"x\ny\"\n\n2,z\n3,z"
	d := Dialect{EOL: "\n"}
	for from, want := range map[int64]map[int64]int{
		0:  {0: 0, 1: 1, 4: 1, 5: 2, 13: 2, 14: 3, 100: 4},
		4:  {4: 0, 5: 1, 13: 1, 14: 2, 100: 3},
		13: {13: 0, 14: 1, 17: 1, 18: 2},
	} {
		for to, records := range want {
			if got := len(spansOf(t, text, from, to, d, blockSize)); got != records {
				t.Errorf("from %d to %d: %d spans, want %d", from, to, got, records)
			}
			if from == 0 {
				records = max(records-1, 0)
			}
			got, err := CountRecords(textSource(text), from, to, d)
			if err != nil {
				t.Fatal(err)
			}
			if got != records {
				t.Errorf("from %d to %d: %d records, want %d", from, to, got, records)
			}
		}
	}
}

// A boundary lies where a record ended for a reader that saw no more, and a
// reader that goes on there sees what is left.
func TestBoundary(t *testing.T) {
	check := func(t rapid.TB, text string) {
		p := parse(t, text, blockSize)
		for at := range int64(len(text) + 1) {
			place, err := Boundary(textSource(text), Place{}, at, p.dialect)
			if err != nil {
				t.Fatal(err)
			}
			if place.Offset > at {
				t.Fatalf("%q: boundary %d is behind %d", text, place.Offset, at)
			}
			if place.Offset == 0 {
				if len(p.records) > 1 && p.records[1].Start <= at {
					t.Fatalf("%q: no boundary up to %d", text, at)
				}
				continue
			}
			rest := readAll(t, NewReader(textSource(text), place.Offset, p.dialect))
			equalRows(t, text, rest.rows, p.rows[1+place.Records:])
			if place.Records+1 < len(p.records) && p.records[place.Records+1].Start <= at &&
				p.records[place.Records+1].End <= at && p.records[place.Records+1].Ended {
				t.Fatalf("%q: boundary up to %d is %+v, not the last", text, at, place)
			}
			further, err := Boundary(textSource(text), place, int64(len(text)), p.dialect)
			if err != nil {
				t.Fatal(err)
			}
			direct, err := Boundary(textSource(text), Place{Line: 1}, int64(len(text)), p.dialect)
			if err != nil {
				t.Fatal(err)
			}
			// They may have blank lines between them.
			if further.Records != direct.Records {
				t.Fatalf("%q: boundary by way of %+v is %+v, direct %+v", text, place, further, direct)
			}
		}
	}
	for _, text := range difficultTexts() {
		if len(text) < 1000 {
			check(t, text)
		}
	}
	rapid.Check(t, func(t *rapid.T) { check(t, anyText().Draw(t, "text")) })
}
