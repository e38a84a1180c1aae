package cache

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
)

// smallDisk puts the state directory on a file system of its own of that size.
func (w *world) smallDisk(size int) {
	w.t.Helper()
	dir := w.t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size))
	if errors.Is(err, unix.EPERM) && os.Getenv("RAGASFS_NO_SKIP") == "" {
		w.t.Skip("mounting a small file system takes root")
	}
	must(w.t, err)
	w.t.Cleanup(func() {
		w.close()
		must(w.t, unix.Unmount(dir, 0))
	})
	w.stateDir = dir
}

// fill leaves about that many bytes free. free gives them all back.
func (w *world) fill(left int64) (free func()) {
	w.t.Helper()
	var st unix.Statfs_t
	must(w.t, unix.Statfs(w.stateDir, &st))
	filler := filepath.Join(w.stateDir, "filler")
	f, err := os.Create(filler)
	must(w.t, err)
	must(w.t, unix.Fallocate(int(f.Fd()), 0, 0, max(int64(st.Bavail)*st.Bsize-left, 1)))
	must(w.t, f.Close())
	return func() { must(w.t, os.Remove(filler)) }
}

// many are n lines of a table.
func many(n int) []string {
	lines := []string{"q,a"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("%d,%s", i, strings.Repeat("x", 50)))
	}
	return lines
}

func joined(lines []string) string { return strings.Join(lines, "\n") + "\n" }

// TestDiskFull fills the disk of the state directory to all degrees and saves in
// all ways. Who can't save is told ENOSPC; what was saved before is untouched,
// also after a kill, and everything goes on when there is space.
func TestDiskFull(t *testing.T) {
	saves := map[string]func(w *world, lines []string) error{
		"in place": func(w *world, lines []string) error { return w.put("qa.csv", joined(lines), truncating, me()) },
		"rename":   func(w *world, lines []string) error { return w.tryReplace("qa.csv", joined(lines)) },
		"append": func(w *world, lines []string) error {
			return w.put("qa.csv", joined(lines[1001:]), appending, me())
		},
	}
	bothForms(t, func(t *testing.T, form backends.Form) {
		for how, save := range saves {
			for _, left := range []int64{0, 4 << 10, 16 << 10, 64 << 10, 100 << 10, 180 << 10} {
				t.Run(fmt.Sprintf("%s with %d bytes", how, left), func(t *testing.T) {
					fullWhile(t, form, left, save)
				})
			}
		}
	})
}

// fullWhile saves while the disk is full.
func fullWhile(t *testing.T, form backends.Form, left int64, save func(*world, []string) error) {
	w := newStore(t, form)
	w.smallDisk(12 << 20)
	w.open()
	agreed, before, after := many(900), many(1000), many(1200)
	w.write("qa.csv", joined(agreed))
	w.flush()
	w.add("qa.csv", joined(before[901:])) // not sent yet
	free := w.fill(left)
	shown := before
	switch err := save(w, after); {
	case err == nil:
		shown = after
	case !errors.Is(err, syscall.ENOSPC):
		t.Errorf("saving on a full disk: %v", err)
	}
	flushed := w.tryFlush()
	t.Logf("flush on a full disk: %v", flushed)
	if stored := w.stored("qa.csv"); !slices.Equal(stored, agreed) && !slices.Equal(stored, before) && !slices.Equal(stored, after) {
		t.Errorf("the store holds %d lines", len(stored))
	}
	w.kill()
	free()
	w.open()
	if state := w.state("qa.csv"); (state == "held" || state == "invalid") && !slices.Equal(shown, after) {
		// The save that failed: what was saved before it is still to be had.
		must(t, w.c.Discard(t.Context(), path.Join(datasets, "qa.csv")))
	}
	if got := w.shown("qa.csv"); !slices.Equal(got, shown) {
		t.Errorf("after a kill %d lines are there, not %d", len(got), len(shown))
	}
	if err := w.tryFlush(); err != nil {
		t.Errorf("when there is space again: %v", err)
	}
	w.wantStored("qa.csv", shown...)
	w.write("qa.csv", joined(after))
	w.flush()
	w.wantStored("qa.csv", after...)
}
