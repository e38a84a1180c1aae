package ragasapp_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasservice"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// A key that is replaced has to open the same workspace: a new key of it costs
// one call, one of another workspace is refused until it is replaced again.
func TestReplacedKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(token)
	b := newBench(t, ragasstore.Switches{MaxPage: 2}, 3, map[string]string{"api_key_file": file})
	elsewhere := ragasstore.New(ragasstore.Switches{})
	title := "theirs"
	if _, err := elsewhere.CreateProject(ragasapi.Named{Name: &title}); err != nil {
		t.Fatal(err)
	}
	b.service = ragasservice.New(ragasservice.Workspaces{token: b.store, "renewed": b.store, "other": elsewhere}, ragasservice.Options{})
	if _, err := b.backend.List(t.Context(), backends.Ref{}); err != nil {
		t.Fatal(err)
	}
	ask := func() (calls int, err error) {
		calls = len(b.calls(func() { _, err = b.backend.Probe(t.Context(), b.ref) }))
		return calls, err
	}
	if _, _, err := b.load(t); err != nil {
		t.Fatal(err)
	}
	write("renewed")
	for _, want := range []int{2, 1} {
		if calls, err := ask(); err != nil || calls != want {
			t.Errorf("a renewed key: error %v after %d calls, want %d", err, calls, want)
		}
	}
	write("other")
	for _, want := range []int{1, 0} {
		if calls, err := ask(); !errors.Is(err, backends.ErrAuth) || calls != want {
			t.Errorf("the key of another workspace: error %v after %d calls, want %d", err, calls, want)
		}
	}
	if _, err := b.backend.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "new"}}); !errors.Is(err, backends.ErrAuth) {
		t.Errorf("a project for another workspace: error %v", err)
	}
	if err := b.backend.Delete(t.Context(), b.ref, ""); !errors.Is(err, backends.ErrAuth) {
		t.Errorf("a delete in another workspace: error %v", err)
	}
	write(token)
	if calls, err := ask(); err != nil || calls != 2 {
		t.Errorf("the old key again: error %v after %d calls", err, calls)
	}
}
