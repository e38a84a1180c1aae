package table

import (
	"strings"
	"time"
)

// The ways in which programs write dates and times (saves.md D12), after "/"
// has become "-" and "T" has become a space. Fractions of seconds need no
// layout of their own.
var dateLayouts = [...]string{
	"2006-1-2",
	"2006-1-2 15:04",
	"2006-1-2 15:04:05",
	"2006-1-2 15:04Z07:00",
	"2006-1-2 15:04:05Z07:00",
	"2006-1-2 15:04:05Z0700",
	"2006-1-2 15:04:05Z07",
}

// parseDate reads a date, or a date and time. Without a zone it is UTC, without
// a time midnight.
func parseDate(text string) (t time.Time, ok bool) {
	text = strings.Trim(text, " \t")
	if len(text) < len("2006-1-2") || len(text) > 40 || text[0] < '0' || text[0] > '9' {
		return t, false
	}
	text = strings.ReplaceAll(text, "/", "-")
	if i := strings.IndexAny(text, "Tt"); i > 0 {
		text = text[:i] + " " + text[i+1:]
	}
	if strings.HasSuffix(text, "z") {
		text = text[:len(text)-1] + "Z"
	}
	if strings.HasSuffix(text, " UTC") {
		text = strings.TrimSuffix(text, " UTC") + "Z"
	}
	for _, layout := range dateLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), fractionDigits(text) <= 9
		}
	}
	return t, false
}

// fractionDigits returns the number of digits behind the point: more than nine
// are more than a time.Time holds.
func fractionDigits(text string) int {
	_, fraction, _ := strings.Cut(text, ".")
	return len(fraction) - len(strings.TrimLeft(fraction, "0123456789"))
}

// equalDates compares cells of a Date column.
func equalDates(a, b string) bool {
	ta, okA := parseDate(a)
	tb, okB := parseDate(b)
	return okA && okB && ta.Equal(tb)
}
