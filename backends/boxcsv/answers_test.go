package boxcsv

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// Tests of answers that Box may give and the emulated one does not: fields that
// are asked for and do not come, above all.

// edited changes the answers of a service on their way.
type edited struct {
	http.RoundTripper
	edit func(r *http.Request, answer *http.Response)
}

// RoundTrip implements http.RoundTripper.
func (e edited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := e.RoundTripper.RoundTrip(r)
	if err == nil {
		e.edit(r, answer)
	}
	return answer, err
}

func (e *emulated) edit(edit func(r *http.Request, answer *http.Response)) {
	e.client.resty = newResty(edited{e.client.transport, edit})
}

// without takes fields out of all items of the answers to requests whose method
// and path are these.
func (e *emulated) without(t *testing.T, method, path string, fields ...string) {
	e.edit(func(r *http.Request, answer *http.Response) {
		if r.Method != method || !strings.Contains(r.URL.Path, path) {
			return
		}
		body, err := io.ReadAll(answer.Body)
		var decoded any
		if err = errors.Join(err, json.Unmarshal(body, &decoded)); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		}
		strip(decoded, fields)
		encoded, err := json.Marshal(decoded)
		if err != nil {
			t.Error(err)
		}
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(encoded)), int64(len(encoded))
	})
}

func strip(value any, fields []string) {
	switch v := value.(type) {
	case []any:
		for _, inner := range v {
			strip(inner, fields)
		}
	case map[string]any:
		for _, field := range fields {
			delete(v, field)
		}
		for key, inner := range v {
			if key != "parent" {
				strip(inner, fields)
			}
		}
	}
}

// A table that a listing shows in part is there; Box is asked about it.
func TestListingInPart(t *testing.T) {
	for _, field := range []string{"sha1", "file_version", "parent"} {
		box := openBox(t)
		entry := box.table(t)
		box.without(t, http.MethodGet, "/items", field)
		entries, err := box.List(t.Context(), backends.Ref{Project: "p"})
		if err != nil || len(entries) != 1 || entries[0].Version != entry.Version || entries[0].Ref.ID != entry.Ref.ID {
			t.Errorf("without %s: %+v, error %v; want %+v", field, entries, err, entry)
		}
		if _, known := box.tree.named(box.folderOf(t, entry), "qa.csv"); !known {
			t.Errorf("without %s: the file is not found by its name", field)
		}
	}
}

func (e *emulated) folderOf(t *testing.T, entry backends.Entry) string {
	t.Helper()
	project, _ := e.tree.project(entry.Ref.Project)
	folder, known := e.tree.folder(place{project, entry.Ref.Kind})
	if !known {
		t.Fatal("the folder is not known")
	}
	return folder
}

// Without an etag nothing is written and nothing deleted: it would be without
// condition.
func TestNothingIsWrittenWithoutCondition(t *testing.T) {
	box := openBox(t)
	entry := box.table(t)
	box.tree.forgetFile(entry.Ref.ID)
	box.without(t, http.MethodGet, "/files/", "etag")
	if err := box.push(t, entry, "new"); !errors.Is(err, backends.ErrIncomplete) {
		t.Errorf("an upload: error %v, want incomplete", err)
	}
	if err := box.Delete(t.Context(), entry.Ref, entry.Version); !errors.Is(err, backends.ErrIncomplete) {
		t.Errorf("a delete: error %v, want incomplete", err)
	}
	box.demand(t, "old", 1)
}

// An answer to a write that says too little is no failure of the write: Box is
// asked what it has.
func TestAnswersInPart(t *testing.T) {
	for _, field := range []string{"sha1", "file_version", "name"} {
		t.Run(field, func(t *testing.T) {
			box := openBox(t)
			entry := box.table(t)
			box.without(t, http.MethodPost, "/content", field)
			if err := box.push(t, entry, "new"); err != nil {
				t.Errorf("an upload: %v", err)
			}
			box.demand(t, "new", 2)
			ref := backends.Ref{Project: "p", Kind: backends.Datasets, Name: "second"}
			second, err := box.Create(t.Context(), backends.Create{Ref: ref, Document: documentOf("x")})
			if err != nil || second.Version == "" {
				t.Errorf("a new file: %+v, error %v", second, err)
			}
			if got, err := box.service.Content("p/datasets/second.csv"); err != nil || got != "x" {
				t.Errorf("Box has %q, error %v", got, err)
			}
			box.without(t, http.MethodPut, "/files/", field)
			renamed, err := box.Rename(t.Context(), second.Ref, "third")
			if err != nil || renamed.Ref.Name != "third" || renamed.Version != second.Version {
				t.Errorf("a rename: %+v, error %v", renamed, err)
			}
			box.without(t, http.MethodPost, "/folders", field)
			made, err := box.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "q"}})
			if err != nil || made.Ref.Project != "q" {
				t.Errorf("a new project: %+v, error %v", made, err)
			}
			box.without(t, http.MethodPut, "/folders/", field)
			moved, err := box.Rename(t.Context(), made.Ref, "r")
			if err != nil || moved.Ref.Project != "r" || moved.Ref.ProjectID != made.Ref.ProjectID {
				t.Errorf("a rename of a project: %+v, error %v", moved, err)
			}
		})
	}
}

// What is in the trash is not there, also where Box shows it.
func TestTrashedIsGone(t *testing.T) {
	box := openBox(t)
	entry := box.table(t)
	box.edit(func(r *http.Request, answer *http.Response) {
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		body = bytes.ReplaceAll(body, []byte(`"item_status":"active"`), []byte(`"item_status":"trashed"`))
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	})
	box.tree.forgetFile(entry.Ref.ID)
	if _, err := box.client.info(t.Context(), entry.Ref.ID); !errors.Is(err, backends.ErrNotFound) {
		t.Errorf("error %v, want not found", err)
	}
}

// A Box that does not give the current version by its id gives it without.
func TestVersionsWithoutAName(t *testing.T) {
	box := openBox(t)
	entry := box.table(t)
	asked := 0
	box.edit(func(r *http.Request, answer *http.Response) {
		if r.URL.Query().Has("version") {
			asked++
			answer.StatusCode, answer.Status = http.StatusNotFound, "404 Not Found"
			answer.Body = io.NopCloser(strings.NewReader(`{"type":"error","status":404,"code":"not_found"}`))
		}
	})
	if got, err := box.load(t, entry.Ref); err != nil || got != "old" || asked == 0 {
		t.Errorf("it is %q, error %v; asked by version: %d", got, err, asked)
	}
	// What comes without a version may be another one: that is noticed.
	box.service.SetKnobs(func(k *boxservice.Knobs) { k.WrongBytes = 9 })
	if got, err := box.load(t, entry.Ref); err == nil {
		t.Errorf("other bytes than those of the version are taken: %q", got)
	}
}

// A project that was just made is there although the listing lags behind.
func TestOwnProjectsStayVisible(t *testing.T) {
	box := openBox(t)
	box.table(t)
	box.service.SetKnobs(func(k *boxservice.Knobs) { k.ListingLag = faults.Duration(time.Hour) })
	entries, err := box.List(t.Context(), backends.Ref{})
	if err != nil || len(entries) != 1 || entries[0].Ref.Project != "p" {
		t.Errorf("%+v, error %v; want the project", entries, err)
	}
	if err := box.Delete(t.Context(), backends.Ref{Project: "p"}, ""); !errors.Is(err, backends.ErrNotEmpty) {
		t.Fatalf("a project with a table is deleted: %v", err)
	}
}

// What somebody takes out of the trash right after it was deleted here is back.
func TestRestoredAtOnce(t *testing.T) {
	box := openBox(t)
	entry := box.table(t)
	if err := box.Delete(t.Context(), entry.Ref, entry.Version); err != nil {
		t.Fatal(err)
	}
	w := &watcher{b: box.Backend, changed: func(backends.Ref) {}, seen: map[string]bool{}}
	first, err := w.page(t.Context(), "now")
	if err != nil {
		t.Fatal(err)
	}
	w.position = first.Next
	restored := struct {
		Name string `json:"name"`
	}{"qa.csv"}
	call := call{method: http.MethodPost, url: box.client.hosts.api + "/files/" + entry.Ref.ID, json: restored, writes: true}
	if err := box.client.do(t.Context(), call, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if entries, err := box.List(t.Context(), backends.Ref{Project: "p"}); err != nil || len(entries) != 1 {
		t.Errorf("%+v, error %v; want the table that is back", entries, err)
	}
}
