package boxcsv

import (
	"crypto/sha1"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

const path = "p/datasets/qa.csv"

func documentOf(text string) backends.Document {
	return backends.Document{
		Size: int64(len(text)), SHA1: sha1.Sum([]byte(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

// table makes p/datasets/qa.csv with the content "old".
func (e *emulated) table(t *testing.T) backends.Entry {
	t.Helper()
	if _, err := e.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "p"}}); err != nil {
		t.Fatal(err)
	}
	entry, err := e.Create(t.Context(), backends.Create{
		Ref: backends.Ref{Project: "p", Kind: backends.Datasets, Name: "qa"}, Document: documentOf("old"),
	})
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func (e *emulated) push(t *testing.T, entry backends.Entry, text string) error {
	t.Helper()
	_, err := e.Apply(t.Context(), backends.Batch{Ref: entry.Ref, Base: entry.Version, Document: documentOf(text), Grows: -1})
	return err
}

func (e *emulated) demand(t *testing.T, want string, versions int) {
	t.Helper()
	got, err := e.service.Content(path)
	if err != nil || got != want {
		t.Errorf("Box has %q, error %v; want %q", got, err, want)
	}
	if n, err := e.service.Versions(path); err != nil || n != versions {
		t.Errorf("Box has %d versions, error %v; want %d", n, err, versions)
	}
}

func (e *emulated) load(t *testing.T, ref backends.Ref) (string, error) {
	t.Helper()
	loaded, err := e.Load(t.Context(), ref)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(loaded.Document)
	return string(text), errors.Join(err, loaded.Close())
}

// F1, F3: an upload whose answer is lost is looked for, never sent twice.
func TestAmbiguousUpload(t *testing.T) {
	for _, test := range []struct {
		name    string
		rule    faults.Rule
		applied bool
	}{
		{"dropped after", faults.Rule{Action: faults.ApplyThenDrop}, true},
		{"500 after", faults.Rule{Action: faults.ApplyThenStatus, Status: 500}, true},
		{"502 after", faults.Rule{Action: faults.ApplyThenStatus, Status: 502}, true},
		{"503 after", faults.Rule{Action: faults.ApplyThenStatus, Status: 503}, true},
		{"cut answer", faults.Rule{Action: faults.ApplyThenCut}, true},
		{"503 before", faults.Rule{Action: faults.Status, Status: 503}, false},
		{"dropped before", faults.Rule{Action: faults.Drop}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			box := openBox(t)
			entry := box.table(t)
			test.rule.Method, test.rule.Path, test.rule.Times = http.MethodPost, `/files/\d+/content$`, 1
			box.fault(t, test.rule)
			err := box.push(t, entry, "new")
			if test.applied {
				if err != nil {
					t.Errorf("error %v, want success", err)
				}
				box.demand(t, "new", 2)
				return
			}
			if !errors.Is(err, backends.ErrUnknown) {
				t.Errorf("error %v, want unknown", err)
			}
			box.demand(t, "old", 1)
			if err := box.push(t, entry, "new"); err != nil {
				t.Errorf("the same again: %v", err)
			}
			box.demand(t, "new", 2)
		})
	}
}

// F4: a create whose answer is lost adopts its own file, and no other.
func TestAmbiguousCreate(t *testing.T) {
	box := openBox(t)
	box.table(t)
	request := backends.Create{Ref: backends.Ref{Project: "p", Kind: backends.Datasets, Name: "other"}, Document: documentOf("x")}
	box.fault(t, faults.Rule{Method: http.MethodPost, Path: `/files/content$`, Times: 1, Action: faults.ApplyThenStatus})
	if _, err := box.Create(t.Context(), request); err != nil {
		t.Errorf("error %v, want the file adopted", err)
	}
	request.Document = documentOf("y")
	if _, err := box.Create(t.Context(), request); !errors.Is(err, backends.ErrExists) {
		t.Errorf("error %v, want that it exists", err)
	}
}

// F5, F10, F21: what is better later says so, and when.
func TestBetterLater(t *testing.T) {
	for name, set := range map[string]func(*boxservice.Knobs){
		"blocked": func(k *boxservice.Knobs) { k.Blocked = 1 },
		"full":    func(k *boxservice.Knobs) { k.StorageFull = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			box := openBox(t)
			entry := box.table(t)
			box.service.SetKnobs(set)
			if err := box.push(t, entry, "new"); !errors.Is(err, backends.ErrUnavailable) {
				t.Errorf("error %v, want unavailable", err)
			}
			box.demand(t, "old", 1)
			if err := box.push(t, entry, "new"); err != nil {
				t.Errorf("later: %v", err)
			}
			box.demand(t, "new", 2)
		})
	}
}

// F6, F7, F8: another content is a conflict, another etag alone is none, and an
// etag that comes back hides nothing.
func TestForeignChanges(t *testing.T) {
	t.Run("content", func(t *testing.T) {
		box := openBox(t)
		entry := box.table(t)
		box.service.Put(path, "theirs")
		if err := box.push(t, entry, "ours"); !errors.Is(err, backends.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
		box.demand(t, "theirs", 2)
	})
	t.Run("description", func(t *testing.T) {
		box := openBox(t)
		entry := box.table(t)
		if err := box.service.Touch(path); err != nil {
			t.Fatal(err)
		}
		if err := box.push(t, entry, "ours"); err != nil {
			t.Errorf("error %v, want success with the new etag", err)
		}
		box.demand(t, "ours", 2)
	})
	t.Run("promoted", func(t *testing.T) {
		box := openBox(t)
		box.service.SetKnobs(func(k *boxservice.Knobs) { k.KeepEtag = true })
		entry := box.table(t)
		box.service.Put(path, "theirs")
		if err := box.service.PromoteFirst(path); err != nil {
			t.Fatal(err)
		}
		probed, err := box.Probe(t.Context(), entry.Ref)
		if err != nil || probed.Version == entry.Version {
			t.Errorf("version %q, error %v; want another than %q", probed.Version, err, entry.Version)
		}
		if err := box.push(t, entry, "ours"); !errors.Is(err, backends.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
	})
	t.Run("deleted and made again", func(t *testing.T) { // F9
		box := openBox(t)
		entry := box.table(t)
		if err := box.service.Trash(path); err != nil {
			t.Fatal(err)
		}
		box.service.Put(path, "theirs")
		if err := box.push(t, entry, "ours"); err == nil {
			t.Error("the file of another was overwritten")
		}
		box.demand(t, "theirs", 1)
	})
}

// F14, F15: nothing that is short, empty or garbled gets through, and no
// credentials go to the host of the downloads.
func TestBadDownloads(t *testing.T) {
	for name, set := range map[string]func(*boxservice.Knobs, int){
		"not ready": func(k *boxservice.Knobs, n int) { k.NotReady = min(n, 1) },
		"wrong":     func(k *boxservice.Knobs, n int) { k.WrongBytes = n },
		"empty":     func(k *boxservice.Knobs, n int) { k.EmptyBody = n },
		"expired":   func(k *boxservice.Knobs, n int) { k.ExpiredURL = n },
	} {
		t.Run(name, func(t *testing.T) {
			box := openBox(t)
			entry := box.table(t)
			box.service.SetKnobs(func(k *boxservice.Knobs) { set(k, 1) })
			if text, err := box.load(t, entry.Ref); err != nil || text != "old" {
				t.Errorf("once: %q, error %v; want the read repeated", text, err)
			}
			if seen := box.service.CredentialsAtDownloads(); len(seen) > 0 {
				t.Errorf("the download host got %v", seen)
			}
			if name == "not ready" {
				return
			}
			box.service.SetKnobs(func(k *boxservice.Knobs) { set(k, 1000) })
			if text, err := box.load(t, entry.Ref); err == nil {
				t.Errorf("always: %q and no error", text)
			}
		})
	}
}

// F16: parts that were stored although the answer says otherwise, commits that
// take their time.
func TestUploadInParts(t *testing.T) {
	const size = 100
	for name, prepare := range map[string]func(*testing.T, *emulated){
		"plain": func(*testing.T, *emulated) {},
		"500 though stored": func(t *testing.T, box *emulated) {
			box.fault(t, faults.Rule{Method: http.MethodPut, Path: "upload_sessions", Times: 1, Action: faults.ApplyThenStatus, Status: 500})
		},
		"commit not ready": func(_ *testing.T, box *emulated) {
			box.service.SetKnobs(func(k *boxservice.Knobs) { k.CommitNotReady = 1 })
		},
		"mismatch": func(_ *testing.T, box *emulated) {
			box.service.SetKnobs(func(k *boxservice.Knobs) { k.PartsMismatch = 2 })
		},
		"commit applied then 500": func(t *testing.T, box *emulated) {
			box.fault(t, faults.Rule{Method: http.MethodPost, Path: "/commit$", Times: 1, Action: faults.ApplyThenStatus, Status: 500})
		},
	} {
		t.Run(name, func(t *testing.T) {
			box := openBoxWith(t, boxservice.Options{PartSize: 16, MinChunked: 1}, func(o *Options) { o.Direct = size / 2 })
			entry := box.table(t)
			prepare(t, box)
			text := strings.Repeat("0123456789", size/10)
			if err := box.push(t, entry, text); err != nil {
				t.Fatalf("error %v", err)
			}
			box.demand(t, text, 2)
		})
	}
	t.Run("someone else writes before the commit", func(t *testing.T) {
		box := openBoxWith(t, boxservice.Options{PartSize: 16, MinChunked: 1}, func(o *Options) { o.Direct = size / 2 })
		entry := box.table(t)
		box.service.Put(path, "theirs")
		if err := box.push(t, entry, strings.Repeat("x", size)); !errors.Is(err, backends.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
		box.demand(t, "theirs", 2)
	})
}

// F17, F18: listings that are odd are whole all the same.
func TestListings(t *testing.T) {
	for _, end := range []string{"", "null", "empty"} {
		box := openBox(t)
		box.table(t)
		box.service.SetKnobs(func(k *boxservice.Knobs) { k.MarkerEnd, k.StrangeListing = end, true })
		entries, err := box.List(t.Context(), backends.Ref{Project: "p"})
		if err != nil || len(entries) != 1 {
			t.Errorf("end %q: %d entries, error %v; want 1", end, len(entries), err)
		}
	}
}

// A listing that lags behind does not hide what was made here.
func TestOwnTablesStayVisible(t *testing.T) {
	box := openBox(t)
	box.table(t)
	box.service.SetKnobs(func(k *boxservice.Knobs) { k.HideListings = 0 })
	where, _ := box.tree.project("p")
	folder, _ := box.tree.folder(place{where, backends.Datasets})
	box.service.SetKnobs(func(k *boxservice.Knobs) { k.HideListings = 1 })
	items, err := box.listFolder(t.Context(), folder)
	if err != nil || len(items) != 1 {
		t.Errorf("%d items, error %v; want the one that was made here", len(items), err)
	}
}

// F24: an answer that contradicts what was sent is no success.
func TestContradictingAnswer(t *testing.T) {
	box := openBox(t)
	entry := box.table(t)
	box.service.SetKnobs(func(k *boxservice.Knobs) { k.WrongSHA1 = 1 })
	if err := box.push(t, entry, "new"); err != nil { // reading it again settles it
		t.Errorf("error %v, want that the file was read again", err)
	}
	box.demand(t, "new", 2)
}

// F19: a name that Box changes is refused, and nothing of it stays.
func TestSanitizedName(t *testing.T) {
	box := openBox(t)
	box.table(t)
	box.service.SetKnobs(func(k *boxservice.Knobs) { k.Sanitize = true })
	_, err := box.Create(t.Context(), backends.Create{
		Ref: backends.Ref{Project: "p", Kind: backends.Datasets, Name: "a:b"}, Document: documentOf("x"),
	})
	if !errors.Is(err, backends.ErrRefused) {
		t.Errorf("error %v, want refused", err)
	}
	if entries, err := box.List(t.Context(), backends.Ref{Project: "p"}); err != nil || len(entries) != 1 {
		t.Errorf("%d tables, error %v; want only the first", len(entries), err)
	}
}

// F23: words that are no JSON, and statuses alone.
func TestErrorsOfGateways(t *testing.T) {
	for status, want := range map[int]error{
		429: backends.ErrUnavailable, 500: backends.ErrUnavailable, 502: backends.ErrUnavailable,
		403: backends.ErrAuth, 401: backends.ErrAuth, 413: backends.ErrRefused, 423: backends.ErrUnavailable,
	} {
		err := failureOf(status, http.Header{}, []byte("<html>bad gateway"), false)
		if !errors.Is(err, want) {
			t.Errorf("status %d: %v, want %v", status, err, want)
		}
	}
	if err := failureOf(502, http.Header{}, nil, true); !errors.Is(err, backends.ErrUnknown) {
		t.Errorf("502 after a write: %v, want unknown", err)
	}
}

// F20: who may not read events is told so, and is no case for new credentials.
func TestWatchWithoutTheRight(t *testing.T) {
	box := openBox(t)
	box.fault(t, faults.Rule{Path: "/events", Action: faults.Status, Status: http.StatusForbidden})
	err := box.Watch(t.Context(), func(backends.Ref) {})
	if !errors.Is(err, backends.ErrUnsupported) || errors.Is(err, backends.ErrAuth) {
		t.Errorf("error %v, want that it is not supported", err)
	}
}
