// Package memoryapi is what memory.Client and the memory emulator say to each
// other: JSON over HTTP, here as types and nothing else.
//
//	GET    /projects                                list projects        -> []Entry
//	POST   /projects                                create a project     Create -> Entry
//	GET    /projects/PROJECT                        list its tables      -> []Entry
//	PATCH  /projects/PROJECT                        rename it            Rename -> Entry
//	DELETE /projects/PROJECT                        delete it
//	POST   /projects/PROJECT/KIND                   create a table       Create -> Entry
//	GET    /projects/PROJECT/KIND/NAME              probe it             -> Entry
//	PATCH  /projects/PROJECT/KIND/NAME              rename it            Rename -> Entry
//	DELETE /projects/PROJECT/KIND/NAME?base=VERSION delete it
//	GET    /projects/PROJECT/KIND/NAME/rows         load it              -> Head, Row..., End, one JSON value a line
//	POST   /projects/PROJECT/KIND/NAME/rows:apply   one batch            Batch -> Result
//	POST   /projects/PROJECT/KIND/NAME/rows:get     some rows            Get -> Rows
//	GET    /projects/PROJECT/KIND/NAME/rows:find?column=C&value=V        -> Rows
//
// Names are escaped as path segments. ?project_id= and ?id= name an object by
// its id whatever the path says. A failure has a status of 400 or more and an
// Error as its body.
package memoryapi

import (
	"encoding/json"
	"fmt"
	"time"
	"unicode/utf8"
)

// Text is a string of any bytes. In JSON it is a string, or {"base64": ...} if
// it is no valid UTF-8.
type Text string

type rawText struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (t Text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(rawText{Base64: []byte(t)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var raw rawText
		if err := json.Unmarshal(data, &raw); err != nil {
			return fmt.Errorf("text as base64: %w", err)
		}
		*t = Text(raw.Base64)
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	*t = Text(s)
	return nil
}

// Texts turns strings into Texts.
func Texts(strings []string) []Text {
	if strings == nil {
		return nil
	}
	texts := make([]Text, len(strings))
	for i, s := range strings {
		texts[i] = Text(s)
	}
	return texts
}

// Strings turns Texts into strings.
func Strings(texts []Text) []string {
	if texts == nil {
		return nil
	}
	strings := make([]string, len(texts))
	for i, t := range texts {
		strings[i] = string(t)
	}
	return strings
}

// Column is a column of a table.
type Column struct {
	Name Text   `json:"name"`
	ID   string `json:"id,omitempty"`
	Type string `json:"type"`
}

// Entry is a line of a listing. Kind and Name are empty for a project.
type Entry struct {
	Project   Text      `json:"project"`
	ProjectID string    `json:"project_id"`
	Kind      string    `json:"kind,omitempty"`
	Name      Text      `json:"name,omitempty"`
	ID        string    `json:"id,omitempty"`
	Version   string    `json:"version,omitempty"`
	Rows      int64     `json:"rows"` // -1: does not apply
	Modified  time.Time `json:"modified"`
	Created   time.Time `json:"created"`
	Nonce     string    `json:"nonce,omitempty"`
}

// Create makes a project, or a table with columns.
type Create struct {
	Name    Text     `json:"name"`
	Columns []Column `json:"columns,omitempty"`
	Nonce   string   `json:"nonce,omitempty"`
}

// Rename gives an object a new name.
type Rename struct {
	Name Text `json:"name"`
}

// Head is the first line of a load.
type Head struct {
	Version  string    `json:"version,omitempty"`
	Modified time.Time `json:"modified"`
	Columns  []Column  `json:"columns"`
	Total    int64     `json:"total"`
}

// Row is one row. Cells are in the order of the columns; null is a missing value.
type Row struct {
	ID    Text    `json:"id"`
	Cells []*Text `json:"cells"`
}

// Line is every line of a load after the first: a row, or the end.
type Line struct {
	Row
	End *End `json:"end,omitempty"`
}

// End is the last line of a load. Without it the load is not whole.
type End struct {
	Rows  int64  `json:"rows"`
	Error *Error `json:"error,omitempty"`
}

// Rows answers rows:get and rows:find.
type Rows struct {
	Columns []Column `json:"columns"`
	Rows    []Row    `json:"rows"`
}

// Get asks for rows by id, with cells in the order of Columns.
type Get struct {
	Columns []Column `json:"columns"`
	IDs     []Text   `json:"ids"`
}

// Batch is backends.Batch without its document.
type Batch struct {
	Base      string         `json:"base,omitempty"`
	OldHeader []Text         `json:"old_header"`
	NewHeader []Text         `json:"new_header"`
	Columns   []ColumnChange `json:"columns,omitempty"`
	Rows      []Change       `json:"rows"`
}

// ColumnChange adds, drops or renames a column: Op is "add", "drop" or "rename".
type ColumnChange struct {
	Op       string `json:"op"`
	Old      Text   `json:"old,omitempty"`
	New      Text   `json:"new,omitempty"`
	Position int    `json:"position"`
	Type     string `json:"type,omitempty"`
}

// Change is one row change: Op is "append", "update" or "delete".
type Change struct {
	Op     string `json:"op"`
	ID     Text   `json:"id"`
	Before []Text `json:"before,omitempty"`
	After  []Text `json:"after,omitempty"`
}

// Result answers rows:apply.
type Result struct {
	Version  string    `json:"version,omitempty"`
	Modified time.Time `json:"modified"`
	Outcomes []Outcome `json:"outcomes"`
	Columns  []Column  `json:"columns,omitempty"`
}

// Outcome is what became of one row change: Error is nil if it was applied.
type Outcome struct {
	Error *Error `json:"error,omitempty"`
}

// Error is the body of every failure, and why a row was refused.
type Error struct {
	Kind    string `json:"kind"` // see the Kind constants
	Message string `json:"message"`
}

// What went wrong, one for each sentinel of package backends that the store gives.
const (
	KindNotFound = "not_found"
	KindExists   = "exists"
	KindConflict = "conflict"
	KindRefused  = "refused"
	KindNotEmpty = "not_empty"
)
