package localcsv_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ragasfs/ragasfs/backends/localcsv"
)

// In all of these an earlier process was killed while it replaced a table.

func TestUnfinishedContentIsRemoved(t *testing.T) {
	_, path := demo(t, "a\n1\n")
	hidden := filepath.Join(filepath.Dir(path), localcsv.HiddenName(t, path))
	write(t, hidden, "a\n2\nhalf of a rec")
	opened(t, rootOf(path))
	demandFile(t, path, "a\n1\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

func TestReplacedFileIsRemoved(t *testing.T) {
	_, path := demo(t, "a\n1\n")
	killedAfterExchange(t, path, "a\n2\n")
	opened(t, rootOf(path))
	demandFile(t, path, "a\n2\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// A late writer has changed it since; nobody knows how, so all of it is kept.
func TestReplacedFileThatChangedIsKept(t *testing.T) {
	_, path := demo(t, "a\n1\n")
	program := appender(t, path)
	killedAfterExchange(t, path, "a\n2\n")
	writeTo(t, program, "late\n")
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, rootOf(path))
	demandFile(t, path, "a\n2\n")
	demandFile(t, late(t, path), "a\n1\nlate\n")
}

// So is one whose table has gone since.
func TestReplacedFileOfNoTable(t *testing.T) {
	_, path := demo(t, "a\n1\n")
	program := appender(t, path)
	killedAfterExchange(t, path, "a\n2\n")
	writeTo(t, program, "late\n")
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	opened(t, rootOf(path))
	demandNames(t, filepath.Dir(path), "recovered.csv")
	demandFile(t, filepath.Join(filepath.Dir(path), "recovered.csv"), "a\n1\nlate\n")
}

// Names that only look like ours are somebody else's.
func TestForeignHiddenFilesStay(t *testing.T) {
	_, path := demo(t, "a\n1\n")
	for _, name := range []string{".ragasfs-", ".ragasfs-x", ".ragasfs-00000000-1-2-3-0-0.csv", ".ragasfs-notes.txt"} {
		write(t, filepath.Join(filepath.Dir(path), name), "mine")
	}
	before := names(t, filepath.Dir(path))
	opened(t, rootOf(path))
	demandNames(t, filepath.Dir(path), before...)
}

// killedAfterExchange leaves the folder as a process does that is killed right
// after the exchange of names.
func killedAfterExchange(t *testing.T, path, content string) {
	t.Helper()
	hidden := filepath.Join(filepath.Dir(path), localcsv.HiddenName(t, path))
	if err := os.Rename(path, hidden); err != nil {
		t.Fatal(err)
	}
	write(t, path, content)
}
