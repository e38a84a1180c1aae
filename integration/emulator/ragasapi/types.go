// Package ragasapi is what a server of the Ragas API and a store behind it say
// to each other: the objects with the shapes that were recorded from the live
// service, the interfaces that a store implements, and its errors.
//
// Nothing here knows HTTP, and nothing keeps anything. The client of package
// backends/ragasapp has wire types of its own: two sides that share their types
// would share their mistakes.
package ragasapi

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// Project is a project. Titles are not unique.
type Project struct {
	ID          string  `json:"id"`
	Title       string  `json:"title"`
	Description *string `json:"description"`
	CreatedAt   Time    `json:"created_at"`
	UpdatedAt   Time    `json:"updated_at"`
}

// Kind is the part of a path that says what a table is for.
type Kind string

// The kinds.
const (
	Datasets    Kind = "datasets"
	Experiments Kind = "experiments"
)

// Table is a dataset or an experiment. Names are not unique.
type Table struct {
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	Description    *string `json:"description"`
	CreatedAt      Time    `json:"created_at"`
	UpdatedAt      Time    `json:"updated_at"`
	VersionCounter int     `json:"version_counter"`
	ProjectID      string  `json:"project_id"`
}

// Column is a column of a table. Settings echo id, name and type as they were
// when the column was made.
type Column struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Settings  Object `json:"settings"`
	CreatedAt Time   `json:"created_at"`
	UpdatedAt Time   `json:"updated_at"`
	TableID   string `json:"datatable_id"`
}

// Row is a row of a table. Data has a value for each column id, whatever else
// was sent, and the row's own id under "id".
type Row struct {
	ID        string `json:"id"`
	Data      Object `json:"data"`
	CreatedAt Time   `json:"created_at"`
	UpdatedAt Time   `json:"updated_at"`
	TableID   string `json:"datatable_id"`
}

// Named is what projects and tables are created with and changed to. Nil: not sent.
type Named struct {
	Name        *string
	Description *string
}

// NewColumn is what a column is created with.
type NewColumn struct {
	ID, Name, Type string
	Settings       Object
}

// ColumnPatch is what a column is changed to. Nil: not sent.
type ColumnPatch struct {
	Name, Type *string
	Settings   Object
}

// Object is a JSON object. It is written in the order in which PostgreSQL's
// jsonb keeps keys: shorter ones first.
type Object map[string]json.RawMessage

// MarshalJSON implements json.Marshaler.
func (o Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, key := range sortedKeys(o) {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := appendJSON(&b, key); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		b.Write(o[key])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Clone returns an object that can be changed without changing o.
func (o Object) Clone() Object { return maps.Clone(o) }

// Text is a JSON string for an Object.
func Text(s string) json.RawMessage {
	var b bytes.Buffer
	if err := appendJSON(&b, s); err != nil {
		return json.RawMessage("null") // a string can always be encoded
	}
	return b.Bytes()
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
}

// appendJSON writes a value without escaping what only HTML needs.
func appendJSON(b *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // its newline
	return nil
}

// Normal returns an object as jsonb keeps it: one order of keys at every depth,
// no space, strings without needless escapes. Numbers stay as they are spelled.
func Normal(o Object) (Object, error) {
	normal := make(Object, len(o))
	for key, raw := range o {
		value, err := normalValue(raw)
		if err != nil {
			return nil, err
		}
		normal[key] = value
	}
	return normal, nil
}

func normalValue(raw json.RawMessage) (json.RawMessage, error) {
	trimmed := bytes.TrimSpace(raw)
	if len(trimmed) == 0 {
		return json.RawMessage("null"), nil
	}
	switch trimmed[0] {
	case '{':
		var object Object
		if err := json.Unmarshal(trimmed, &object); err != nil {
			return nil, err
		}
		normal, err := Normal(object)
		if err != nil {
			return nil, err
		}
		return normal.MarshalJSON()
	case '[':
		var list []json.RawMessage
		if err := json.Unmarshal(trimmed, &list); err != nil {
			return nil, err
		}
		parts := make([][]byte, len(list))
		for i := range list {
			value, err := normalValue(list[i])
			if err != nil {
				return nil, err
			}
			parts[i] = value
		}
		return slices.Concat([]byte{'['}, bytes.Join(parts, []byte{','}), []byte{']'}), nil
	case '"':
		var text string
		if err := json.Unmarshal(trimmed, &text); err != nil {
			return nil, err
		}
		return Text(text), nil
	}
	return slices.Clone(trimmed), nil
}

// Time is a moment as the service writes it: "2025-04-16T03:52:01.91574+00:00",
// microseconds without trailing zeros.
type Time time.Time

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.999999+00:00"`)), nil
}
