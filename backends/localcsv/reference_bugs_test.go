package localcsv_test

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/localcsv"
)

// Each of these is a way in which the backend of Ragas itself has lost data
// (reproduced there), and a proof that this one does not. Two more are not this
// level's: that an update of an unknown row appends it, and a delete of one
// claims to have found it, can only happen to a store of rows
// (backendtest: UpdateOfNoRowIsRefused, DeleteOfNoRowIsApplied).

// Reference: a row that fails validation is printed and dropped on load.
func TestEveryRowIsLoaded(t *testing.T) {
	content := "_row_id,q,score\r\n" +
		"r1,\"[1, 2]\",not a number\r\n" +
		"r2,short\r\n" +
		"r3,too,many,cells\r\n" +
		"\r\n" +
		",,\r\n" +
		"r4,\"" + strings.Repeat("long", 50_000) + "\",1\r\n" + // over Python's limit of 131072
		"r5,a\"b,\"x\"y\xff\r\n" +
		"r6,\"unterminated"
	b, _ := demo(t, content)
	got, err := readAll(load(t, b))
	if err != nil {
		t.Fatal(err)
	}
	if got != content {
		t.Errorf("%d bytes were loaded, the file has %d", len(got), len(content))
	}
}

// Reference: saving after such a load, or without any load, rewrites the file
// from what is in memory.
func TestUnreadRowsAreNotRewritten(t *testing.T) {
	b, path := demo(t, "a\n1\n2\n3\n")
	read := version(t, b) // and what was read of it was one row only
	writeTo(t, appender(t, path), "4\n")
	_, err := b.Apply(t.Context(), backends.Batch{Ref: qa, Base: read, Document: document("a\n1\n"), Grows: -1})
	demandError(t, err, backends.ErrConflict)
	demandFile(t, path, "a\n1\n2\n3\n4\n")
}

// Reference: append truncates the file, then fails on a row that it can't write.
func TestFailedSaveLeavesTheOldContent(t *testing.T) {
	broken := errors.New("can't encode this row")
	for name, grows := range map[string]int64{"replace": -1, "append": 4} {
		t.Run(name, func(t *testing.T) {
			b, path := demo(t, "a\n1\n")
			batch := replaceBy(t, b, "a\n1\n2\n3\n")
			batch.Grows = grows
			batch.Document.Open = func() (io.ReadCloser, error) {
				return io.NopCloser(io.MultiReader(strings.NewReader("a\n1\n2\n"), errorReader{broken})), nil
			}
			_, err := b.Apply(t.Context(), batch)
			demandError(t, err, broken)
			demandFile(t, path, "a\n1\n")
			demandNames(t, filepath.Dir(path), "qa.csv")
		})
	}
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// Reference: every append reads and rewrites the whole file.
func TestAppendCostsTheAppendedRows(t *testing.T) {
	base := "a\n" + strings.Repeat("row\n", 100_000)
	b, path := demo(t, base)
	before := inode(t, path)
	read := 0
	batch := replaceBy(t, b, base+"new\n")
	batch.Grows = int64(len(base))
	batch.Document.Open = func() (io.ReadCloser, error) {
		return &countingFile{ReadSeeker: strings.NewReader(base + "new\n"), read: &read}, nil
	}
	apply(t, b, batch)
	demandFile(t, path, base+"new\n")
	if inode(t, path) != before {
		t.Error("the file was rewritten")
	}
	if read != len("new\n") {
		t.Errorf("%d bytes were read to append %d", read, len("new\n"))
	}
}

type countingFile struct {
	io.ReadSeeker
	read *int
}

func (f *countingFile) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	*f.read += n
	return n, err
}

func (f *countingFile) Close() error { return nil }

// Reference: of two writers the last one wins, without a word.
func TestTwoWritersLoseNothing(t *testing.T) {
	first, path := demo(t, "a\n")
	second := opened(t, rootOf(path))
	var wait sync.WaitGroup
	for name, b := range map[string]*localcsv.Backend{"first": first, "second": second} {
		wait.Go(func() {
			for done := 0; done < 20; {
				if appendRow(t, b, name+"\n") {
					done++
				}
			}
		})
	}
	wait.Wait()
	got, err := readAll(load(t, first))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first\n", "second\n"} {
		if n := strings.Count(got, name); n != 20 {
			t.Errorf("%d rows of %q are there, want 20", n, name)
		}
	}
}

// appendRow does what the cache does: load, change, and begin again after a conflict.
func appendRow(t *testing.T, b *localcsv.Backend, row string) bool {
	loaded, err := b.Load(t.Context(), qa)
	if err != nil {
		t.Error(err)
		return true
	}
	defer loaded.Close() //nolint:errcheck // only read from
	text, err := readAll(loaded)
	if errors.Is(err, backends.ErrIncomplete) {
		return false
	}
	if err != nil {
		t.Error(err)
		return true
	}
	_, err = b.Apply(t.Context(), backends.Batch{
		Ref: qa, Base: loaded.Version, Document: document(text + row), Grows: -1,
	})
	if err != nil && !errors.Is(err, backends.ErrConflict) {
		t.Error(err)
		return true
	}
	return err == nil
}

// Reference: create adopts, and an experiment's save overwrites, what has the
// name already.
func TestCreateTakesNoName(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	_, err := b.Create(t.Context(), backends.Create{Ref: qa, Document: document("b\n")})
	demandError(t, err, backends.ErrExists)
	demandFile(t, path, "a\n1\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}
