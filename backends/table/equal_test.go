package table

import (
	"testing"

	"pgregory.net/rapid"
)

func TestEqualCells(t *testing.T) {
	for _, test := range []struct {
		t    Type
		a, b string
		want bool
	}{
		{Number, "0.10", "0.1", true},
		{Number, "1", "1.0", true},
		{Number, "1.50", "1.5", true},
		{Number, "1e-7", "1E-07", true},
		{Number, "1e-7", "0.0000001", true},
		{Number, "+5", "5", true},
		{Number, "-0.0", "0", true},
		{Number, " 1", "1", true},
		{Number, "1e3", "1000", true},
		{Number, "6e-04", "0.0006", true},
		{Number, "12345678901234567890", "12345678901234567890.0", true},
		{Number, "12345678901234567890", "12345678901234567891", false},
		{Number, "12345678901234567890", "1.2345678901234567e+19", false},
		{Number, "1", "2", false},
		{Number, "1", "-1", false},
		{Number, "0.813", "0.81300000000000000001", true}, // one double
		{Number, "0.813", "0.8130000000000001", false},
		{Number, "0.1234567890123456", "0.1234567890123457", true}, // noise
		{Number, "0.1234567890123456", "0.12345678902", false},
		{Number, "0.12345678901234", "0.12345678901235", false}, // 14 digits
		{Number, "0.1234567890123456", "0", false},
		{Number, "1e999999999999", "1e999999999998", false},
		{Number, "1e999999999999", "1e999999999999", true},
		{Number, "1e400", "1.0e400", true},
		{Number, "1.00000000000000000001e400", "1.00000000000000000002e400", false},
		{Number, "inf", "Infinity", true},
		{Number, "inf", "-inf", false},
		{Number, "abc", "ABC", false},
		{Number, "", "NA", true},
		{Number, "nan", "None", true},
		{Number, "", "0", false},
		{Bool, "True", "TRUE", true},
		{Bool, "true", "1", true},
		{Bool, "False", "0", true},
		{Bool, "True", "False", false},
		{Bool, "", "nan", true},
		{Bool, "", "False", false},
		{Date, "2024-01-05", "2024/01/05", true},
		{Date, "2024-01-05T00:00:00Z", "2024-01-05 00:00:00.000000", true},
		{Date, "2024-01-05T10:00:00Z", "2024-01-05T10:00:00+00:00", true},
		{Date, "2024-01-05T10:00:00Z", "2024-01-05T12:00:00+02:00", true},
		{Date, "2025-04-16T03:52:01.91574+00:00", "2025-04-16 03:52:01.915740+00:00", true},
		{Date, "2024-01-05", "2024-01-06", false},
		{Date, "2024-01-05T10:00:00.0000000001Z", "2024-01-05T10:00:00.0000000002Z", false},
		{Date, "", "NaT", true},
		{JSON, `{"a": 1, "b": [1, 2]}`, `{"b":[1,2.0],"a":1}`, true},
		{JSON, `[1,2]`, `[2,1]`, false},
		{JSON, `{"a":12345678901234567890}`, `{"a":12345678901234567891}`, false},
		{JSON, `"\u00e9"`, `"é"`, true},
		{JSON, `[1] x`, `[1]`, false},
		{JSON, "", "null", false},
		{JSON, "\"\xff\"", "\"\xfe\"", false},
		{Text, "a\r\nb", "a\nb", true},
		{Text, "a\rb", "a\nb", true},
		{Number, "a\r\nb", "a\nb", true},
		{Text, "1", "1.0", false},
		{Text, "TRUE", "true", false},
		{Text, "", "NA", false},
		{"unknown", "x", "X", false},
	} {
		if got := EqualCells(test.t, test.a, test.b); got != test.want {
			t.Errorf("EqualCells(%s, %q, %q) = %v", test.t, test.a, test.b, got)
		}
		if test.want && coarse(test.t, test.a) != coarse(test.t, test.b) && infinitySign(test.a) == 0 {
			t.Errorf("coarse(%s) of %q and %q: %q and %q", test.t, test.a, test.b,
				coarse(test.t, test.a), coarse(test.t, test.b))
		}
	}
}

// Equal cells are so both ways (but for noise), and equal to themselves.
func TestLawEqualCells(t *testing.T) {
	cell := rapid.OneOf(
		rapid.StringMatching(`[+-]?[0-9]{1,4}(\.[0-9]{0,4})?([eE][+-]?[0-9]{1,2})?`),
		rapid.SampledFrom([]string{"", "NA", "true", "TRUE", "0", "1", "2024-01-05", "2024/1/5", "[1]", "[ 1 ]", "a\nb", "a\r\nb"}),
		rapid.String())
	kinds := rapid.SampledFrom([]Type{Text, Number, Bool, Date, JSON})
	rapid.Check(t, func(t *rapid.T) {
		kind, a, b := kinds.Draw(t, "type"), cell.Draw(t, "a"), cell.Draw(t, "b")
		if !EqualCells(kind, a, a) {
			t.Fatalf("%q is not equal to itself", a)
		}
		if EqualCells(kind, a, b) != EqualCells(kind, b, a) {
			t.Fatalf("%q and %q are equal one way only", a, b)
		}
	})
}

func TestInferType(t *testing.T) {
	for _, test := range []struct {
		want  Type
		cells []string
	}{
		{Text, nil},
		{Text, []string{"", ""}},
		{Text, []string{"NA", ""}},
		{Number, []string{"1", "", "-2.5", "1e-7", "nan"}},
		{Bool, []string{"true", "FALSE", ""}},
		{Number, []string{"1", "0"}},
		{Text, []string{"1", "true"}},
		{Date, []string{"2024-01-05", "2024-01-05T10:00:00Z"}},
		{JSON, []string{"[1, 2]", "{}", ""}},
		{Text, []string{"[1, 2]", "NA"}},
		{Text, []string{"007"}},
		{Text, []string{"+5"}},
		{Text, []string{"12345678901234567890"}},
		{Text, []string{"['a', 'b']"}},
		{Text, []string{"x"}},
	} {
		if got := InferType(test.cells); got != test.want {
			t.Errorf("InferType(%q) = %s, want %s", test.cells, got, test.want)
		}
	}
}
