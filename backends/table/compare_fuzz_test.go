package table

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

// Whatever two texts hold: no panic, no error but a Problem, and the difference
// leads from one to the other.
func FuzzCompare(f *testing.F) {
	texts := difficultTexts()
	for i, text := range texts {
		f.Add(text, texts[(i+7)%len(texts)], i%2 == 0)
		f.Add(text, strings.ReplaceAll(text, "\n", "\r\n"), i%3 == 0)
	}
	f.Fuzz(func(t *testing.T, before, after string, row bool) {
		old, new := content(t, before), Content{Source: textSource(after)}
		opt := document()
		if row {
			opt = rowStore(columns("a", "b")...)
			opt.ForeignKey = func(string) ForeignKey { return ForeignAdopt }
		}
		for _, opt.Lenient = range []bool{false, true} {
			got, err := Compare(old, new, opt)
			var problem *Problem
			if err != nil {
				if !errors.As(err, &problem) {
					t.Fatal(err)
				}
				checkProblem(t, problem, after)
				continue
			}
			if row {
				continue // cells without a column are left out
			}
			new.Keys = got.Keys
			applied := mustApply(t, old, got.Changes, ApplyOptions{Dialect: Rendered})
			if repeated(got.Changes.NewHeader) < 0 && repeated(got.Changes.OldHeader) < 0 &&
				!maps.Equal(byKey(t, applied), byKey(t, new)) {
				t.Fatalf("applying\n%sto\n%q gives\n%q, not\n%q", show(got.Changes), before, text(t, applied), after)
			}
			new.Keys = Keys{}
		}
	})
}

func checkProblem(t *testing.T, p *Problem, text string) {
	t.Helper()
	if p.Kind == 0 || p.Reason == "" || p.Line < 1 || p.Column < 1 || p.Line > 1+strings.Count(text, "\n")+strings.Count(text, "\r") {
		t.Fatalf("an odd problem of %q: kind %d, %v", text, p.Kind, p)
	}
}

// ReadKeys of anything: no panic, and what it accepts can be used.
func FuzzReadKeys(f *testing.F) {
	for _, keys := range []Keys{{}, Numbered(1, 9), KeysOf("a", "#7", "\n")} {
		var file strings.Builder
		if _, err := keys.WriteTo(&file); err != nil {
			f.Fatal(err)
		}
		f.Add(file.String())
	}
	f.Fuzz(func(t *testing.T, file string) {
		keys, err := ReadKeys(strings.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrDamagedKeys) {
				t.Fatal(err)
			}
			return
		}
		if n := keys.Len(); n > 0 {
			keys.At(0)
			keys.At(n - 1)
		}
	})
}

// Cells of any kind: no panic, and a cell is equal to itself.
func FuzzEqualCells(f *testing.F) {
	f.Add("0.10", "1e5")
	f.Add("2024-01-05T10:00:00.5Z", "[1, {\"a\": null}]")
	f.Add("-.e", "1e-999999")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, kind := range []Type{Text, Number, Bool, Date, JSON} {
			if !EqualCells(kind, a, a) || EqualCells(kind, a, b) != EqualCells(kind, b, a) && kind != Number {
				t.Fatalf("%s: %q and %q", kind, a, b)
			}
			coarse(kind, a)
		}
		InferType([]string{a, b})
	})
}
