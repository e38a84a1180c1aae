package cache

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/ragasfs/ragasfs/cache/state"
)

// generation is a content file that the cache writes itself, under a new number.
type generation struct {
	t   *Table
	gen uint64
	f   *os.File
	w   *bufio.Writer
	n   int64
	crc uint32
}

// newGeneration starts one.
func (t *Table) newGeneration() (*generation, error) {
	t.mu.Lock()
	gen := t.newGenLocked()
	t.mu.Unlock()
	if err := t.makeDir(); err != nil {
		return nil, err
	}
	f, err := t.c.disk.OpenFile("generation:create", t.genPath(gen), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return nil, err
	}
	return &generation{t: t, gen: gen, f: f, w: bufio.NewWriterSize(f, 1<<18)}, nil
}

func (g *generation) Write(p []byte) (int, error) {
	n, err := g.w.Write(p)
	g.n += int64(n)
	g.crc = crc32.Update(g.crc, castagnoli, p[:n])
	return n, err
}

// finish flushes and closes; the content has no keys yet.
func (g *generation) finish(durable bool) (content, error) {
	err := g.w.Flush()
	if err == nil && durable {
		err = g.t.c.disk.Sync("generation:sync", g.f)
	}
	if cerr := g.f.Close(); err == nil {
		err = cerr
	}
	if err == nil && durable {
		err = g.t.c.disk.SyncDir("generation:syncdir", g.t.dir)
	}
	if err != nil {
		g.remove()
		return content{}, fmt.Errorf("%s: writing generation %d: %w", g.t.path(), g.gen, err)
	}
	if !durable {
		g.t.noteUnsafe(g.t.genPath(g.gen))
	}
	return content{Gen: g.gen, Len: g.n, Sum: sumOf(g.crc)}, nil
}

// drop gives it up.
func (g *generation) drop() {
	_ = g.f.Close() // its content is not wanted
	g.remove()
}

func (g *generation) remove() {
	if err := g.t.c.disk.Remove("generation:drop", g.t.genPath(g.gen)); err != nil {
		g.t.c.log.Warn("file left behind", "path", g.t.genPath(g.gen), "error", err)
	}
}

// makeDir makes t/TID with its `name` file, by which a person or a rebuild finds
// the table without state.db.
func (t *Table) makeDir() error {
	if _, err := os.Stat(t.dir); err == nil {
		return nil
	}
	if err := t.c.disk.MkdirAll("table:mkdir", t.dir, 0o700); err != nil {
		return err
	}
	return t.writeName()
}

// writeName writes the `name` file: also after a rename.
func (t *Table) writeName() error {
	return t.c.disk.WriteFile("table:name", t.dir+"/name", []byte(t.path()+"\n"), 0o600)
}

// refsLocked are all references to contents but L.
func (t *Table) refsLocked() []*content {
	refs := []*content{&t.rec.S, &t.rec.R, &t.rec.J, &t.rec.Kept}
	for s := range t.shots {
		refs = append(refs, &s.held, &s.document, &s.agreed)
	}
	for p := range t.pins {
		refs = append(refs, &p.content)
	}
	if t.intent != nil {
		refs = append(refs, &t.intent.Frozen, &t.intent.Document, &t.intent.Agreed)
	}
	return refs
}

// protectedLocked is the number of bytes at the start of a generation that may
// not be written as things are (K2): those that S, R, J or a push still need, and
// those of a save that is complete: before they are overwritten it must be noted
// that they are.
func (t *Table) protectedLocked(gen uint64) int64 {
	n := t.neededLocked(gen)
	if t.completeLocked(gen) {
		n = max(n, t.rec.L.Len)
	}
	return n
}

// neededLocked is the number of bytes at the start of a generation that others
// than L need as they are.
func (t *Table) neededLocked(gen uint64) int64 {
	var n int64
	for _, x := range t.refsLocked() {
		if x.Gen == gen {
			n = max(n, x.Len)
		}
	}
	return n
}

// completeLocked: gen is L, and holds what a program has saved, or what came
// from the store, and nothing else below its length.
func (t *Table) completeLocked(gen uint64) bool {
	return t.rec.L.Gen == gen && !t.rec.L.none() && t.rec.Kept.none() && !t.rec.Rewritten
}

// unshareLocked copies the bytes of gen that others need to a generation of
// their own, so that the file may be written anywhere (K3). A save that is
// complete is kept until the one that is written over it is, unless its own
// writer goes on.
func (t *Table) unshareLocked(gen uint64) error {
	n := t.neededLocked(gen)
	old := t.rec
	if t.completeLocked(gen) {
		if t.writingLocked(gen) {
			t.rec.Rewritten = true
		} else if t.rec.L.Len > 0 {
			n = max(n, t.rec.L.Len)
			t.rec.Kept, t.rec.KeptSave = t.rec.L, t.rec.Save
		}
	}
	if n == 0 && t.rec.Rewritten == old.Rewritten {
		return nil
	}
	back, err := t.copyAwayLocked(gen, n)
	if err == nil {
		err = t.saveLocked(state.Normal)
	}
	if err != nil {
		// Nothing may be overwritten that the facts on disk still name.
		back()
		t.rec.Kept, t.rec.KeptSave, t.rec.Rewritten = old.Kept, old.KeptSave, old.Rewritten
		t.protectLocked()
	}
	return err
}

// copyAwayLocked copies the first n bytes of gen to a new generation, for all
// who refer to gen and who read it. back undoes it.
func (t *Table) copyAwayLocked(gen uint64, n int64) (back func(), err error) {
	if n == 0 {
		return func() {}, nil
	}
	to := t.newGenLocked()
	if _, err := t.c.disk.Copy("unshare:copy", t.genPath(to), t.genPath(gen), n); err != nil {
		return func() {}, fmt.Errorf("%s: keeping the last content before it is overwritten: %w", t.path(), err)
	}
	t.unsafeLocked(t.genPath(to), true)
	for src := range t.sources {
		if src.gen == gen {
			if err := src.moveLocked(to); err != nil {
				return func() {}, err
			}
		}
	}
	return t.moveRefsLocked(gen, to), nil
}

// writingLocked: somebody has written to the generation and not closed since.
func (t *Table) writingLocked(gen uint64) bool {
	f := t.files[gen]
	for h := range t.writers {
		if h.unchecked.Load() && f != nil && h.file == f {
			return true
		}
	}
	return false
}

// moveRefsLocked makes all who refer to a generation refer to its copy. back
// undoes it.
func (t *Table) moveRefsLocked(from, to uint64) (back func()) {
	var moved []*uint64
	for _, x := range t.refsLocked() {
		if x.Gen == from {
			moved = append(moved, &x.Gen)
		}
	}
	for i := range t.rec.Agreed {
		if t.rec.Agreed[i] == from {
			moved = append(moved, &t.rec.Agreed[i])
		}
	}
	for _, gen := range moved {
		*gen = to
	}
	return func() {
		for _, gen := range moved {
			*gen = from
		}
	}
}

// protectLocked brings the protection that writers see up to date. Writers are
// excluded while it rises, so that none is between its check and its write.
func (t *Table) protectLocked() {
	for gen, f := range t.files {
		n := t.protectedLocked(gen)
		if f.protected.Load() == n {
			continue
		}
		f.writing.Lock()
		f.protected.Store(n)
		f.writing.Unlock()
	}
}
