package cache

import (
	"io"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/cache/disk"
)

// What a bubble holds: a cache over a store in memory, with a gate before it, and
// a clock that moves only when everybody waits. SQLite and the disk work in it;
// sockets and file events do not.

const settle = 2 * time.Second // as the mount's default

// inBubbles runs a test over a store of rows, one of rows without versions, and
// one of documents. prepare, if not nil, sets what the cache is opened with.
func inBubbles(t *testing.T, prepare func(w *world), test func(t *testing.T, w *world)) {
	run := func(name string, form backends.Form, options memory.Options) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newBubble(t, form, options)
				if prepare != nil {
					prepare(w)
				}
				w.open()
				test(t, w)
			})
		})
	}
	run("rows", backends.Rows, memory.Options{})
	run("rows without versions", backends.Rows, memory.Options{Versionless: true})
	run("documents", backends.Documents, memory.Options{})
}

// newBubble is a world inside a bubble; its cache is not open yet.
func newBubble(t *testing.T, form backends.Form, options memory.Options) *world {
	t.Helper()
	w := &world{t: t, form: form, stateDir: t.TempDir(), gate: &gate{}}
	project := backends.Create{Ref: backends.Ref{Project: "p"}}
	var err error
	if form == backends.Rows {
		w.memory = memory.NewStore(options)
		_, err = w.memory.Create(t.Context(), project)
	} else {
		w.docs = newDocuments()
		_, err = w.docs.Create(t.Context(), project)
	}
	must(t, err)
	w.backend = func(b backends.Backend) backends.Backend {
		w.gate.set(func(g *gate) { g.Backend = b })
		return w.gate
	}
	w.config.Disk = &disk.FS{Fail: w.ask}
	t.Cleanup(func() {
		w.gate.heal()
		w.failDisk("")
		w.close()
	})
	return w
}

// after lets time pass, and waits for what has begun by then.
func (w *world) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// settled lets the settle time of what was just saved pass.
func (w *world) settled() { w.after(settle + time.Millisecond) }

// have puts a table into the store and into the cache.
func (w *world) have(name string, lines ...string) {
	w.t.Helper()
	w.elsewhere(name, lines...)
	w.refresh()
	w.wantShown(name, lines...)
}

// wantSent compares how many changes of rows (documents, in their store) have
// been sent since the last call.
func (w *world) wantSent(n int) {
	w.t.Helper()
	sent := w.gate.made("apply", "create")
	w.gate.set(func(g *gate) { g.calls, g.tries = nil, nil })
	if len(sent) != n {
		w.t.Errorf("%d calls with changes were made, not %d", len(sent), n)
	}
}

// start opens a file as a program does that goes on writing.
func (w *world) start(name string, flags int, who Caller) *program {
	w.t.Helper()
	h, err := w.openFile(name, flags, who)
	must(w.t, err)
	return &program{w: w, h: h, who: who}
}

// program is one that has a file open.
type program struct {
	w   *world
	h   *Handle
	who Caller
	off int64
}

// write writes on from where it stands.
func (p *program) write(text string) {
	p.w.t.Helper()
	n, err := p.h.WriteAt([]byte(text), p.off)
	must(p.w.t, err)
	p.off += int64(n)
}

func (p *program) read() string {
	p.w.t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(p.h, 0, 1<<30))
	must(p.w.t, err)
	return string(data)
}

// close is close(2).
func (p *program) close() {
	p.w.t.Helper()
	must(p.w.t, p.tryClose())
}

func (p *program) tryClose() error {
	err := p.h.Flush(p.w.t.Context(), p.who)
	p.h.Release()
	return err
}

// people starts n processes, each a program of its own, that do nothing. Call it
// outside a bubble.
func people(t *testing.T, n int) []Caller {
	t.Helper()
	var list []Caller
	for range n {
		cmd := exec.Command("sleep", "1000")
		must(t, cmd.Start())
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // then it has ended already
			_ = cmd.Wait()         // says that it was killed
		})
		list = append(list, Caller{TID: uint32(cmd.Process.Pid)})
	}
	return list
}

// failDisk lets all disk calls of a label ("": none) fail, and tells whether one
// has been made since.
func (w *world) failDisk(label string) (met func() bool) {
	w.diskFault.Store(&diskFault{label: label})
	fault := w.diskFault.Load()
	return fault.met.Load
}

// diskFault is a label of disk calls that fail.
type diskFault struct {
	label string
	met   atomic.Bool
}

// ask is disk.FS.Fail.
func (w *world) ask(label, _ string) error {
	w.diskAsked.Store(label, true)
	if w.disk != nil {
		w.disk(label)
	}
	f := w.diskFault.Load()
	if f == nil || f.label != label {
		return nil
	}
	f.met.Store(true)
	return syscall.ENOSPC
}

// replaced changes one piece of a text, which must be there.
func replaced(text, old, now string) string {
	if !strings.Contains(text, old) {
		panic(old + " is not in " + text)
	}
	return strings.Replace(text, old, now, 1)
}
