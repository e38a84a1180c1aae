package table

import (
	"math"
	"strconv"
	"strings"
)

// decimal is a number as it is spelled, without loss: digits * 10^exponent,
// without leading and trailing zeros in digits. Zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exponent int
	// fraction: it was spelled with a point or an exponent.
	fraction bool
}

// maxExponent bounds exponents; what is beyond is no number for us.
const maxExponent = 1_000_000

// parseDecimal reads what JSON, Python, R and spreadsheets write for a finite
// number: sign, digits with or without a point, exponent, spaces around.
func parseDecimal(text string) (d decimal, ok bool) {
	text = strings.Trim(text, " \t")
	if text != "" && (text[0] == '+' || text[0] == '-') {
		d.negative = text[0] == '-'
		text = text[1:]
	}
	mantissa := text
	if e := strings.IndexAny(text, "eE"); e >= 0 {
		exponent, err := strconv.Atoi(text[e+1:])
		if err != nil || exponent > maxExponent || exponent < -maxExponent {
			return decimal{}, false
		}
		mantissa, d.exponent, d.fraction = text[:e], exponent, true
	}
	whole, part, point := strings.Cut(mantissa, ".")
	if whole+part == "" || !allDigits(whole) || !allDigits(part) {
		return decimal{}, false
	}
	d.fraction = d.fraction || point
	d.exponent -= len(part)
	d.digits = strings.TrimLeft(whole+part, "0")
	trimmed := strings.TrimRight(d.digits, "0")
	d.exponent += len(d.digits) - len(trimmed)
	d.digits = trimmed
	if d.digits == "" { // -0.0 is 0
		d.negative, d.exponent = false, 0
	}
	return d, true
}

func allDigits(text string) bool {
	for _, c := range []byte(text) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// sameValue reports whether two decimals are the same number, exactly.
func (d decimal) sameValue(other decimal) bool {
	return d.negative == other.negative && d.digits == other.digits && d.exponent == other.exponent
}

// String returns one spelling for all spellings of the number.
func (d decimal) String() string {
	sign := ""
	if d.negative {
		sign = "-"
	}
	return sign + d.digits + "e" + strconv.Itoa(d.exponent)
}

// rounded returns the number with at most that many significant digits (18 or less).
func (d decimal) rounded(digits int) decimal {
	if len(d.digits) <= digits {
		return d
	}
	head, err := strconv.ParseUint(d.digits[:digits], 10, 64)
	if err != nil {
		return d
	}
	if d.digits[digits] >= '5' {
		head++
	}
	d.exponent += len(d.digits) - digits
	d.digits = strconv.FormatUint(head, 10)
	trimmed := strings.TrimRight(d.digits, "0")
	d.exponent += len(d.digits) - len(trimmed)
	d.digits = trimmed
	return d
}

func (d decimal) float() float64 {
	f, err := strconv.ParseFloat(d.String(), 64)
	if err != nil || d.digits == "" {
		return 0 // out of range: never taken for noise, see isNoise
	}
	return f
}

// How programs spoil floats when they read and write them (saves.md D9).
const (
	// noise is the largest relative error that pandas' float parser makes.
	noise = 2e-12
	// noisyDigits: only numbers with that many digits are spoilt at all.
	noisyDigits = 15
)

// isNoise reports whether a program that read a may have written b without
// meaning to change it. Integers are never noise.
func isNoise(a, b decimal) bool {
	if !a.fraction || !b.fraction || a.digits == "" || b.digits == "" {
		return false
	}
	fa, fb := a.float(), b.float()
	if fa == 0 || fb == 0 {
		return false
	}
	if fa == fb {
		return true // one double, printed with more or fewer digits (gnumeric)
	}
	return len(a.digits) >= noisyDigits && math.Abs(fa-fb) <= noise*max(math.Abs(fa), math.Abs(fb))
}

// equalNumbers compares cells of a Number column; a is the old one.
func equalNumbers(a, b string) bool {
	da, okA := parseDecimal(a)
	db, okB := parseDecimal(b)
	if okA && okB {
		return da.sameValue(db) || isNoise(da, db)
	}
	infinity := infinitySign(a)
	return infinity != 0 && infinity == infinitySign(b)
}

// infinitySign returns 1 or -1 if the text is an infinity, else 0.
func infinitySign(text string) int {
	switch strings.ToLower(strings.Trim(text, " \t")) {
	case "inf", "+inf", "infinity", "+infinity":
		return 1
	case "-inf", "-infinity":
		return -1
	}
	return 0
}
