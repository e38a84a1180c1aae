package ragasapp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// recorded are answers of the live service.
func recorded(t *testing.T) map[string]json.RawMessage {
	t.Helper()
	data, err := os.ReadFile("../../integration/emulator/testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	return decode[map[string]json.RawMessage](t, string(data))
}

// answering is a backend whose server gives recorded answers, by the last part
// of the path.
func answering(t *testing.T, answers map[string]json.RawMessage) *Backend {
	t.Helper()
	c := scripted(t, 0, func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimSuffix(r.URL.Path, "/")
		data, known := answers[path[strings.LastIndexByte(path, '/')+1:]]
		if !known {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		_, _ = io.WriteString(w, `{"status":"success","data":`+string(data)+`}`)
	})
	return &Backend{client: c, log: c.log, window: 1, known: newMemory(), columnsLast: time.Hour}
}

func TestRecordedProjects(t *testing.T) {
	b := answering(t, map[string]json.RawMessage{"projects": recorded(t)["list of projects"]})
	entries, err := b.List(t.Context(), backends.Ref{})
	if err != nil || len(entries) != 6 {
		t.Fatalf("%d projects, error %v", len(entries), err)
	}
	// Three are called the same: the name alone means the oldest.
	p, err := b.project(t.Context(), backends.Ref{Project: "Demo Project"})
	if err != nil || p.ProjectID != "ae2a5a5c-3902-4ef6-af50-f2d8f27feea6" {
		t.Errorf("the project is %+v, error %v", p, err)
	}
	if want := time.Date(2025, 4, 11, 0, 40, 53, 715280000, time.UTC); !entries[4].Created.Equal(want) {
		t.Errorf("created at %s, want %s", entries[4].Created, want)
	}
}

func TestRecordedTable(t *testing.T) {
	all := recorded(t)
	row := `{"items":[` + string(all["created row"]) + `],"pagination":{"offset":0,"limit":50,"total":1,"order_by":"created_at","sort_dir":"asc"}}`
	b := answering(t, map[string]json.RawMessage{"columns": all["list of columns"], "rows": json.RawMessage(row)})
	loaded, err := b.Load(t.Context(), backends.Ref{Project: "p", ProjectID: "p", Kind: backends.Datasets, Name: "t", ID: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close() //nolint:errcheck // nothing is open
	want := []table.Column{
		{Name: "url", ID: "iAW5muBh9mc251p8-LqKz", Type: table.Text}, // the only one with a position
		{Name: "tags_color_coded", ID: "dQ7hCb1AUfog", Type: table.Text},
		{Name: "id", ID: "eCAiMBRqm0Uc", Type: table.Number},
		{Name: "description", ID: "fRegl7Ucx3Sp", Type: table.Text},
		{Name: "tags", ID: "foebrzYhiu9x", Type: table.Text},
		{Name: "name", ID: "ciAzRUhKct9c", Type: table.Text},
	}
	for i, c := range loaded.Columns {
		if i >= len(want) || c != want[i] {
			t.Errorf("column %d is %+v", i, c)
		}
	}
	rows, err := collect(loaded.Rows)
	if err != nil || len(rows) != 1 || len(rows[0].Cells) != len(want) || !strings.HasPrefix(rows[0].ID, noID) {
		t.Errorf("the rows are %+v, error %v", rows, err)
	}
}

// The type of a column is what stands at its top, not the stale echo inside.
func TestRecordedColumnUpdate(t *testing.T) {
	all := recorded(t)
	before, after := decode[wireColumn](t, string(all["column"])), decode[wireColumn](t, string(all["updated column"]))
	if before.tableType() != table.Text || after.tableType() != table.Number || after.Name != "New Column 3 Updated" {
		t.Errorf("the column was %+v, and is %+v", before, after)
	}
}

func TestRecordedTables(t *testing.T) {
	all := recorded(t)
	for _, name := range []string{"created dataset", "updated dataset", "dataset without a description", "created experiment"} {
		made := decode[wireTable](t, string(all[name]))
		entry := made.entry(backends.Ref{Project: "p", ProjectID: "p"}, backends.Datasets)
		if entry.Ref.ID != made.ID || entry.Ref.Name == "" || entry.Created.IsZero() || entry.ModTime.Before(entry.Created) || entry.Nonce != "" {
			t.Errorf("%s: %+v", name, entry)
		}
	}
}

func TestRecordedError(t *testing.T) {
	body := recorded(t)["error"]
	c := scripted(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write(body)
	})
	if _, err := ask[wireProject](t.Context(), c, aRead); !errors.Is(err, backends.ErrUnavailable) || !strings.Contains(err.Error(), "An internal server error occured") { //nolint:misspell // as recorded
		t.Errorf("error %v", err)
	}
}
