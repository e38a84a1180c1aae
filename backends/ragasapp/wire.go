package ragasapp

import (
	"encoding/json"
	"strings"
	"time"
)

// The objects of the API, as recorded from the live service. Keys that are not
// named here are ignored, except in row data and column settings, which are
// kept as they came.

// envelope is every answer.
type envelope struct {
	Status     string          `json:"status"`
	StatusCode int             `json:"status_code"`
	Message    string          `json:"message"`
	Detail     json.RawMessage `json:"detail"` // other servers' word for message
	Data       json.RawMessage `json:"data"`
}

// listOf is the data of a list.
type listOf[T any] struct {
	Items      []T        `json:"items"`
	Pagination pagination `json:"pagination"`
}

type pagination struct {
	Limit   int    `json:"limit"`
	Total   *int   `json:"total"` // nil: the server does not say
	OrderBy string `json:"order_by"`
	SortDir string `json:"sort_dir"`
}

type wireProject struct {
	ID          string  `json:"id"`
	Title       string  `json:"title"`
	Description *string `json:"description"`
	CreatedAt   stamp   `json:"created_at"`
	UpdatedAt   stamp   `json:"updated_at"`
}

type wireTable struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	CreatedAt   stamp   `json:"created_at"`
	UpdatedAt   stamp   `json:"updated_at"`
}

type wireColumn struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Type      string   `json:"type"`
	Settings  settings `json:"settings"`
	CreatedAt stamp    `json:"created_at"`
}

// settings of a column: what was sent when it was made, and an echo of its id,
// name and type, which goes stale.
type settings map[string]json.RawMessage

type wireRow struct {
	ID        string `json:"id"`
	Data      cells  `json:"data"`
	CreatedAt stamp  `json:"created_at"`
	UpdatedAt stamp  `json:"updated_at"`
}

// cells are the values of a row by column id, with keys that no column has and
// a mirror of the row's id.
type cells map[string]json.RawMessage

// What is sent.
type (
	newProject struct {
		Title       string `json:"title"`
		Description string `json:"description,omitempty"`
	}
	newTable struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
	}
	newColumn struct {
		ID       string   `json:"id"`
		Name     string   `json:"name"`
		Type     string   `json:"type"`
		Settings settings `json:"settings"`
	}
	columnPatch struct {
		Name     string   `json:"name,omitempty"`
		Settings settings `json:"settings,omitempty"`
	}
	newRow struct {
		ID   string `json:"id"`
		Data cells  `json:"data"`
	}
	rowPatch struct {
		Data cells `json:"data"`
	}
)

// stamp is a time of the service. Zero: there is none, or none that can be read.
type stamp struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler. A time that can't be read makes no
// answer unusable.
func (s *stamp) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			s.Time = t.UTC()
			return nil
		}
	}
	s.Time = time.Time{}
	return nil
}

// nanos is the time as a number; 0 if there is none.
func (s stamp) nanos() int64 {
	if s.IsZero() {
		return 0
	}
	return s.UnixNano()
}
