package localcsv_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/localcsv"
)

// watched runs Watch and returns what it reports.
func watched(t *testing.T, b *localcsv.Backend) <-chan backends.Ref {
	t.Helper()
	const enough = 10_000 // never blocks the watcher
	refs := make(chan backends.Ref, enough)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Watch(ctx, func(ref backends.Ref) { refs <- ref }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	demandReport(t, refs, backends.Ref{}) // it stands
	return refs
}

func demandReport(t *testing.T, refs <-chan backends.Ref, want backends.Ref) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case ref := <-refs:
			if ref == want {
				return
			}
		case <-deadline:
			t.Fatalf("no report of %s", want)
		}
	}
}

func TestWatchSeesOtherPrograms(t *testing.T) {
	b, path := demo(t, "a\n")
	refs := watched(t, b)

	writeTo(t, appender(t, path), "1\n")
	demandReport(t, refs, qa)

	write(t, path+".tmp", "b\n")
	if err := os.Rename(path+".tmp", path); err != nil {
		t.Fatal(err)
	}
	demandReport(t, refs, qa)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	demandReport(t, refs, qa)
}

// Folders that are new are watched like the old ones.
func TestWatchSeesNewProjects(t *testing.T) {
	b, path := demo(t, "a\n")
	refs := watched(t, b)
	if err := os.Mkdir(filepath.Join(rootOf(path), "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	demandReport(t, refs, backends.Ref{Project: "new"})
	if err := os.Mkdir(filepath.Join(rootOf(path), "new", "experiments"), 0o755); err != nil {
		t.Fatal(err)
	}
	demandReport(t, refs, backends.Ref{Project: "new"})
	write(t, filepath.Join(rootOf(path), "new", "experiments", "e.csv"), "a\n")
	demandReport(t, refs, backends.Ref{Project: "new", Kind: backends.Experiments, Name: "e"})
}

// Scratch files of other programs, and our own, are nobody's business.
func TestWatchIgnoresScratch(t *testing.T) {
	b, path := demo(t, "a\n")
	refs := watched(t, b)
	for _, name := range []string{".qa.csv.swp", "qa.csv~", ".ragasfs-x", "report.pdf"} {
		write(t, filepath.Join(filepath.Dir(path), name), "x")
	}
	writeTo(t, appender(t, path), "1\n") // comes behind them
	deadline := time.After(10 * time.Second)
	for {
		select {
		case ref := <-refs:
			if ref != qa {
				t.Errorf("%s is reported", ref)
			}
			if ref == qa {
				return
			}
		case <-deadline:
			t.Fatal("no report at all")
		}
	}
}
