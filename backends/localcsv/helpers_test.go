package localcsv_test

import (
	"crypto/sha1"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/localcsv"
)

var qa = backends.Ref{Project: "demo", Kind: backends.Datasets, Name: "qa"}

// demo opens a root with the table demo/datasets/qa, and returns its path.
func demo(t *testing.T, content string) (*localcsv.Backend, string) {
	t.Helper()
	root := t.TempDir()
	path := filepath.Join(root, "demo", "datasets", "qa.csv")
	write(t, path, content)
	return opened(t, root), path
}

func opened(t *testing.T, root string) *localcsv.Backend {
	t.Helper()
	b := open(t, root, false)
	t.Cleanup(func() {
		if err := b.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
			t.Error(err)
		}
	})
	return b
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func demandFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", filepath.Base(path), got, want)
	}
}

// demandNames demands that a directory holds exactly these names.
func demandNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func document(text string) backends.Document {
	return backends.Document{
		Size: int64(len(text)),
		SHA1: sha1.Sum([]byte(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

func version(t *testing.T, b *localcsv.Backend) backends.Version {
	t.Helper()
	entry, err := b.Probe(t.Context(), qa)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Version
}

// replaceBy is a batch that replaces demo/datasets/qa as it stands now.
func replaceBy(t *testing.T, b *localcsv.Backend, text string) backends.Batch {
	t.Helper()
	return backends.Batch{Ref: qa, Base: version(t, b), Document: document(text), Grows: -1}
}

func apply(t *testing.T, b *localcsv.Backend, batch backends.Batch) backends.Result {
	t.Helper()
	result, err := b.Apply(t.Context(), batch)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return result
}

func demandError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v; want one that is %q", err, want)
	}
}

// appender is another program that has a table open for appending.
func appender(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() }) // most tests close it themselves
	return file
}

func writeTo(t *testing.T, file *os.File, text string) {
	t.Helper()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func readAll(loaded *backends.Loaded) (string, error) {
	bytes, err := io.ReadAll(loaded.Document)
	return string(bytes), err
}

func fd(file *os.File) string { return strconv.Itoa(int(file.Fd())) }
