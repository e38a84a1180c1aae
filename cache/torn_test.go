package cache

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
)

// unsent makes a world that was killed with rows in the store, and edits that are
// not: one row changed, one deleted, two new.
func unsent(t *testing.T, form backends.Form) *world {
	w := newWorld(t, form)
	w.write("qa.csv", "q,a\n1,one\n2,two\n3,three\n4,four\n")
	w.flush()
	w.write("qa.csv", "q,a\n1,one\n2,zwei\n4,four\n5,five\n")
	w.add("qa.csv", "6,six\n")
	w.kill()
	return w
}

var (
	sentLines   = []string{"q,a", "1,one", "2,two", "3,three", "4,four"}
	unsentLines = []string{"q,a", "1,one", "2,zwei", "4,four", "5,five", "6,six"}
)

// files finds files of the state directory.
func (w *world) files(pattern string) []string {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join(w.stateDir, "stores", "*", pattern))
	must(w.t, err)
	return found
}

func garble(data []byte) []byte {
	data = slices.Clone(data)
	for i := range data {
		data[i] ^= 0x5a
	}
	return data
}

func cutInHalf(data []byte) []byte { return data[:len(data)/2] }

// Where the facts are lost the bytes are not: the table is held, and goes out
// when a person says so.
func TestFactsLost(t *testing.T) {
	damages := map[string]func(w *world){
		"garbled": func(w *world) { changeAtRest(w.t, w.files("state.db")[0], garble) },
		"gone": func(w *world) {
			for _, f := range w.files("state.*") {
				must(w.t, os.Remove(f))
			}
		},
		"log gone": func(w *world) { must(w.t, os.Remove(w.files("state.db-wal")[0])) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			bothForms(t, func(t *testing.T, form backends.Form) {
				w := unsent(t, form)
				damage(w)
				w.open()
				w.wantShown("qa.csv", unsentLines...)
				w.wantState("qa.csv", "held")
				if err := w.tryFlush(); err == nil {
					t.Error("a flush sends what is held")
				}
				w.wantStored("qa.csv", sentLines...)
				w.reopen()
				w.wantShown("qa.csv", unsentLines...)
				w.wantState("qa.csv", "held")
				must(t, w.c.Confirm(t.Context(), path.Join(datasets, "qa.csv")))
				w.flush()
				w.wantStored("qa.csv", unsentLines...)
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// Nothing unsent: what is there is what the store has, and nobody is asked.
func TestFactsLostNothingUnsent(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("qa.csv", "q,a\n1,one\n2,two\n")
		w.flush()
		w.reopen()
		w.kill()
		changeAtRest(t, w.files("state.db")[0], garble)
		w.open()
		w.refresh()
		if form == backends.Documents { // a row store's ids are not in this file yet
			w.wantState("qa.csv", "clean")
		}
		w.wantShown("qa.csv", "q,a", "1,one", "2,two")
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")
	})
}

// Row identities that are lost: what was agreed on is loaded again.
func TestKeysLost(t *testing.T) {
	damages := map[string]func(t *testing.T, path string){
		"gone":  func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"cut":   func(t *testing.T, path string) { changeAtRest(t, path, cutInHalf) },
		"empty": func(t *testing.T, path string) { changeAtRest(t, path, func([]byte) []byte { return nil }) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			bothForms(t, func(t *testing.T, form backends.Form) {
				agreedLost(t, form, func(w *world) {
					for _, file := range w.files("t/*/k*.ids") {
						damage(t, file)
					}
				})
			})
		})
	}
}

// agreedLost damages what was agreed on. If the store still has that, it is loaded
// again, and what is unsent goes out as if nothing had happened. If somebody has
// changed the table since, a person decides: what he did can't be told from what we
// did.
func agreedLost(t *testing.T, form backends.Form, damage func(w *world)) {
	w := unsent(t, form)
	damage(w)
	w.open()
	w.wantShown("qa.csv", unsentLines...)
	w.flush()
	w.wantStored("qa.csv", unsentLines...)
	w.wantState("qa.csv", "clean")

	w = unsent(t, form)
	damage(w)
	changed := append(slices.Clone(sentLines), "7,seven")
	w.elsewhere("qa.csv", changed...)
	w.open()
	w.refresh()
	w.wantShown("qa.csv", unsentLines...)
	if err := w.tryFlush(); err == nil {
		t.Error("it is not known what was sent, and all the same it is sent")
	}
	w.wantState("qa.csv", "held")
	w.wantStored("qa.csv", changed...)
	must(t, w.c.Confirm(t.Context(), path.Join(datasets, "qa.csv")))
	w.flush()
	w.wantStored("qa.csv", unsentLines...)
}

// contentOf is the file of a content.
func (w *world) contentOf(name string, which func(*record) content) string {
	t := w.table(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.genPath(which(&t.rec).Gen)
}

// The content that file and store had agreed on is lost.
func TestAgreedContentLost(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		agreedLost(t, form, func(w *world) {
			w.open()
			agreed := w.contentOf("qa.csv", func(r *record) content { return r.S })
			w.kill()
			changeAtRest(t, w.files("t/*/" + filepath.Base(agreed))[0], cutInHalf)
		})
	})
}

// A file that has lost its end is no save that deletes rows.
func TestOwnContentCut(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("qa.csv", "q,a\n1,one\n2,two\n3,three\n4,four\n")
		w.flush()
		w.add("qa.csv", "5,five\n")
		file := w.contentOf("qa.csv", func(r *record) content { return r.L })
		w.kill()
		changeAtRest(t, w.files("t/*/" + filepath.Base(file))[0], func(data []byte) []byte {
			return data[:bytes.Index(data, []byte("3,"))]
		})
		w.open()
		w.wantState("qa.csv", "held")
		if err := w.tryFlush(); err == nil {
			t.Error("a flush sends what is held")
		}
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three", "4,four")
		must(t, w.c.Discard(t.Context(), path.Join(datasets, "qa.csv")))
		w.wantShown("qa.csv", "q,a", "1,one", "2,two", "3,three", "4,four")
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three", "4,four")
	})
}

// TestDamageAnywhere damages any one file of the state. Whatever it is: the cache
// opens, no row leaves the store that was not deleted here, and every row that
// was acknowledged and still stands anywhere on disk is found: in the mount, in
// the store, in history or in lost+found.
func TestDamageAnywhere(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		for _, seed := range some(t, 150, 6) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(seed), 0))
				w := unsent(t, form)
				var files []string
				must(t, filepath.WalkDir(w.stateDir, func(path string, d fs.DirEntry, err error) error {
					if err == nil && d.Type().IsRegular() && !slices.Contains([]string{"lock", "version", "identity.json", "reserve", "name"}, d.Name()) {
						files = append(files, path)
					}
					return err
				}))
				file := files[rnd.IntN(len(files))]
				t.Logf("damaged: %s", filepath.Base(file))
				changeAtRest(t, file, func(data []byte) []byte {
					if len(data) == 0 {
						return data
					}
					switch at := rnd.IntN(len(data)); rnd.IntN(3) {
					case 0:
						return data[:at]
					case 1:
						data[at] ^= byte(1 + rnd.IntN(255))
					default:
						clear(data[at:min(len(data), at+512)])
					}
					return data
				})
				if strings.HasPrefix(filepath.Base(file), "g") {
					// That the bytes of a save have rotted is known by the file's times only.
					now := time.Now()
					must(t, os.Chtimes(file, now, now))
				}
				w.checkDamaged()
			})
		}
	})
}

func (w *world) checkDamaged() {
	w.t.Helper()
	there := w.onDisk(unsentLines)
	w.open()
	w.refresh()
	first := w.tryFlush()
	if err := w.c.Confirm(w.t.Context(), "p"); err != nil && first != nil {
		w.t.Logf("confirm: %v", err)
	}
	stored, err := w.tryStored("qa.csv")
	must(w.t, err)
	for _, line := range []string{"1,one", "4,four"} {
		if there[line] && !slices.Contains(stored, line) {
			w.t.Errorf("%q has left the store", line)
		}
	}
	left := w.onDisk(unsentLines)
	for line := range there {
		if !left[line] && !slices.Contains(stored, line) {
			w.t.Errorf("%q was on disk and is nowhere now", line)
		}
	}
}

// onDisk are those of the lines that stand in any content on disk.
func (w *world) onDisk(lines []string) map[string]bool {
	w.t.Helper()
	found := map[string]bool{}
	must(w.t, filepath.WalkDir(w.stateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), "state.") {
			return err
		}
		data, err := os.ReadFile(path)
		for _, line := range lines {
			if bytes.Contains(data, []byte(line+"\n")) {
				found[line] = true
			}
		}
		return err
	}))
	return found
}

// changeAtRest changes a file of the state directory and puts its times back:
// what a bad disk does.
func changeAtRest(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, change(data), 0o600))
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{st.Atim, st.Mtim}, 0))
}

func (w *world) reopen() {
	w.t.Helper()
	w.close()
	w.open()
}

// table is the table of a name.
func (w *world) table(name string) *Table {
	w.t.Helper()
	w.c.names.Lock()
	defer w.c.names.Unlock()
	t := w.c.projects["p"].tables[backends.Datasets][strings.TrimSuffix(name, ".csv")]
	if t == nil {
		w.t.Fatalf("no table %s", name)
	}
	return t
}
