package table

import "strings"

// EqualCells reports whether two spellings of a cell mean the same in a row
// store's column of type t (facts: saves.md D4, D9 to D12; design section 5).
// a is the old cell: how far a number may be off depends on how it was spelled.
func EqualCells(t Type, a, b string) bool {
	if a == b {
		return true
	}
	a, b = unifyNewlines(a), unifyNewlines(b)
	if a == b {
		return true
	}
	switch t {
	case Number:
		return isMissing(a) && isMissing(b) || equalNumbers(a, b)
	case Bool:
		return isMissing(a) && isMissing(b) || equalBools(a, b)
	case Date:
		return isMissing(a) && isMissing(b) || equalDates(a, b)
	case JSON:
		return equalJSON(a, b)
	}
	return false
}

// unifyNewlines returns the cell with LF for every newline (saves.md D4).
func unifyNewlines(cell string) string {
	if strings.IndexByte(cell, '\r') < 0 {
		return cell
	}
	return strings.ReplaceAll(strings.ReplaceAll(cell, "\r\n", "\n"), "\r", "\n")
}

// isMissing reports whether a program wrote the cell for "no value" (saves.md
// D11). In a text column these are words like any other.
func isMissing(cell string) bool {
	switch strings.ToLower(strings.Trim(cell, " \t")) {
	case "", "na", "n/a", "nan", "null", "none", "nat", "<na>":
		return true
	}
	return false
}

// parseBool reads the spellings of saves.md D10.
func parseBool(cell string) (value, ok bool) {
	switch strings.ToLower(strings.Trim(cell, " \t")) {
	case "true", "t", "yes", "y", "1", "1.0":
		return true, true
	case "false", "f", "no", "n", "0", "0.0":
		return false, true
	}
	return false, false
}

func equalBools(a, b string) bool {
	va, okA := parseBool(a)
	vb, okB := parseBool(b)
	return okA && okB && va == vb
}

// coarseDigits is the precision of coarse numbers: cells that EqualCells takes
// for float noise nearly always have the same coarse form.
const coarseDigits = 10

// coarse returns a text that is the same for cells that are equal in a column of
// type t, and for few others. It finds rows again that a program has rewritten
// in its own spelling; whether two cells are equal, EqualCells says.
func coarse(t Type, cell string) string {
	cell = unifyNewlines(cell)
	switch t {
	case Number:
		if isMissing(cell) {
			return ""
		}
		if d, ok := parseDecimal(cell); ok {
			if d.fraction && d.exponent < 0 {
				d = d.rounded(coarseDigits)
			}
			return d.String()
		}
	case Bool:
		if isMissing(cell) {
			return ""
		}
		if value, ok := parseBool(cell); ok && value {
			return "true"
		} else if ok {
			return "false"
		}
	case Date:
		if isMissing(cell) {
			return ""
		}
		if t, ok := parseDate(cell); ok {
			return t.String()
		}
	case JSON:
		if canonical, ok := canonicalJSON(cell); ok {
			return canonical
		}
	}
	return cell
}
