package cache

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/cache/disk"
)

// platter is what a power cut leaves of the directories of tables: of each file
// the bytes that were there when it was last synced, of each directory the names.
type platter struct {
	mu    sync.Mutex
	bytes map[uint64]int64           // inode -> bytes
	names map[string]map[string]bool // directory -> names
}

// ask is disk.FS.Fail: it sees every sync.
func (p *platter) ask(label, path string) error {
	_, what, _ := strings.Cut(label, ":")
	if !strings.HasSuffix(what, "sync") && !strings.HasSuffix(what, "syncdir") && what != "content" && what != "dir" {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		p.bytes[st.Ino] = st.Size
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	p.names[path] = map[string]bool{}
	for _, e := range entries {
		p.names[path][e.Name()] = true
	}
	return nil
}

// powerCut takes the state directory as a power cut may leave it: all facts are
// there, but of the tables' files only what was synced. The cache is opened again.
func (w *world) powerCut(p *platter) {
	w.t.Helper()
	w.dead.Store(true)
	p.mu.Lock()
	type cut struct {
		gone bool
		size int64
	}
	cuts := map[string]cut{}
	must(w.t, filepath.WalkDir(w.stateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !strings.Contains(path, "/t/") {
			return err
		}
		var st unix.Stat_t
		must(w.t, unix.Stat(path, &st))
		rel, err := filepath.Rel(w.stateDir, path)
		must(w.t, err)
		size, synced := p.bytes[st.Ino]
		if !synced || size != st.Size || !p.names[filepath.Dir(path)][d.Name()] {
			cuts[rel] = cut{!p.names[filepath.Dir(path)][d.Name()], size}
		}
		return nil
	}))
	p.mu.Unlock()
	w.stateDir = w.image()
	for rel, c := range cuts {
		path := filepath.Join(w.stateDir, rel)
		w.t.Logf("the power cut leaves %d bytes of %s, name lost: %v", c.size, filepath.Base(rel), c.gone)
		if c.gone {
			must(w.t, os.Remove(path))
		} else {
			must(w.t, os.Truncate(path, c.size))
		}
	}
	w.close()
	w.open()
}

// inPowerCuts is inBubbles with a disk whose power may be cut.
func inPowerCuts(t *testing.T, test func(t *testing.T, w *world, p *platter)) {
	p := &platter{}
	inBubbles(t, func(w *world) {
		*p = platter{bytes: map[uint64]int64{}, names: map[string]map[string]bool{}}
		w.config.Disk = &disk.FS{Fail: p.ask}
	}, func(t *testing.T, w *world) { test(t, w, p) })
}

// What a program has synced is there after a power cut, and so is what is needed
// to send it: what file and store agreed on before.
func TestPowerCutAfterFsync(t *testing.T) {
	saves := map[string]func(w *world){
		"in place": func(w *world) {
			p := w.start("qa.csv", truncating, me())
			p.write("q,a\n1,ein\n2,two\n3,three\n")
			must(w.t, p.h.Fsync(w.t.Context(), false))
			p.close()
		},
		"growth": func(w *world) {
			line := "3,three\n"
			if w.form == backends.Rows {
				line = "," + line
			}
			p := w.start("qa.csv", writeOnly, me())
			p.off = int64(len(w.read("qa.csv")))
			p.write(line)
			must(w.t, p.h.Fsync(w.t.Context(), false))
			p.close()
			w.overwrite("qa.csv", "1,one", "1,ein")
			q := w.start("qa.csv", writeOnly, me())
			must(w.t, q.h.Fsync(w.t.Context(), false))
			q.close()
		},
	}
	for name, save := range saves {
		t.Run(name, func(t *testing.T) {
			inPowerCuts(t, func(t *testing.T, w *world, p *platter) {
				w.have("qa.csv", "q,a", "1,one", "2,two")
				save(w)
				w.powerCut(p)
				w.wantShown("qa.csv", "q,a", "1,ein", "2,two", "3,three")
				w.after(time.Minute)
				w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// What was merely closed is power safe some seconds later.
func TestPowerCutAfterAWhile(t *testing.T) {
	inPowerCuts(t, func(t *testing.T, w *world, p *platter) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.gate.fail(errAway)
		w.replace("qa.csv", "q,a\n1,ein\n2,two\n")
		w.after(7 * time.Second)
		w.powerCut(p)
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two")
		w.gate.heal()
		w.after(2 * maxBackoff)
		w.wantStored("qa.csv", "q,a", "1,ein", "2,two")
		w.wantState("qa.csv", "clean")
	})
}

// A power cut right behind a push, and right behind a first load: nothing is held,
// what is missing is loaded again.
func TestPowerCutOfCleanTable(t *testing.T) {
	inPowerCuts(t, func(t *testing.T, w *world, p *platter) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		w.powerCut(p)
		w.after(time.Second)
		w.wantState("qa.csv", "clean")
		w.wantShown("qa.csv", "q,a", "1,one", "2,two")
		w.write("qa.csv", "q,a\n1,ein\n2,two\n")
		w.settled()
		w.powerCut(p)
		w.after(time.Second)
		w.wantState("qa.csv", "clean")
		w.wantShown("qa.csv", "q,a", "1,ein", "2,two")
		w.write("qa.csv", "q,a\n1,uno\n2,two\n")
		w.settled()
		w.wantStored("qa.csv", "q,a", "1,uno", "2,two")
	})
}

// A push is interrupted by a power cut: what it is about is there.
func TestPowerCutDuringPush(t *testing.T) {
	for _, happens := range []bool{false, true} {
		t.Run(fmt.Sprintf("happens %v", happens), func(t *testing.T) {
			inPowerCuts(t, func(t *testing.T, w *world, p *platter) {
				w.have("qa.csv", "q,a", "1,one", "2,two")
				done := false
				cut := func(verb string, _ backends.Ref) error {
					if verb == "apply" && !done {
						done = true
						return errLostAnswer
					}
					return nil
				}
				w.gate.set(func(g *gate) {
					if happens {
						g.after = cut
					} else {
						g.before = cut
					}
				})
				w.replace("qa.csv", "q,a\n1,ein\n2,two\n3,three\n")
				w.after(settle)
				w.powerCut(p)
				w.after(time.Minute)
				w.wantStored("qa.csv", "q,a", "1,ein", "2,two", "3,three")
				w.wantShown("qa.csv", "q,a", "1,ein", "2,two", "3,three")
				w.wantState("qa.csv", "clean")
			})
		})
	}
}

// A table that was never saved costs no sync when it is opened.
func TestLoadWaitsForNoSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Rows, memory.Options{})
		w.open()
		w.elsewhere("qa.csv", "q,a", "1,one")
		w.refresh()
		w.diskAsked.Clear()
		w.read("qa.csv")
		for _, label := range []string{"safe:content", "generation:sync", "keys:sync"} {
			if _, asked := w.diskAsked.Load(label); asked {
				t.Errorf("the first read waits for %s", label)
			}
		}
	})
}

// fsync of a file that is open anyway costs one sync of its bytes, and one of names
// only if it is new.
func TestFsyncSyncsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Documents, memory.Options{})
		w.open()
		syncs := map[string]int{}
		w.disk = func(label string) { syncs[label]++ }
		p := w.start("qa.csv", truncating, me())
		p.write("q,a\n1,one\n")
		must(t, p.h.Fsync(t.Context(), false))
		if got := fmt.Sprint(syncs["fsync:content"], syncs["safe:content"], syncs["safe:dir"]); got != "1 0 1" {
			t.Errorf("the first fsync syncs %s times", got)
		}
		clear(syncs)
		p.write("2,two\n")
		must(t, p.h.Fsync(t.Context(), false))
		p.close()
		if got := fmt.Sprint(syncs["fsync:content"], syncs["safe:content"], syncs["safe:dir"]); got != "1 0 0" {
			t.Errorf("the second fsync syncs %s times", got)
		}
	})
}
