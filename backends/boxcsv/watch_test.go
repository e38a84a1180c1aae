package boxcsv

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// The event that tells of a write of ours may come before its answer: it is no
// news all the same. What others write is.
func TestOwnWritesAreNoNews(t *testing.T) {
	box := openBox(t)
	entry := box.table(t)
	ctx, cancel := context.WithCancel(t.Context())
	told, ended := make(chan backends.Ref, 16), make(chan error, 1)
	go func() { ended <- box.Watch(ctx, func(ref backends.Ref) { told <- ref }) }()
	if ref := <-told; ref != (backends.Ref{}) {
		t.Errorf("at first %v is told, want everything", ref)
	}
	box.fault(t, faults.Rule{
		Method: http.MethodPost, Path: `/content$`, Times: 2, Action: faults.Trickle, Delay: faults.Duration(time.Millisecond),
	})
	if err := box.push(t, entry, "new"); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Create(t.Context(), backends.Create{
		Ref: backends.Ref{Project: "p", Kind: backends.Datasets, Name: "another"}, Document: documentOf("x"),
	}); err != nil {
		t.Fatal(err)
	}
	box.service.Put(path, "theirs")
	if ref := <-told; ref.Name != "qa" {
		t.Errorf("told is %v, want only what others write", ref)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for len(told) > 0 {
		t.Errorf("told is %v, too", <-told)
	}
	if got, err := box.load(t, entry.Ref); err != nil || got != "theirs" {
		t.Errorf("loaded %q, error %v", got, err)
	}
}
