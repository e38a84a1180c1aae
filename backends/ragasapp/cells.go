package ragasapp

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// jsonKind is what a JSON value is.
type jsonKind uint32

const (
	isNull jsonKind = 1 << iota
	isBool
	isNumber
	isText
	isStructure // a list or an object
)

func kindOf(raw json.RawMessage) jsonKind {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return isNull
	}
	switch raw[0] {
	case 'n':
		return isNull
	case 't', 'f':
		return isBool
	case '"':
		return isText
	case '[', '{':
		return isStructure
	}
	return isNumber
}

// kinds is what the values of a column have been so far: the type of a column
// does not say what its values are.
type kinds struct {
	seen     atomic.Uint32
	complete atomic.Bool // all rows have been seen
}

// see takes a value into account, and reports whether it is of a new kind.
func (k *kinds) see(raw json.RawMessage) (fresh bool) {
	kind := uint32(kindOf(raw))
	if kind == uint32(isNull) || k.seen.Load()&kind != 0 {
		return false
	}
	k.seen.Or(kind)
	return true
}

// only returns the kind of all values that have been seen; isText if there is
// none or more than one.
func (k *kinds) only() jsonKind {
	switch kind := jsonKind(k.seen.Load()); kind {
	case isBool, isNumber, isStructure:
		return kind
	}
	return isText
}

// typeOf is how values of a kind are compared.
func (k jsonKind) typeOf() table.Type {
	switch k {
	case isBool:
		return table.Bool
	case isNumber:
		return table.Number
	case isStructure:
		return table.JSON
	}
	return table.Text
}

// compared is how cells of the column are compared: Ragas keeps lists, objects
// and results of any kind in text columns, and a program that writes them anew
// ("0.50" as "0.5", a list with other spaces) has not changed them. Only what is
// known of every row counts.
func (c *column) compared() table.Type {
	if c.typ == table.Text && c.kinds.complete.Load() {
		return c.kinds.only().typeOf()
	}
	return c.typ
}

// holds reports whether a value is what a cell says: a text column's by what
// the value itself is.
func (c *column) holds(raw json.RawMessage, text string) bool {
	typ := c.typ
	if typ == table.Text {
		typ = kindOf(raw).typeOf()
	}
	return table.EqualCells(typ, render(raw).Text, text)
}

// render shows a value as it stands in a file.
func render(raw json.RawMessage) backends.Cell {
	raw = bytes.TrimSpace(raw)
	switch kindOf(raw) {
	case isNull:
		return backends.Cell{Null: true}
	case isBool:
		if raw[0] == 't' {
			return backends.Cell{Text: "True"}
		}
		return backends.Cell{Text: "False"}
	case isText:
		var text string
		if err := json.Unmarshal(raw, &text); err == nil {
			return backends.Cell{Text: text}
		}
	case isStructure:
		return backends.Cell{Text: structure(raw)}
	}
	return backends.Cell{Text: string(raw)}
}

// structure is a list or an object without spaces, and without escapes that a
// person could not read.
func structure(raw json.RawMessage) string {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw)
	}
	if !bytes.Contains(compact.Bytes(), []byte(`\u`)) {
		return compact.String()
	}
	return unescape(compact.Bytes())
}

// unescape decodes and encodes again each string of compact JSON: everything
// between strings stays as it is.
func unescape(compact []byte) string {
	var b bytes.Buffer
	for i := 0; i < len(compact); {
		if compact[i] != '"' {
			b.WriteByte(compact[i])
			i++
			continue
		}
		end := i + 1
		for end < len(compact) && compact[end] != '"' {
			if compact[end] == '\\' {
				end++
			}
			end++
		}
		end = min(end+1, len(compact))
		var text string
		if json.Unmarshal(compact[i:end], &text) == nil {
			b.Write(quote(text))
		} else {
			b.Write(compact[i:end])
		}
		i = end
	}
	return b.String()
}

// quote is a JSON string without escapes that only HTML needs.
func quote(text string) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil {
		return json.RawMessage("null") // a string can always be encoded
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// parse is the value that a cell sets. It takes the kind that the column's type
// names, in text columns that of the value before or of the column's other
// values; what does not look like that kind stays text, so that nothing is lost.
// A list stays a list however it is spaced.
func parse(text string, c *column, before json.RawMessage) json.RawMessage {
	if text == "" {
		return json.RawMessage("null")
	}
	kind := isText
	switch c.typ {
	case table.Number:
		kind = isNumber
	case table.Bool:
		kind = isBool
	case table.JSON:
		kind = isStructure
	case table.Text:
		if kind = kindOf(before); kind == isNull {
			kind = c.kinds.only()
		}
	}
	var raw json.RawMessage
	switch kind {
	case isNumber:
		raw = number(text)
	case isBool:
		raw = boolean(text)
	case isStructure:
		raw = list(text)
	}
	if raw == nil || c.typ == table.Text && kind != isStructure && render(raw).Text != text {
		return quote(text)
	}
	return raw
}

// number is a number as it is spelled, or nil. JSON is stricter than programs
// that write CSV: "+5", ".5" and "5." are spelled anew.
func number(text string) json.RawMessage {
	trimmed := strings.Trim(text, " \t")
	if raw := json.RawMessage(trimmed); isJSON(raw, isNumber) {
		return raw
	}
	digits, negative := strings.CutPrefix(strings.TrimPrefix(trimmed, "+"), "-")
	mantissa, exponent := digits, ""
	if e := strings.IndexAny(digits, "eE"); e >= 0 {
		mantissa, exponent = digits[:e], digits[e:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if whole+fraction == "" {
		return nil
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	if negative {
		whole = "-" + whole
	}
	if raw := json.RawMessage(whole + fraction + exponent); isJSON(raw, isNumber) && table.EqualCells(table.Number, text, string(raw)) {
		return raw
	}
	return nil
}

func boolean(text string) json.RawMessage {
	switch strings.ToLower(strings.Trim(text, " \t")) {
	case "true":
		return json.RawMessage("true")
	case "false":
		return json.RawMessage("false")
	}
	return nil
}

func list(text string) json.RawMessage {
	if raw := json.RawMessage(strings.TrimSpace(text)); utf8.ValidString(text) && isJSON(raw, isStructure) {
		return raw
	}
	return nil
}

func isJSON(raw json.RawMessage, kind jsonKind) bool {
	return len(raw) > 0 && kindOf(raw) == kind && json.Valid(raw)
}

// reasonSuffix ends the names of columns whose values old versions of Ragas sent
// under the column's name instead of its id.
const reasonSuffix = "_reason"

// keyOf is the key under which a row has the value of a column.
func keyOf(c *column, data cells) string {
	if _, there := data[c.ID]; there || !strings.HasSuffix(c.Name, reasonSuffix) {
		return c.ID
	}
	if _, there := data[c.Name]; there {
		return c.Name
	}
	return c.ID
}

func valueOf(c *column, data cells) json.RawMessage { return data[keyOf(c, data)] }

// row is a row as the contract wants it, cells in the order of columns.
func (w wireRow) row(columns []column) backends.Row {
	r := backends.Row{ID: w.shownID(), Cells: make([]backends.Cell, len(columns))}
	for i := range columns {
		r.Cells[i] = render(valueOf(&columns[i], w.Data))
	}
	return r
}

// noID begins the id that is shown for a row that has none: the service took
// such rows. Nothing can be sent to them.
const noID = "no-id-"

func (w wireRow) shownID() string {
	if w.ID != "" {
		return w.ID
	}
	return noID + w.CreatedAt.UTC().Format("20060102T150405.000000")
}
