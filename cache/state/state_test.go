package state_test

import (
	"os"
	"testing"

	"github.com/ragasfs/ragasfs/cache/state"
)

type fact struct {
	Name string
	N    int
}

func open(t testing.TB, dir string) (*state.DB, state.Report) {
	t.Helper()
	db, report, err := state.Open(state.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, report
}

// memory is a directory in memory, where syncing costs nothing, if there is one.
func memory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ragasfs-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// crash answers a copy of a store's directory as a crash at this moment would
// leave it. The DB may be open (nobody must be writing).
func crash(t testing.TB, dir string) string {
	t.Helper()
	to := memory(t)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func BenchmarkNormal(b *testing.B) { benchmarkCommit(b, state.Normal) }
func BenchmarkFull(b *testing.B)   { benchmarkCommit(b, state.Full) }

func benchmarkCommit(b *testing.B, level state.Level) {
	db, _ := open(b, b.TempDir())
	for b.Loop() {
		err := db.Update(level, func(tx *state.Tx) error {
			return tx.Put("commit", "1234567890", fact{"p/datasets/qa.csv", 1})
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	db, _ := open(b, b.TempDir())
	if err := db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put("k", "i", fact{"x", 1}) }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var f fact
		if err := db.View(func(tx *state.Tx) error { _, err := tx.Get("k", "i", &f); return err }); err != nil {
			b.Fatal(err)
		}
	}
}
