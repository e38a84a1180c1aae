package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
)

// peer is another client of the Ragas API: plain requests, none of the code
// under test.
type peer struct {
	t    testing.TB
	base string // of the API
	http *http.Client
}

func newPeer(t testing.TB, e *emulator) *peer {
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	return &peer{t: t, base: "http://" + e.Address + "/api/v1/", http: &http.Client{Transport: transport}}
}

// try sends a request and returns the data of its answer.
func (p *peer) try(method, path string, body any) (json.RawMessage, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, p.base+path, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-App-Token", ragasToken)
	response, err := p.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to the end
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s %s", method, path, response.Status, answer)
	}
	var envelope struct{ Data json.RawMessage }
	if err := json.Unmarshal(answer, &envelope); err != nil {
		return nil, err
	}
	return envelope.Data, nil
}

// do is try where it must not fail. answer may be nil.
func (p *peer) do(method, path string, body, answer any) {
	p.t.Helper()
	data, err := p.try(method, path, body)
	if err == nil && answer != nil {
		err = json.Unmarshal(data, answer)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// peerColumn is a column as a client makes it.
type peerColumn struct {
	ID       string         `json:"id"`
	Name     string         `json:"name"`
	Type     string         `json:"type"`
	Settings map[string]any `json:"settings"`
}

// columnsOf are columns "NAME:TYPE" with the ids "c-NAME".
func columnsOf(named ...[2]string) []peerColumn {
	var columns []peerColumn
	for i, n := range named {
		columns = append(columns, peerColumn{"c-" + n[0], n[0], n[1], map[string]any{"position": i, "width": 255, "isVisible": true, "isEditable": true}})
	}
	return columns
}

// project makes a project and returns its path.
func (p *peer) project(title string) string {
	p.t.Helper()
	var made struct{ ID string }
	p.do("POST", "projects", map[string]string{"title": title}, &made)
	return "projects/" + made.ID
}

// projects are the titles of all projects (a page of them).
func (p *peer) projects() (titles []string) {
	p.t.Helper()
	var list struct{ Items []struct{ Title string } }
	p.do("GET", "projects", nil, &list)
	for _, item := range list.Items {
		titles = append(titles, item.Title)
	}
	return titles
}

// table makes a table and returns its path.
func (p *peer) table(project, kind, name string, columns []peerColumn) string {
	p.t.Helper()
	var made struct{ ID string }
	p.do("POST", project+"/"+kind, map[string]string{"name": name}, &made)
	path := project + "/" + kind + "/" + made.ID
	for _, c := range columns {
		p.do("POST", path+"/columns", c, nil)
	}
	return path
}

// rows adds rows "rI"; data gives their JSON. Many are added several at a time,
// and stand in no order.
func (p *peer) rows(table string, n int, data func(i int) string) {
	p.t.Helper()
	const few = 100
	if n <= few {
		for i := range n {
			p.row(table, rowName(i), data(i))
		}
		return
	}
	var wait sync.WaitGroup
	next := make(chan int)
	for range 8 {
		wait.Go(func() {
			for i := range next {
				p.row(table, rowName(i), data(i))
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

func rowName(i int) string { return fmt.Sprintf("r%d", i) }

// row adds a row; data is JSON.
func (p *peer) row(table, id, data string) {
	if _, err := p.try("POST", table+"/rows", map[string]any{"id": id, "data": json.RawMessage(data)}); err != nil {
		p.t.Error(err)
	}
}

// set changes cells of a row; data is JSON.
func (p *peer) set(table, id, data string) {
	p.t.Helper()
	p.do("PATCH", table+"/rows/"+url.PathEscape(id), map[string]any{"data": json.RawMessage(data)}, nil)
}

// ragasRow is a row of the emulator's state.
type ragasRow struct {
	ID    string
	Data  map[string]json.RawMessage // by column id
	Cells map[string]json.RawMessage // by column name
}

// ragasColumn is a column of the emulator's state.
type ragasColumn struct {
	ID, Name, Type string
	Settings       struct{ Position float64 }
}

// ragasTable is a table of the emulator's state.
type ragasTable struct {
	ID      string
	Name    string
	Columns []ragasColumn
	Rows    []ragasRow
}

// ragasState is what the emulator holds, by PROJECT/KIND/NAME. Several tables of
// one name are an error, as are several projects of one title.
func (e *emulator) ragasState(t testing.TB) map[string]ragasTable {
	t.Helper()
	var state struct {
		Projects []struct {
			Title                 string
			Datasets, Experiments []ragasTable
		}
	}
	e.call(t, "GET", "/_emulator/state", nil, &state)
	tables, titles := map[string]ragasTable{}, map[string]bool{}
	for _, p := range state.Projects {
		if titles[p.Title] {
			t.Errorf("two projects are called %q", p.Title)
		}
		titles[p.Title] = true
		for kind, list := range map[string][]ragasTable{"datasets": p.Datasets, "experiments": p.Experiments} {
			for _, x := range list {
				name := p.Title + "/" + kind + "/" + x.Name
				if _, twice := tables[name]; twice {
					t.Errorf("two tables are called %q", name)
				}
				tables[name] = x
			}
		}
	}
	return tables
}

// row is the row with an id.
func (x ragasTable) row(t testing.TB, id string) ragasRow {
	t.Helper()
	for _, r := range x.Rows {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("%s has no row %q", x.Name, id)
	return ragasRow{}
}

// ragasCall is a request in the emulator's journal.
type ragasCall struct {
	Method, Path, Query string
	Status              int
	RequestBytes        int64 `json:"request_bytes"`
}

// callsOf runs f and returns the requests that were made meanwhile.
func (e *emulator) callsOf(t testing.TB, f func()) []ragasCall {
	t.Helper()
	e.call(t, "DELETE", "/_emulator/calls", nil, nil)
	f()
	var made []ragasCall
	e.call(t, "GET", "/_emulator/calls", nil, &made)
	return made
}
