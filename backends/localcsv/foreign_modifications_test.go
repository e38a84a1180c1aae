package localcsv_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/localcsv"
)

// In all of these another program is quicker by a hair: it changes the table
// between the last look at it and its replacement.

func TestReplaceLosesToWriteInPlace(t *testing.T) {
	for name, exchange := range map[string]bool{"exchange": true, "rename": false} {
		t.Run(name, func(t *testing.T) {
			b, path := demo(t, "a\nold\n")
			if !exchange {
				b.WithoutExchange()
			}
			b.BeforeChange(func() { write(t, path, "a\ntheirs\n") })
			_, err := b.Apply(t.Context(), replaceBy(t, b, "a\nours\n"))
			demandError(t, err, backends.ErrConflict)
			demandFile(t, path, "a\ntheirs\n")
			demandNames(t, filepath.Dir(path), "qa.csv")
		})
	}
}

func TestReplaceLosesToAppend(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	file := appender(t, path)
	b.BeforeChange(func() { writeTo(t, file, "theirs\n") })
	_, err := b.Apply(t.Context(), replaceBy(t, b, "a\nours\n"))
	demandError(t, err, backends.ErrConflict)
	demandFile(t, path, "a\nold\ntheirs\n")
}

func TestReplaceLosesToRename(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	b.BeforeChange(func() {
		write(t, path+".tmp", "a\ntheirs\n")
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Error(err)
		}
	})
	_, err := b.Apply(t.Context(), replaceBy(t, b, "a\nours\n"))
	demandError(t, err, backends.ErrConflict)
	demandFile(t, path, "a\ntheirs\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// A second foreign file comes while the first gets its name back.
func TestReplaceLosesTwice(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	b.BeforeChange(func() { write(t, path, "a\nfirst\n") })
	b.AfterExchange(func() {
		write(t, path+".tmp", "a\nsecond\n")
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Error(err)
		}
	})
	_, err := b.Apply(t.Context(), replaceBy(t, b, "a\nours\n"))
	demandError(t, err, backends.ErrConflict)
	demandFile(t, path, "a\nsecond\n")
}

func TestReplaceLosesToDelete(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	b.BeforeChange(func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	})
	_, err := b.Apply(t.Context(), replaceBy(t, b, "a\nours\n"))
	demandError(t, err, backends.ErrNotFound)
	demandNames(t, filepath.Dir(path))
}

// Two programs append at the same time: both records are there, and the version
// is not claimed to be that of the document.
func TestGrowthBesideAppend(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	file := appender(t, path)
	b.BeforeChange(func() { writeTo(t, file, "theirs\n") })
	batch := replaceBy(t, b, "a\nold\nours\n")
	batch.Grows = int64(len("a\nold\n"))
	result := apply(t, b, batch)
	if result.Version != "" {
		t.Errorf("version %q is claimed for a content that the file does not have", result.Version)
	}
	demandFile(t, path, "a\nold\ntheirs\nours\n")
}

// The file that was appended to is not the table any more.
func TestGrowthLosesToRename(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	b.BeforeChange(func() {
		write(t, path+".tmp", "a\ntheirs\n")
		if err := os.Rename(path+".tmp", path); err != nil {
			t.Error(err)
		}
	})
	batch := replaceBy(t, b, "a\nold\nours\n")
	batch.Grows = int64(len("a\nold\n"))
	_, err := b.Apply(t.Context(), batch)
	demandError(t, err, backends.ErrConflict)
	demandFile(t, path, "a\ntheirs\n")
}

func TestGrowthKeepsTheFile(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	before := inode(t, path)
	batch := replaceBy(t, b, "a\n1\n2\n")
	batch.Grows = 4
	apply(t, b, batch)
	demandFile(t, path, "a\n1\n2\n")
	if inode(t, path) != before {
		t.Error("growth made another file of it")
	}
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// What does not continue the file as it is now is never appended.
func TestGrowthOfAnotherSizeReplaces(t *testing.T) {
	b, path := demo(t, "a\n1\n2\n3\n")
	batch := replaceBy(t, b, "a\n1\n9\n")
	batch.Grows, batch.Base = 4, ""
	apply(t, b, batch)
	demandFile(t, path, "a\n1\n9\n")
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}

// Readers who know nothing of us see one whole content or the other.
func TestReadersNeverSeeAPart(t *testing.T) {
	contents := []string{"a\n1\n", "a\n1\n2\n3\n4\n", "", "a\n2\n"}
	b, path := demo(t, contents[0])
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			got, err := os.ReadFile(path)
			if err != nil {
				t.Errorf("the table was not there: %v", err)
				return
			}
			if s := string(got); s != contents[0] && s != contents[1] && s != contents[2] && s != contents[3] {
				t.Errorf("a reader saw %q", s)
				return
			}
		}
	})
	for i := range 100 {
		apply(t, b, replaceBy(t, b, contents[(i+1)%len(contents)]))
	}
	cancel()
	wait.Wait()
}

// Whoever has the file open keeps what was in it.
func TestOpenReaderKeepsTheOldContent(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // only read from
	apply(t, b, replaceBy(t, b, "a\nnew\n"))
	buffer := make([]byte, 100)
	n, err := file.Read(buffer)
	if err != nil || string(buffer[:n]) != "a\nold\n" {
		t.Errorf("an open file shows %q, error %v", buffer[:n], err)
	}
}

// Two daemons at one root: each table change is made by one of them.
func TestTwoBackendsAtOneRoot(t *testing.T) {
	first, path := demo(t, "a\nold\n")
	second := opened(t, filepath.Dir(filepath.Dir(filepath.Dir(path))))
	batch := replaceBy(t, first, "a\nfirst\n")
	rival := replaceBy(t, second, "a\nsecond\n")
	first.BeforeChange(func() { apply(t, second, rival) })
	_, err := first.Apply(t.Context(), batch)
	demandError(t, err, backends.ErrConflict)
	demandFile(t, path, "a\nsecond\n")
}

func TestDeleteLosesToWrite(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	base := version(t, b)
	write(t, path, "a\ntheirs\n")
	demandError(t, b.Delete(t.Context(), qa, base), backends.ErrConflict)
	demandFile(t, path, "a\ntheirs\n")
}

func TestDeleteLosesToLateWrite(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	base := version(t, b)
	b.BeforeChange(func() { write(t, path, "a\ntheirs\n") })
	demandError(t, b.Delete(t.Context(), qa, base), backends.ErrConflict)
	demandFile(t, path, "a\ntheirs\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

func TestModeOwnerAndAttributesStay(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	root := os.Getuid() == 0
	if root {
		if err := os.Chown(path, 1234, 2345); err != nil {
			t.Fatal(err)
		}
	}
	attributes := syscall.Setxattr(path, "user.note", []byte("mine"), 0) == nil
	apply(t, b, replaceBy(t, b, "a\nnew\n"))
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Mode&0o7777 != 0o640 {
		t.Errorf("mode is %o, want 640", st.Mode&0o7777)
	}
	if root && (st.Uid != 1234 || st.Gid != 2345) {
		t.Errorf("owner is %d:%d, want 1234:2345", st.Uid, st.Gid)
	}
	value := make([]byte, 10)
	if n, err := syscall.Getxattr(path, "user.note", value); attributes && (err != nil || string(value[:n]) != "mine") {
		t.Errorf("attribute is %q, error %v", value[:max(n, 0)], err)
	}
}

func TestLoadDuringGrowth(t *testing.T) {
	b, path := demo(t, "a\nold\n")
	loaded := load(t, b)
	writeTo(t, appender(t, path), "more\n")
	got, err := readAll(loaded)
	if err != nil || got != "a\nold\n" {
		t.Errorf("loaded %q, error %v", got, err)
	}
}

func TestLoadDuringRewrite(t *testing.T) {
	for name, content := range map[string]string{
		"shorter": "a\n", "same size": "a\nnew\n", "longer": "a\nnew and longer\n",
	} {
		t.Run(name, func(t *testing.T) {
			b, path := demo(t, "a\nold\n")
			loaded := load(t, b)
			begin := make([]byte, 3)
			if _, err := loaded.Document.Read(begin); err != nil {
				t.Fatal(err)
			}
			write(t, path, content)
			_, err := readAll(loaded)
			demandError(t, err, backends.ErrIncomplete)
		})
	}
}

// A replacement by rename does not touch the file that is being read.
func TestLoadDuringReplacement(t *testing.T) {
	b, _ := demo(t, "a\nold\n")
	loaded := load(t, b)
	apply(t, b, replaceBy(t, b, "a\nnew\n"))
	got, err := readAll(loaded)
	if err != nil || got != "a\nold\n" {
		t.Errorf("loaded %q, error %v", got, err)
	}
}

func load(t *testing.T, b *localcsv.Backend) *backends.Loaded {
	t.Helper()
	loaded, err := b.Load(t.Context(), qa)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loaded.Close(); err != nil {
			t.Error(err)
		}
	})
	return loaded
}
