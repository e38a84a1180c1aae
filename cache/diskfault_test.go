package cache

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// diskSaves are the ways to save, with what is to be in the store afterwards.
var diskSaves = map[string]func(w *world) error{
	"in place": func(w *world) error { return w.put("qa.csv", "q,a\n1,ein\n2,two\n3,three\n", truncating, me()) },
	"rename":   func(w *world) error { return w.tryReplace("qa.csv", "q,a\n1,ein\n2,two\n3,three\n") },
	"over old bytes": func(w *world) error {
		text, err := w.tryRead("qa.csv")
		if err != nil {
			return err
		}
		text = replaced(text, "1,one", "1,ein")
		if strings.HasPrefix(text, table.RowIDColumn) {
			text += ","
		}
		return w.put("qa.csv", text+"3,three\n", syscall.O_RDWR, me())
	},
}

var (
	diskBefore = []string{"q,a", "1,one", "2,two"}
	diskAfter  = []string{"q,a", "1,ein", "2,two", "3,three"}
)

// TestDiskFailsAt lets every kind of disk call that saving and sending make fail
// for a while. Who saves is told, or it is kept; the store has the old or the new,
// never a mixture; when the disk is good again all goes on, and nothing is lost,
// not even by a kill meanwhile. Without RAGASFS_MOMENTS=all every other label is
// met by a kill, the others without.
func TestDiskFailsAt(t *testing.T) {
	for how, save := range diskSaves {
		t.Run(how, func(t *testing.T) {
			for offset, form := range []backends.Form{backends.Rows, backends.Documents} {
				labels := diskLabels(t, form, save)
				if len(labels) < 5 {
					t.Fatalf("only %q are asked for", labels)
				}
				for i, label := range labels {
					for _, killed := range []bool{false, true} {
						if os.Getenv("RAGASFS_MOMENTS") != "all" && killed != ((i+offset)%2 == 0) {
							continue
						}
						name := map[backends.Form]string{backends.Rows: "rows ", backends.Documents: "documents "}[form] + strings.ReplaceAll(label, "/", ".")
						if killed {
							name += " and kill"
						}
						t.Run(name, func(t *testing.T) {
							synctest.Test(t, func(t *testing.T) {
								w := newBubble(t, form, memory.Options{})
								w.open()
								w.have("qa.csv", diskBefore...)
								w.failsAt(label, killed, save)
							})
						})
					}
				}
			}
		})
	}
}

// diskLabels are the disk calls that are made from a save until it is sent.
func diskLabels(t *testing.T, form backends.Form, save func(*world) error) (labels []string) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, form, memory.Options{})
		w.open()
		w.have("qa.csv", diskBefore...)
		w.diskAsked.Clear()
		must(t, save(w))
		w.settled()
		w.wantStored("qa.csv", diskAfter...)
		seen := map[string]bool{}
		w.diskAsked.Range(func(label, _ any) bool {
			seen[label.(string)] = true
			return true
		})
		labels = slices.Sorted(maps.Keys(seen))
	})
	return labels
}

// failsAt saves while all disk calls of a label fail.
func (w *world) failsAt(label string, killed bool, save func(*world) error) {
	w.t.Helper()
	met := w.failDisk(label)
	saved := save(w)
	if saved != nil && !errors.Is(saved, syscall.ENOSPC) {
		w.t.Errorf("the save: %v", saved)
	}
	w.settled()
	w.after(maxBackoff)
	if !met() {
		w.t.Errorf("%s was not asked for", label)
	}
	w.oldOrNew("the store holds", w.stored("qa.csv"), false)
	if killed {
		w.kill()
		w.failDisk("")
		w.open()
	}
	w.failDisk("")
	w.oldOrNew("the mount shows", w.shown("qa.csv"), saved == nil)
	w.after(2 * maxBackoff)
	if saved != nil {
		w.oldOrNew("after a while the store holds", w.stored("qa.csv"), false)
		must(w.t, save(w))
		w.after(2 * maxBackoff)
	}
	w.wantStored("qa.csv", diskAfter...)
	w.wantShown("qa.csv", diskAfter...)
	w.wantState("qa.csv", "clean")
}

// oldOrNew wants the lines before the save, or those after it.
func (w *world) oldOrNew(what string, got []string, onlyNew bool) {
	w.t.Helper()
	got = sorted(got)
	if !slices.Equal(got, diskAfter) && (onlyNew || !slices.Equal(got, diskBefore)) {
		w.t.Errorf("%s %q", what, got)
	}
}
