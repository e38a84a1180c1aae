package cache

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// manyRows are n records behind first, wide enough that they go out in parts.
func manyRows(first, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,%s\n", first+i, strings.Repeat("x", 60))
	}
	return b.String()
}

// TestGrowthInParts: many added rows go out part by part, each once, in order,
// whatever stands at the end and whenever the daemon is killed.
func TestGrowthInParts(t *testing.T) {
	const rows = 2*partRows + 5_000
	begin := func(t *testing.T) *world {
		w := newWorld(t, backends.Rows)
		w.write("qa.csv", "q,a\n0,zero\n")
		w.flush()
		return w
	}
	check := func(t *testing.T, w *world, want string) {
		t.Helper()
		stored := strings.Join(w.stored("qa.csv"), "\n") + "\n"
		if stored != want {
			t.Fatalf("the store has %d rows, %d of them are as they were added", strings.Count(stored, "\n")-1, strings.Count(want, "\n")-1)
		}
	}
	const head = "q,a\n0,zero\n"
	all := manyRows(1, rows)

	t.Run("whole records", func(t *testing.T) {
		w := begin(t)
		w.add("qa.csv", all)
		w.flush()
		check(t, w, head+all)
		w.wantState("qa.csv", "clean")
		w.write("qa.csv", head+all) // all of it once more: the same rows
		w.flush()
		check(t, w, head+all)
	})
	t.Run("the last one not ended", func(t *testing.T) {
		w := begin(t)
		w.add("qa.csv", strings.TrimSuffix(all, "\n"))
		w.flush()
		check(t, w, head+all)
	})
	t.Run("something wrong at the end", func(t *testing.T) {
		w := begin(t)
		if err := w.put("qa.csv", all+"1,2,3\n", os.O_WRONLY|os.O_APPEND, me()); !errors.Is(err, ErrInvalid) {
			t.Errorf("close: %v", err)
		}
		if err := w.tryFlush(); err == nil {
			t.Error("an invalid record is flushed")
		}
		w.wantState("qa.csv", "invalid")
		w.replace("qa.csv", head+all)
		w.flush()
		check(t, w, head+all)
	})
	t.Run("killed between parts", func(t *testing.T) {
		w := begin(t)
		w.add("qa.csv", all)
		table := w.table("qa.csv")
		table.begin()
		if more, err := table.judgeAndPush(t.Context(), sendable{growth: true}, false); err != nil || !more {
			t.Fatalf("the first part: more %t, %v", more, err)
		}
		table.end()
		if stored := w.stored("qa.csv"); len(stored) != partRows+2 {
			t.Fatalf("after one part the store has %d rows", len(stored)-1)
		}
		w.crash()
		w.flush()
		check(t, w, head+all)
	})
}
