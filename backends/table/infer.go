package table

import "strings"

// InferType guesses the type of a new column from its cells: the narrowest
// type that all cells which are not empty have, Text if there is none.
func InferType(cells []string) Type {
	var guess typeGuess
	for _, cell := range cells {
		guess.see(cell)
	}
	return guess.result()
}

// typeGuess infers a type cell by cell.
type typeGuess struct {
	values                               bool // a cell that is not empty and no word for "missing"
	notNumber, notBool, notDate, notJSON bool
}

// see takes one cell into account.
func (g *typeGuess) see(cell string) {
	if isMissing(cell) {
		// "NA" may stand in a column of numbers, but it is no JSON.
		g.notJSON = g.notJSON || cell != ""
		return
	}
	g.values = true
	g.notNumber = g.notNumber || !looksNumeric(cell)
	g.notBool = g.notBool || !strings.EqualFold(cell, "true") && !strings.EqualFold(cell, "false")
	if !g.notDate {
		_, isDate := parseDate(cell)
		g.notDate = !isDate
	}
	if !g.notJSON {
		g.notJSON = !looksStructured(cell)
	}
}

// result returns the guess from the cells seen so far.
func (g *typeGuess) result() Type {
	switch {
	case !g.values:
		return Text
	case !g.notBool:
		return Bool
	case !g.notNumber:
		return Number
	case !g.notDate:
		return Date
	case !g.notJSON:
		return JSON
	}
	return Text
}

// What a store that keeps numbers as float64 holds without loss.
const (
	exactDigits  = 17 // of a fraction: the most that a float64 is printed with
	exactInteger = 15 // digits of an integer
)

// looksNumeric reports whether nothing is lost when the cell is kept as a
// number: "007", "+5", " 1" and long ids are more than that.
func looksNumeric(cell string) bool {
	d, ok := parseDecimal(cell)
	if !ok || len(d.digits) > exactDigits || !d.fraction && len(d.digits)+d.exponent > exactInteger {
		return false
	}
	digits := strings.TrimPrefix(cell, "-")
	if digits == "" || digits[0] < '0' || digits[0] > '9' {
		return false
	}
	return len(digits) == 1 || digits[0] != '0' || digits[1] < '0' || digits[1] > '9'
}

// looksStructured reports whether the cell is a JSON list or object.
func looksStructured(cell string) bool {
	text := strings.TrimSpace(cell)
	if text == "" || text[0] != '[' && text[0] != '{' {
		return false
	}
	_, ok := canonicalJSON(text)
	return ok
}
