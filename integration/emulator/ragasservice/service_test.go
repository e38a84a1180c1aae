package ragasservice_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasservice"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// api is a client that knows nothing of backends/ragasapp.
type api struct {
	t     *testing.T
	url   string
	token string
}

func start(t *testing.T, switches ragasstore.Switches) *api {
	t.Helper()
	store := ragasstore.New(switches)
	server := httptest.NewServer(ragasservice.New(ragasservice.Workspaces{"key": store, "other": ragasstore.New(switches)},
		ragasservice.Options{State: func() any { return store.State() }}))
	t.Cleanup(server.Close)
	return &api{t: t, url: server.URL + "/api/v1", token: "key"}
}

// send makes a call and returns status and data, or the whole body of an error.
func (a *api) send(method, path, body string) (int, map[string]any) {
	a.t.Helper()
	request, err := http.NewRequestWithContext(a.t.Context(), method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("X-App-Token", a.token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to the end
	data, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(data, &answer); err != nil {
		a.t.Fatalf("%s %s: %q is no JSON object: %v", method, path, data, err)
	}
	if response.StatusCode < 400 {
		inner, _ := answer["data"].(map[string]any) // DELETE has none
		return response.StatusCode, inner
	}
	return response.StatusCode, answer
}

func (a *api) want(status int, method, path, body string) map[string]any {
	a.t.Helper()
	got, answer := a.send(method, path, body)
	if got != status {
		a.t.Fatalf("%s %s: status %d, want %d: %v", method, path, got, status, answer)
	}
	return answer
}

func (a *api) table() string {
	a.t.Helper()
	project := a.want(200, "POST", "/projects", `{"title":"Demo Project"}`)["id"].(string)
	return "/projects/" + project + "/datasets/" + a.want(200, "POST", "/projects/"+project+"/datasets", `{"name":"test"}`)["id"].(string)
}

// All 35 endpoints answer, with the shapes that were recorded.
func TestEndpoints(t *testing.T) {
	a := start(t, ragasstore.Switches{})
	project := a.want(200, "POST", "/projects", `{"title":"p","description":"d"}`)["id"].(string)
	calls := 1
	count := func(status int, method, path, body string) map[string]any {
		t.Helper()
		calls++
		return a.want(status, method, path, body)
	}
	one := "/projects/" + project
	count(200, "GET", "/projects", "")
	count(200, "GET", one, "")
	count(200, "PATCH", one, `{"title":"renamed"}`)
	for _, kind := range []string{"datasets", "experiments"} {
		list := one + "/" + kind
		table := list + "/" + count(200, "POST", list, `{"name":"n"}`)["id"].(string)
		count(200, "GET", list, "")
		count(200, "GET", table, "")
		count(200, "PATCH", table, `{"name":"m"}`)
		for path, bodies := range map[string][2]string{
			"/columns": {`{"id":"x","name":"c","type":"text","settings":{"width":255}}`, `{"name":"d"}`},
			"/rows":    {`{"id":"x","data":{"x":1}}`, `{"data":{"x":2}}`},
		} {
			count(200, "POST", table+path, bodies[0])
			count(200, "GET", table+path, "")
			count(200, "GET", table+path+"/x", "")
			count(200, "PATCH", table+path+"/x", bodies[1])
			count(200, "DELETE", table+path+"/x", "")
			a.want(404, "GET", table+path+"/x", "")
		}
		count(200, "DELETE", table, "")
	}
	count(200, "DELETE", one, "")
	if calls != 35 {
		t.Errorf("%d endpoints, want 35", calls)
	}
}

func TestRecordedShapes(t *testing.T) {
	a := start(t, ragasstore.Switches{})
	table := a.table()
	a.want(200, "POST", table+"/columns", `{"id":"c1","name":"New","type":"text","settings":{"width":255}}`)
	a.want(200, "PATCH", table+"/columns/c1", `{"name":"Updated","type":"number"}`)
	column := a.want(200, "GET", table+"/columns/c1", "")
	echo := column["settings"].(map[string]any)
	if column["name"] != "Updated" || echo["name"] != "New" || echo["type"] != "text" || echo["width"] != 255.0 {
		t.Errorf("the column is %v", column)
	}
	row := a.want(200, "POST", table+"/rows", `{"id":"","data":{"c1":"name"}}`)
	if data := row["data"].(map[string]any); data["id"] != "" || data["c1"] != "name" {
		t.Errorf("the row is %v", row)
	}
	if stamp := row["created_at"].(string); !strings.HasSuffix(stamp, "+00:00") || strings.HasSuffix(stamp, "0+00:00") && strings.Contains(stamp, ".") {
		t.Errorf("created_at is %q", stamp)
	}
	list := a.want(200, "GET", "/projects", "")
	want := map[string]any{"offset": 0.0, "limit": 50.0, "total": 1.0, "order_by": "created_at", "sort_dir": "desc"}
	for key, value := range want {
		if got := list["pagination"].(map[string]any)[key]; got != value {
			t.Errorf("pagination has %s %v, want %v", key, got, value)
		}
	}
}

func TestWorkspaces(t *testing.T) {
	a := start(t, ragasstore.Switches{})
	a.table()
	a.token = "other"
	if list := a.want(200, "GET", "/projects", ""); len(list["items"].([]any)) != 0 {
		t.Errorf("another workspace has %v", list)
	}
	for _, wrong := range []string{"", "wrong"} {
		a.token = wrong
		if answer := a.want(403, "GET", "/projects", ""); answer["status"] != "error" || answer["message"] == "" {
			t.Errorf("answer %v", answer)
		}
	}
}

func TestSwitches(t *testing.T) {
	for _, test := range []struct {
		switches                  ragasstore.Switches
		again, revived, secondDel int
		kept                      any
	}{
		{ragasstore.Switches{}, 409, 200, 404, 1.0},
		{ragasstore.Switches{PatchReplaces: true, SoftDelete: true}, 409, 409, 200, nil},
		{ragasstore.Switches{Upsert: true, SoftDelete: true}, 200, 200, 200, 1.0},
	} {
		a := start(t, test.switches)
		table := a.table()
		a.want(200, "POST", table+"/rows", `{"id":"r","data":{"a":1,"b":2}}`)
		a.want(test.again, "POST", table+"/rows", `{"id":"r","data":{"a":1,"b":2}}`)
		data := a.want(200, "PATCH", table+"/rows/r", `{"data":{"b":3}}`)["data"].(map[string]any)
		if data["a"] != test.kept || data["b"] != 3.0 {
			t.Errorf("%+v: a patched row is %v", test.switches, data)
		}
		a.want(200, "DELETE", table+"/rows/r", "")
		a.want(404, "GET", table+"/rows/r", "")
		a.want(test.secondDel, "DELETE", table+"/rows/r", "")
		a.want(test.revived, "POST", table+"/rows", `{"id":"r","data":{}}`)
	}
}

func TestPages(t *testing.T) {
	a := start(t, ragasstore.Switches{MaxPage: 3})
	table := a.table()
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		a.want(200, "POST", table+"/rows", `{"id":"`+id+`","data":{}}`)
	}
	a.want(200, "PATCH", table+"/rows/b", `{"data":{}}`)
	for query, want := range map[string]string{
		"limit=50": "abc", "limit=2&offset=3": "de", "offset=5": "", "limit=2&order_by=updated_at&sort_dir=desc": "be", "order_by=nonsense": "abc",
	} {
		got := ""
		for _, item := range a.want(200, "GET", table+"/rows?"+query, "")["items"].([]any) {
			got += item.(map[string]any)["id"].(string)
		}
		if got != want {
			t.Errorf("%s gives %q, want %q", query, got, want)
		}
	}
	a.want(422, "GET", table+"/rows?limit=0", "")
	a.want(422, "POST", table+"/rows", `{"id":"x"}`)
}
