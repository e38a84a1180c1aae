package ragasapp

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// What was recorded from the live service, in the shapes in which it was
// recorded (docs of ragas_experimental, 2025).
const (
	recordedColumn = `{"id":"eCAiMBRqm0Uc","name":"id","type":"number",
		"settings":{"id":"eCAiMBRqm0Uc","name":"id","type":"number","width":255,"isVisible":true,"isEditable":true},
		"created_at":"2025-04-16T03:52:01.91574+00:00","updated_at":"2025-04-16T03:52:01.91574+00:00","datatable_id":"3374b891-8398-41bd-8f81-2867759df294"}`
	recordedStale = `{"id":"c3","name":"New Column 3 Updated","type":"number",
		"settings":{"name":"New Column 3","type":"text","width":255},"created_at":"2025-04-16T03:52:01.915741+00:00"}`
	recordedWebColumn = `{"id":"iAW5muBh9mc251p8-LqKz","name":"web","type":"text","settings":{"position":5,"width":192}}`
	recordedRow       = `{"id":"","data":{"id":"","new_column_3":"name"},"created_at":"2025-04-16T03:52:01.91574+00:00",
		"updated_at":"2025-04-16T03:52:01.91574+00:00","datatable_id":"3374b891-8398-41bd-8f81-2867759df294"}`
	recordedList = `{"status":"success","data":{"items":[{"id":"1ef0843b-231f-4a2c-b64d-d39bcee9d830","title":"Demo Project","description":null,
		"created_at":"2025-04-15T03:27:08.962384+00:00","updated_at":"2025-04-15T03:27:08.962384+00:00"}],
		"pagination":{"offset":0,"limit":50,"total":1,"order_by":"created_at","sort_dir":"desc"}}}`
)

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestRecordedShapes(t *testing.T) {
	columns := arrange([]wireColumn{decode[wireColumn](t, recordedStale), decode[wireColumn](t, recordedColumn), decode[wireColumn](t, recordedWebColumn)})
	want := []table.Column{
		{Name: "web", ID: "iAW5muBh9mc251p8-LqKz", Type: table.Text}, // the only one with a position
		{Name: "id", ID: "eCAiMBRqm0Uc", Type: table.Number},
		{Name: "New Column 3 Updated", ID: "c3", Type: table.Number}, // the echo is stale
	}
	for i, c := range public(columns) {
		if c != want[i] {
			t.Errorf("column %d is %+v, want %+v", i, c, want[i])
		}
	}
	row := decode[wireRow](t, recordedRow)
	if want := time.Date(2025, 4, 16, 3, 52, 1, 915740000, time.UTC); !row.CreatedAt.Equal(want) {
		t.Errorf("created at %s, want %s", row.CreatedAt, want)
	}
	shown := row.row([]column{{wireColumn: wireColumn{ID: "new_column_3", Name: "new_column_3"}}})
	if !strings.HasPrefix(shown.ID, noID) || shown.Cells[0].Text != "name" {
		t.Errorf("a row without an id is shown as %+v", shown)
	}
}

func TestRecordedList(t *testing.T) {
	c := scripted(t, 0, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/projects" || r.Header.Get("X-App-Token") != "secret-key" || r.URL.Query().Get("offset") != "0" {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = io.WriteString(w, recordedList)
	})
	entries, err := (&Backend{client: c}).List(t.Context(), backends.Ref{})
	if err != nil || len(entries) != 1 || entries[0].Ref.Project != "Demo Project" || entries[0].Created.Year() != 2025 {
		t.Errorf("listed %+v, error %v", entries, err)
	}
}

func TestCells(t *testing.T) {
	for _, test := range []struct{ raw, text string }{
		{`null`, ""}, {`true`, "True"}, {`false`, "False"}, {`1.50`, "1.50"}, {`1e-07`, "1e-07"}, {`12345678901234567890`, "12345678901234567890"},
		{`"a\nb"`, "a\nb"}, {`["a", "b"]`, `["a","b"]`}, {`{"k": [1.0, null]}`, `{"k":[1.0,null]}`}, {`["\u00e9\u003c", "\\u00e9"]`, `["é<","\\u00e9"]`},
	} {
		if got := render(json.RawMessage(test.raw)); got.Text != test.text || got.Null != (test.raw == "null") {
			t.Errorf("%s is shown as %+v, want %q", test.raw, got, test.text)
		}
	}
	for _, test := range []struct {
		typ                table.Type
		text, before, want string
	}{
		{table.Number, "0.10", "", `0.10`}, {table.Number, "+5", "", `5`}, {table.Number, ".5", "", `0.5`}, {table.Number, "n/a", "", `"n/a"`},
		{table.Number, "", "1", `null`}, {table.Bool, "TRUE", "", `true`}, {table.Bool, "maybe", "", `"maybe"`},
		{table.Text, "0.7", "0.5", `0.7`}, {table.Text, "0.7", `"0.5"`, `"0.7"`}, {table.Text, "0.7", "", `"0.7"`}, {table.Text, "great", "0.5", `"great"`},
		{table.Text, `["a"]`, `["b"]`, `["a"]`}, {table.Text, `["a", 1.0]`, `["b"]`, `["a", 1.0]`}, {table.Text, `[a]`, `["b"]`, `"[a]"`}, {table.Text, `["a"]`, ``, `"[\"a\"]"`}, {table.Text, "True", "false", `true`},
		{table.JSON, `{"a":1}`, "", `{"a":1}`}, {table.JSON, `not json`, "", `"not json"`}, {table.Text, "<&>", "", `"<&>"`},
	} {
		c := column{typ: test.typ, kinds: &kinds{}}
		if got := string(parse(test.text, &c, json.RawMessage(test.before))); got != test.want {
			t.Errorf("%q in a %s column after %s is sent as %s, want %s", test.text, test.typ, test.before, got, test.want)
		}
	}
}

// Ragas keeps lists and numbers in text columns: a new row is like the others.
func TestNewCellIsLikeItsColumn(t *testing.T) {
	c := column{typ: table.Text, kinds: &kinds{}}
	for _, raw := range []string{`["a"]`, `null`, `[]`} {
		c.kinds.see(json.RawMessage(raw))
	}
	if got := string(parse(`["b"]`, &c, nil)); got != `["b"]` {
		t.Errorf("sent as %s", got)
	}
	c.kinds.see(json.RawMessage(`"text"`))
	if got := string(parse(`["b"]`, &c, nil)); got != `"[\"b\"]"` {
		t.Errorf("sent as %s although the column has texts, too", got)
	}
}

// What a text column holds decides how its cells are compared, once all rows
// have been seen; a single value by itself.
func TestTextColumnsAreComparedByWhatTheyHold(t *testing.T) {
	for _, test := range []struct {
		values string // JSON, one a line
		want   table.Type
	}{
		{"[1]\nnull\n{}", table.JSON}, {"0.50\n1", table.Number}, {"true", table.Bool}, {`"007"`, table.Text}, {"0.5\n\"007\"", table.Text}, {"null", table.Text},
	} {
		c := column{typ: table.Text, kinds: &kinds{}}
		for _, raw := range strings.Split(test.values, "\n") {
			c.kinds.see(json.RawMessage(raw))
		}
		if got := c.compared(); got != table.Text {
			t.Errorf("%q: %s before all rows are known", test.values, got)
		}
		c.kinds.complete.Store(true)
		if got := c.compared(); got != test.want {
			t.Errorf("%q: %s, want %s", test.values, got, test.want)
		}
	}
	for _, test := range []struct {
		raw, text string
		want      bool
	}{
		{`["a",1.0]`, `["a", 1.0]`, true}, {`["a"]`, `["b"]`, false}, {`0.50`, "0.5", true}, {`"0.50"`, "0.5", false}, {`true`, "TRUE", true}, {`"True"`, "TRUE", false},
	} {
		c := column{typ: table.Text, kinds: &kinds{}}
		if got := c.holds(json.RawMessage(test.raw), test.text); got != test.want {
			t.Errorf("%s holds %q: %v", test.raw, test.text, got)
		}
	}
}

// Old versions of Ragas sent reasons under the name of their column.
func TestReasonUnderEitherKey(t *testing.T) {
	c := column{wireColumn: wireColumn{ID: "colid", Name: "score_reason"}}
	for _, key := range []string{"colid", "score_reason"} {
		data := cells{key: json.RawMessage(`"why"`)}
		if got := render(valueOf(&c, data)).Text; got != "why" || keyOf(&c, data) != key {
			t.Errorf("under %s: %q, to be sent under %s", key, got, keyOf(&c, data))
		}
	}
}

func TestIDs(t *testing.T) {
	shape := regexp.MustCompile(`^[a-zA-Z0-9]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := newID()
		if !shape.MatchString(id) || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
	}
}
