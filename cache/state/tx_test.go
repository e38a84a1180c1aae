package state_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ragasfs/ragasfs/cache/state"
)

// must runs one Update and fails the test if it fails.
func must(t testing.TB, db *state.DB, level state.Level, fn func(tx *state.Tx) error) {
	t.Helper()
	if err := db.Update(level, fn); err != nil {
		t.Fatal(err)
	}
}

// ids lists what Each gives.
func ids(t testing.TB, db *state.DB, kind, prefix string) []string {
	t.Helper()
	var got []string
	err := db.View(func(tx *state.Tx) error {
		return tx.Each(kind, prefix, func(id string, decode func(any) error) error {
			var f fact
			if err := decode(&f); err != nil {
				return err
			}
			if f.Name != fmt.Sprintf("%q", id) {
				t.Errorf("record %q has the body of %q", id, f.Name)
			}
			got = append(got, id)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func putAll(t testing.TB, db *state.DB, kind string, all ...string) {
	t.Helper()
	must(t, db, state.Normal, func(tx *state.Tx) error {
		for i, id := range all {
			if err := tx.Put(kind, id, fact{fmt.Sprintf("%q", id), i}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestRecordsSurviveReopen(t *testing.T) {
	dir := t.TempDir()
	db, report := open(t, dir)
	if !report.Created || !report.Clean || report.Damaged {
		t.Errorf("a new state reports %+v", report)
	}
	putAll(t, db, "a", "one", "two")
	must(t, db, state.Full, func(tx *state.Tx) error { return tx.Put("a", "two", fact{"two", 22}) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db, report = open(t, dir)
	if report.Created || !report.Clean || report.Damaged || report.Incomplete {
		t.Errorf("after a clean end: %+v", report)
	}
	var f fact
	err := db.View(func(tx *state.Tx) error {
		if found, err := tx.Get("a", "two", &f); !found || err != nil {
			t.Errorf("Get(two) = %v, %v", found, err)
		}
		if found, err := tx.Get("b", "two", &f); found || err != nil {
			t.Errorf("Get of another kind = %v, %v", found, err)
		}
		return nil
	})
	if err != nil || f != (fact{"two", 22}) {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestEachIsInOrderAndKeepsToPrefix(t *testing.T) {
	db, _ := open(t, t.TempDir())
	strange := []string{"", "\x00", "a", "a\x00", "a/1", "a/2", "a0", "b", "\xfe", "\xff", "\xff\xff", "\xff\xffx", "ü"}
	putAll(t, db, "k", strange...)
	putAll(t, db, "l", "other")
	for _, prefix := range append([]string{"a/", "zz"}, strange...) {
		var want []string
		for _, id := range strange {
			if strings.HasPrefix(id, prefix) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if got := ids(t, db, "k", prefix); !slices.Equal(got, want) {
			t.Errorf("prefix %q: got %q, want %q", prefix, got, want)
		}
	}
	must(t, db, state.Normal, func(tx *state.Tx) error { return tx.DeletePrefix("k", "\xff") })
	must(t, db, state.Normal, func(tx *state.Tx) error { return tx.DeletePrefix("k", "a/") })
	must(t, db, state.Normal, func(tx *state.Tx) error { return tx.Delete("k", "b") })
	if got, want := ids(t, db, "k", ""), []string{"", "\x00", "a", "a\x00", "a0", "ü", "\xfe"}; !slices.Equal(got, want) {
		t.Errorf("after deletes: got %q, want %q", got, want)
	}
	must(t, db, state.Normal, func(tx *state.Tx) error { return tx.DeletePrefix("k", "") })
	if got := ids(t, db, "k", ""); len(got) != 0 {
		t.Errorf("after the last delete: %q", got)
	}
	if got := ids(t, db, "l", ""); !slices.Equal(got, []string{"other"}) {
		t.Errorf("another kind: %q", got)
	}
}

// More than a page, with bodies larger than one, and a callback that writes and
// scans itself.
func TestEachOfManyWithWritesInside(t *testing.T) {
	db, _ := open(t, t.TempDir())
	const n = 600
	for from := 0; from < n; from += 300 {
		must(t, db, state.Normal, func(tx *state.Tx) error {
			for i := from; i < from+300; i++ {
				body := fact{strings.Repeat("x", i%7*500), i}
				if i == 350 {
					body.Name = strings.Repeat("y", 3<<20)
				}
				if err := tx.Put("k", fmt.Sprintf("%04d", i), body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	seen := 0
	must(t, db, state.Normal, func(tx *state.Tx) error {
		return tx.Each("k", "", func(id string, decode func(any) error) error {
			var f fact
			if err := decode(&f); err != nil || id != fmt.Sprintf("%04d", f.N) || f.N != seen {
				return fmt.Errorf("%q is number %d of %d: %w", id, f.N, seen, err)
			}
			seen++
			inner := 0
			err := tx.Each("k", id[:3], func(string, func(any) error) error { inner++; return nil })
			if err != nil || inner == 0 {
				return fmt.Errorf("inner scan: %d, %w", inner, err)
			}
			return tx.Put("seen", id, true)
		})
	})
	if seen != n {
		t.Errorf("saw %d of %d", seen, n)
	}
}

func TestFailedUpdateDoesNothing(t *testing.T) {
	db, _ := open(t, t.TempDir())
	boom := errors.New("boom")
	err := db.Update(state.Full, func(tx *state.Tx) error {
		if err := tx.Put("k", "x", 1); err != nil {
			return err
		}
		if _, err := tx.Next("c"); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("Update = %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Update(state.Normal, func(tx *state.Tx) error {
			if err := tx.Put("k", "y", 1); err != nil {
				t.Error(err)
			}
			panic("at the disco")
		})
	}()
	// A write that fails fails all, even if the callback does not care.
	err = db.Update(state.Normal, func(tx *state.Tx) error {
		_ = tx.Put("k", "z", 1)
		return tx.Put("k", "bad", func() {})
	})
	if err == nil {
		t.Error("a body that is no JSON was accepted")
	}
	if got := ids(t, db, "k", ""); len(got) != 0 {
		t.Errorf("left behind: %q", got)
	}
	must(t, db, state.Normal, func(tx *state.Tx) error {
		if n, err := tx.Next("c"); n != 1 || err != nil {
			t.Errorf("Next = %d, %v", n, err)
		}
		return nil
	})
}

func TestMisuse(t *testing.T) {
	db, _ := open(t, t.TempDir())
	var kept *state.Tx
	must(t, db, state.Normal, func(tx *state.Tx) error { kept = tx; return nil })
	if err := kept.Put("k", "x", 1); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Put after the transaction: %v", err)
	}
	if err := kept.Each("k", "", nil); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Each after the transaction: %v", err)
	}
	_ = db.View(func(tx *state.Tx) error {
		if err := tx.Put("k", "x", 1); !errors.Is(err, state.ErrReadOnly) {
			t.Errorf("Put in a View: %v", err)
		}
		if _, err := tx.Next("c"); !errors.Is(err, state.ErrReadOnly) {
			t.Errorf("Next in a View: %v", err)
		}
		return nil
	})
	if err := db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put("_state", "x", 1) }); err == nil {
		t.Error("a kind of the package itself was accepted")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(state.Normal, nil); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
	if err := db.Reserve(); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Reserve after Close: %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	db, _ := open(t, t.TempDir())
	const workers, rounds = 8, 50
	numbers := make(chan uint64, workers*rounds)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for r := range rounds {
				err := db.Update(state.Level(r%20/19), func(tx *state.Tx) error {
					n, err := tx.Next("c")
					if err != nil {
						return err
					}
					numbers <- n
					id := fmt.Sprintf("%d/%d", w, r)
					return tx.Put("k", id, fact{fmt.Sprintf("%q", id), r})
				})
				if err != nil {
					t.Error(err)
				}
				if got := ids(t, db, "k", fmt.Sprintf("%d/", w)); len(got) != r+1 {
					t.Errorf("worker %d sees %d of its %d records", w, len(got), r+1)
				}
			}
		})
	}
	group.Wait()
	close(numbers)
	seen := map[uint64]bool{}
	for n := range numbers {
		if seen[n] || n < 1 || n > workers*rounds {
			t.Errorf("number %d twice or out of range", n)
		}
		seen[n] = true
	}
}
