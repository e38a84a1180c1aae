package boxcsv

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
)

// Operations of the emulated Box that this package does not use, and other
// clients do. They stand here because answers are compared with Box's own
// specification here.

// raw is a client of the emulated Box without any help.
type raw struct {
	t    *testing.T
	base string
}

// call makes a call and returns status and answer.
func (c raw) call(method, path string, body any) (int, map[string]any) {
	c.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	if body == nil {
		encoded = nil
	}
	r, err := http.NewRequest(method, c.base+"/2.0/"+path, bytes.NewReader(encoded))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+testToken)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var decoded map[string]any
	if len(text) > 0 && json.Unmarshal(text, &decoded) != nil {
		return answer.StatusCode, map[string]any{"bytes": string(text)}
	}
	return answer.StatusCode, decoded
}

func (c raw) want(status int, method, path string, body any) map[string]any {
	c.t.Helper()
	got, answer := c.call(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s: %d %v, want %d", method, path, got, answer, status)
	}
	return answer
}

func emulatedFile(t *testing.T, contents ...string) (*boxservice.Service, raw, string) {
	t.Helper()
	service, address := startBox(t, boxservice.Options{})
	for _, content := range contents {
		service.Put(path, content)
	}
	c := raw{t, address}
	folder := "0"
	for _, name := range []string{"p", "datasets", "qa.csv"} {
		folder = c.child(folder, name)
	}
	return service, c, folder
}

// child is the id of what has a name in a folder.
func (c raw) child(folder, name string) string {
	c.t.Helper()
	entries, _ := c.want(http.StatusOK, http.MethodGet, "folders/"+folder+"/items", nil)["entries"].([]any)
	for _, entry := range entries {
		if m, _ := entry.(map[string]any); m["name"] == name {
			id, _ := m["id"].(string)
			return id
		}
	}
	c.t.Fatalf("folder %s has no %s", folder, name)
	return ""
}

func (c raw) versions(file string) (ids []string) {
	c.t.Helper()
	entries, _ := c.want(http.StatusOK, http.MethodGet, "files/"+file+"/versions", nil)["entries"].([]any)
	for _, entry := range entries {
		m, _ := entry.(map[string]any)
		id, _ := m["id"].(string)
		ids = append(ids, id)
	}
	return ids
}

func TestEmulatedVersions(t *testing.T) {
	_, c, file := emulatedFile(t, "one", "two", "three")
	past := c.versions(file)
	if len(past) != 2 {
		t.Fatalf("past versions %v", past)
	}
	oldest := "files/" + file + "/versions/" + past[1]
	if v := c.want(http.StatusOK, http.MethodGet, oldest, nil); v["id"] != past[1] || v["sha1"] == "" {
		t.Errorf("the version is %v", v)
	}
	c.want(http.StatusNoContent, http.MethodDelete, oldest, nil)
	c.want(http.StatusNotFound, http.MethodGet, oldest, nil)
	c.want(http.StatusNotFound, http.MethodDelete, oldest, nil)
	c.want(http.StatusNotFound, http.MethodPost, "files/"+file+"/versions/current", map[string]string{"type": "file_version", "id": past[1]})
	c.want(http.StatusOK, http.MethodPut, oldest, map[string]any{"trashed_at": nil})
	c.want(http.StatusOK, http.MethodGet, oldest, nil)
	if !slices.Equal(c.versions(file), past) {
		t.Errorf("past versions %v, were %v", c.versions(file), past)
	}
	info := c.want(http.StatusOK, http.MethodGet, "files/"+file, nil)
	current, _ := info["file_version"].(map[string]any)
	id, _ := current["id"].(string)
	c.want(http.StatusBadRequest, http.MethodDelete, "files/"+file+"/versions/"+id, nil)
}

func TestEmulatedFolderCopy(t *testing.T) {
	service, c, _ := emulatedFile(t, "one")
	folder := c.child("0", "p")
	copied := c.want(http.StatusCreated, http.MethodPost, "folders/"+folder+"/copy",
		map[string]any{"name": "q", "parent": map[string]string{"id": "0"}})
	if copied["name"] != "q" || copied["id"] == folder {
		t.Errorf("the copy is %v", copied)
	}
	service.Put(path, "two")
	if got, err := service.Content("q/datasets/qa.csv"); err != nil || got != "one" {
		t.Errorf("the copy holds %q, error %v", got, err)
	}
	_, refused := c.call(http.MethodPost, "folders/"+folder+"/copy", map[string]any{"name": "Q", "parent": map[string]string{"id": "0"}})
	if refused["code"] != codeNameInUse {
		t.Errorf("a second copy: %v", refused)
	}
	_, refused = c.call(http.MethodPost, "folders/"+folder+"/copy", map[string]any{"parent": map[string]string{"id": folder}})
	if refused["code"] != "cyclical_folder_structure" {
		t.Errorf("a copy into itself: %v", refused)
	}
}

func TestEmulatedSharedLink(t *testing.T) {
	_, c, file := emulatedFile(t, "one")
	for _, path := range []string{"files/" + file, "folders/" + c.child("0", "p")} {
		shared := c.want(http.StatusOK, http.MethodPut, path, map[string]any{"shared_link": map[string]string{"access": "company"}})
		link, _ := shared["shared_link"].(map[string]any)
		if link["url"] == nil || link["access"] != "company" {
			t.Errorf("%s: the link is %v", path, link)
		}
		if again := c.want(http.StatusOK, http.MethodPut, path, map[string]any{"shared_link": nil}); again["shared_link"] != nil {
			t.Errorf("%s: the link stays: %v", path, again["shared_link"])
		}
	}
}

// A client sets the time of a file without sending it again.
func TestEmulatedContentTime(t *testing.T) {
	_, c, file := emulatedFile(t, "one")
	const at = "2011-12-13T14:15:16Z"
	changed := c.want(http.StatusOK, http.MethodPut, "files/"+file, map[string]string{"content_modified_at": at})
	if changed["content_modified_at"] != at {
		t.Errorf("the time is %v", changed["content_modified_at"])
	}
}

// Credentials at the download host are refused where a client of ours would send
// them; Box does not mind, and other clients do send them.
func TestEmulatedDownloadHost(t *testing.T) {
	_, c, file := emulatedFile(t, "one")
	for host, status := range map[string]int{"api.box.com": http.StatusOK, "": http.StatusBadRequest} {
		r, err := http.NewRequest(http.MethodGet, c.base+"/2.0/files/"+file+"/content", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		r.Header.Set("Authorization", "Bearer "+testToken)
		first, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = first.Body.Close() // it has none
		address, err := first.Location()
		if err != nil {
			t.Fatal(err)
		}
		second, err := http.NewRequest(http.MethodGet, c.base+address.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		second.Host = address.Host
		second.Header.Set("Authorization", "Bearer "+testToken)
		answer, err := http.DefaultTransport.RoundTrip(second)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // the status is enough
		if answer.StatusCode != status {
			t.Errorf("by way of %q: %s answers %d, want %d", host, address.Host, answer.StatusCode, status)
		}
	}
}
