package ragasservice_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// TestRecordedAnswers: asked for the same, the emulator answers what was recorded
// from the live service, but for ids and times, which have the recorded form.
func TestRecordedAnswers(t *testing.T) {
	recorded := readRecorded(t)
	a := start(t, ragasstore.Switches{})
	project := "/projects/" + a.like(recorded["created project"], "POST", "/projects", `{"title":"test project","description":"test description"}`)
	dataset := project + "/datasets/" + a.like(recorded["created dataset"], "POST", project+"/datasets", `{"name":"New Dataset","description":"This is a new dataset"}`)
	a.like(recorded["updated dataset"], "PATCH", dataset, `{"name":"Updated Dataset","description":"This is an updated dataset"}`)
	a.like(recorded["dataset without a description"], "POST", project+"/datasets", `{"name":"TestModel_with_long_text"}`)
	a.like(recorded["created experiment"], "POST", project+"/experiments", `{"name":"New Experiment","description":"This is a new experiment"}`)
	a.like(recorded["empty list"], "GET", dataset+"/columns", "")
	a.like(recorded["empty list"], "GET", dataset+"/rows", "")

	const one = `{"id":"new_column_3","name":"New Column 3","type":"text","settings":{"max_length":255,"is_required":true}}`
	other := project + "/datasets/" + a.want(200, "POST", project+"/datasets", `{"name":"x"}`)["id"].(string)
	a.like(recorded["column"], "POST", other+"/columns", one)
	a.like(recorded["column"], "GET", other+"/columns/new_column_3", "")
	a.like(recorded["updated column"], "PATCH", other+"/columns/new_column_3", `{"name":"New Column 3 Updated","type":"number"}`)
	a.like(recorded["created row"], "POST", other+"/rows", `{"id":"","data":{"new_column_3":"name"}}`)

	columns := recorded["list of columns"].(map[string]any)
	for _, item := range columns["items"].([]any) {
		column := item.(map[string]any)
		settings := maps.Clone(column["settings"].(map[string]any))
		for _, echo := range []string{"id", "name", "type"} {
			delete(settings, echo)
		}
		body, err := json.Marshal(map[string]any{"id": column["id"], "name": column["name"], "type": column["type"], "settings": settings})
		if err != nil {
			t.Fatal(err)
		}
		a.like(column, "POST", dataset+"/columns", string(body))
	}
	a.like(columns, "GET", dataset+"/columns", "")

	projects := recorded["list of projects"].(map[string]any)
	items := projects["items"].([]any)
	a.want(200, "DELETE", project, "")
	for _, item := range slices.Backward(items) { // the newest is listed first
		body := map[string]any{"title": item.(map[string]any)["title"]}
		if description := item.(map[string]any)["description"]; description != nil {
			body["description"] = description
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		a.like(item, "POST", "/projects", string(encoded))
	}
	a.like(projects, "GET", "/projects", "")
}

func readRecorded(t *testing.T) map[string]any {
	t.Helper()
	data, err := os.ReadFile("../testdata/recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]any
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	return recorded
}

// like makes a call whose answer must be like a recorded one, and returns the id
// in it.
func (a *api) like(recorded any, method, path, body string) (id string) {
	a.t.Helper()
	answer := a.want(200, method, path, body)
	if difference := unlike(answer, recorded, ""); difference != "" {
		a.t.Errorf("%s %s: %s", method, path, difference)
	}
	id, _ = answer["id"].(string) // a list has none
	return id
}

var (
	uuid  = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?\+00:00$`)
)

// unlike says in what an answer differs from a recorded one; empty: in nothing
// but ids of the server's making and times.
func unlike(got, want any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		object, _ := got.(map[string]any)
		if keys, wanted := slices.Sorted(maps.Keys(object)), slices.Sorted(maps.Keys(want)); !slices.Equal(keys, wanted) {
			return fmt.Sprintf("%s has the keys %q, recorded are %q", at, keys, wanted)
		}
		for key, value := range want {
			if difference := unlike(object[key], value, at+"."+key); difference != "" {
				return difference
			}
		}
		return ""
	case []any:
		list, _ := got.([]any)
		if len(list) != len(want) {
			return fmt.Sprintf("%s has %d items, recorded are %d", at, len(list), len(want))
		}
		for i := range want {
			if difference := unlike(list[i], want[i], fmt.Sprintf("%s[%d]", at, i)); difference != "" {
				return difference
			}
		}
		return ""
	case string:
		text, _ := got.(string)
		if uuid.MatchString(want) && uuid.MatchString(text) || stamp.MatchString(want) && stamp.MatchString(text) {
			return ""
		}
	}
	if got != want {
		return fmt.Sprintf("%s is %#v, recorded is %#v", at, got, want)
	}
	return ""
}
