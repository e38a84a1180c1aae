package table

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// canonicalJSON returns one spelling for all spellings of a JSON value: no
// space, sorted keys, exact numbers. ok is false if text is no JSON, or if
// reading it would lose something.
func canonicalJSON(text string) (canonical string, ok bool) {
	if !utf8.ValidString(text) {
		return "", false
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return "", false
	}
	if _, err := decoder.Token(); err != io.EOF {
		return "", false
	}
	var b strings.Builder
	if !writeCanonical(&b, value) {
		return "", false
	}
	return b.String(), true
}

func writeCanonical(b *strings.Builder, value any) bool {
	switch value := value.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(value))
	case string:
		b.WriteString(strconv.Quote(value))
	case json.Number:
		number, ok := parseDecimal(value.String())
		if !ok {
			return false
		}
		b.WriteString(number.String())
	case []any:
		b.WriteByte('[')
		for _, item := range value {
			if !writeCanonical(b, item) {
				return false
			}
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for _, name := range slices.Sorted(maps.Keys(value)) {
			b.WriteString(strconv.Quote(name) + ":")
			if !writeCanonical(b, value[name]) {
				return false
			}
			b.WriteByte(',')
		}
		b.WriteByte('}')
	}
	return true
}

// equalJSON compares cells of a JSON column by their meaning.
func equalJSON(a, b string) bool {
	ca, okA := canonicalJSON(a)
	cb, okB := canonicalJSON(b)
	return okA && okB && ca == cb
}
