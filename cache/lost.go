package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// errLost: bytes or row identities that the facts name are missing or damaged.
var errLost = errors.New("missing or damaged in the state directory")

const lostReason = "state lost: the facts about this table were damaged; what is here may or may not have been sent. confirm sends it as an edit, discard takes what the store has"

// rebuild looks for directories of tables that no record names. If facts were
// lost such a table is made again of its bytes, and held until its content is
// known to equal the store's, or a person decides. Else it is what a table left
// behind that was never noted, or is forgotten.
func (c *Cache) rebuild(lost bool) error {
	dirs, err := os.ReadDir(c.dir.Tables())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range dirs {
		switch {
		case c.tables[d.Name()] != nil:
		case lost:
			if err := c.rebuildTable(d.Name()); err != nil {
				return err
			}
		default:
			if err := c.putAside(c.dir.T(d.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// putAside removes a directory that belongs to no table. If it holds bytes, they
// go to lost+found.
func (c *Cache) putAside(dir string) error {
	files, err := scan(dir)
	if err != nil {
		return err
	}
	for _, size := range files.gens {
		if size > 0 {
			to, err := c.disk.Quarantine("orphan:quarantine", dir, c.dir.LostFound())
			c.log.Warn("contents of a table that is not known were put aside", "path", to)
			return err
		}
	}
	return c.disk.RemoveAll("orphan:remove", dir)
}

// rebuildTable makes a table of what stands in its directory.
func (c *Cache) rebuildTable(id string) error {
	dir := c.dir.T(id)
	files, err := scan(dir)
	if err != nil {
		return err
	}
	name, err := os.ReadFile(filepath.Join(dir, "name"))
	parts := strings.Split(strings.TrimSpace(string(name)), "/")
	if err != nil || len(parts) != 3 || files.current() == 0 {
		return c.putAside(dir)
	}
	stem := strings.TrimSuffix(parts[2], ".csv")
	kind := backends.Kind(parts[1])
	if p := c.projects[parts[0]]; p != nil && p.tables[kind][stem] != nil {
		return c.putAside(dir) // it was forgotten, and a newer one has the name
	}
	ino, err := c.nextIno()
	if err != nil {
		return err
	}
	gen := files.current()
	t := c.addRecovered(record{ID: id, Project: parts[0], Kind: kind, Name: stem, Ino: ino,
		Ref: backends.Ref{Project: parts[0], Kind: kind, Name: stem}, InStore: true,
		StoreSize: -1, StoreRows: -1, LastGen: files.lastGen, LastSeq: files.lastSeq})
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.keepOthersLocked(files, gen); err != nil {
		return err
	}
	return t.holdLostLocked(gen)
}

// keepOthersLocked puts all contents but one aside: which of them was what is
// not known any more.
func (t *Table) keepOthersLocked(files tableFiles, gen uint64) error {
	for other, size := range files.gens {
		if other == gen || size == 0 {
			continue
		}
		if err := t.toLostFoundLocked(other); err != nil {
			return err
		}
	}
	return nil
}

// toLostFoundLocked moves a generation to lost+found, under a name that tells
// the table.
func (t *Table) toLostFoundLocked(gen uint64) error {
	named := filepath.Join(t.dir, strings.ReplaceAll(t.path(), "/", "_"))
	if err := t.c.disk.Rename("lost:name", t.genPath(gen), named); err != nil {
		return err
	}
	to, err := t.c.disk.Quarantine("lost:quarantine", named, t.c.dir.LostFound())
	if err != nil {
		return err
	}
	t.c.log.Warn("a content was put aside", "path", t.path(), "copy", to)
	return nil
}

// holdLostLocked makes a generation the content of a table of which nothing else
// is certain, and holds it.
func (t *Table) holdLostLocked(gen uint64) error {
	var st unix.Stat_t
	if err := unix.Stat(t.genPath(gen), &st); err != nil {
		return &os.PathError{Op: "stat", Path: t.genPath(gen), Err: err}
	}
	t.rec.L = content{Gen: gen, Len: st.Size, Arrival: t.rec.Arrivals}
	t.rec.Save = save{Seq: t.rec.Save.Seq + 1, Len: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(),
		How: byMachine, Time: time.Now(), Known: t.rec.Arrivals}
	return t.forgetStoreLocked(lostReason)
}

// forgetStoreLocked gives up what is known of the store's content: it is loaded
// again before anything is derived from it. What is unsent is held.
func (t *Table) forgetStoreLocked(reason string) error {
	r := &t.rec
	r.S, r.R, r.J, r.Kept, r.Rewritten = content{}, content{}, content{}, content{}, false
	r.Version, r.Behind = "", false
	t.stale, t.reload = true, false
	t.intent = nil
	t.c.intents.remove(t.id)
	if t.dirtyLocked() {
		t.holdLocked(reason)
	}
	return t.saveWithLocked(state.Normal, func(tx *state.Tx) error { return tx.Delete(kindIntent, t.id) })
}

// holdLocked holds the newest save.
func (t *Table) holdLocked(reason string) {
	t.rec.StateLost = true
	t.rec.Decision = &decision{State: "held", Seq: t.rec.Save.Seq, Since: time.Now(), Reason: reason}
	t.c.log.Error("save held", "path", t.path(), "reason", reason, "remedy", remedyFor(t.path()))
}

// lose is called when work met a content or keys that are missing or damaged.
func (t *Table) lose(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.c.log.Error("a content is "+errLost.Error(), "path", t.path(), "error", cause,
		"remedy", "none needed: it is loaded again")
	t.rec.J = content{}
	whole := !t.rottenLocked(t.rec.S) && (t.rec.R.same(t.rec.S) || !t.rottenLocked(t.rec.R))
	var err error
	if whole && t.intent == nil {
		err = t.saveLocked(state.Normal)
	} else {
		err = t.lostAgreedLocked()
	}
	if err != nil {
		t.c.log.Error("state not written", "path", t.path(), "error", err)
	}
}

// lostAgreedLocked is called when S or R is missing or damaged. As long as the
// store may still have it, it is loaded again (reloadAgreed).
func (t *Table) lostAgreedLocked() error {
	if t.rec.R.same(t.rec.S) && t.rec.Version != "" && t.intent == nil {
		t.reload = true
		return nil
	}
	return t.forgetStoreLocked(lostReason)
}

// thereLocked reports whether the files of a content are there, as far as their
// names and sizes tell.
func (t *Table) thereLocked(x content) bool {
	info, err := os.Stat(t.genPath(x.Gen))
	if err != nil || info.Size() < x.Len {
		return false
	}
	if x.Keys == 0 {
		return true
	}
	info, err = os.Stat(t.keysPath(x.Keys))
	return err == nil && info.Size() > 0
}

// checkFilesLocked looks, after an unclean end, whether all files are there that
// the facts name, but for L.
func (t *Table) checkFilesLocked() error {
	r := &t.rec
	if !r.J.none() && !t.thereLocked(r.J) {
		r.J = content{}
	}
	if !r.Kept.none() && !t.thereLocked(r.Kept) {
		r.Kept = content{}
	}
	lost := ""
	named := map[string]content{"last agreed content": r.S, "store's content": r.R}
	if in := t.intent; in != nil {
		named["content that was being sent"], named["content to agree on"] = in.Document, in.Agreed
	}
	for what, x := range named {
		if !x.none() && !t.thereLocked(x) {
			lost = what
		}
	}
	if lost == "" {
		return nil
	}
	t.c.log.Error("files "+errLost.Error(), "path", t.path(), "what", lost)
	return t.lostAgreedLocked()
}

// tableFiles are the files of a table's directory.
type tableFiles struct {
	gens             map[uint64]int64 // number -> size
	lastGen, lastSeq uint64           // highest numbers
	marked           uint64           // generation that is marked as L
}

// current is the generation that was under the name: the one that is marked, or
// the newest.
func (f *tableFiles) current() uint64 {
	if _, there := f.gens[f.marked]; there {
		return f.marked
	}
	return f.lastGen
}

// scan reads the directory of a table.
func scan(dir string) (tableFiles, error) {
	files := tableFiles{gens: map[uint64]int64{}}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return files, nil
	}
	if err != nil {
		return files, err
	}
	for _, e := range entries {
		if n, ok := fileNumber(e.Name(), "g", ".csv"); ok {
			info, err := e.Info()
			if err != nil {
				return files, err
			}
			files.gens[n] = info.Size()
			files.lastGen = max(files.lastGen, n)
		}
		if n, ok := fileNumber(e.Name(), "k", ".ids"); ok {
			files.lastSeq = max(files.lastSeq, n)
		}
	}
	if target, err := os.Readlink(filepath.Join(dir, markOfL)); err == nil {
		files.marked, _ = fileNumber(target, "g", ".csv")
	}
	return files, nil
}

// markOfL is a symbolic link to the generation under the name, by which it is
// found if the facts are lost.
const markOfL = "current"

// markLocked brings that up to date. It is a help, not a fact: a failure is
// logged.
func (t *Table) markLocked() {
	gen := t.rec.L.Gen
	if t.marked == gen || gen == 0 {
		return
	}
	temp := filepath.Join(t.dir, "."+markOfL+".tmp")
	err := os.Remove(temp)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = t.c.disk.Symlink("mark:link", filepath.Base(t.genPath(gen)), temp)
	}
	if err == nil {
		err = t.c.disk.Rename("mark:rename", temp, filepath.Join(t.dir, markOfL))
	}
	if err != nil {
		t.c.log.Warn("the current content is not marked", "path", t.path(), "error", err)
		return
	}
	t.marked = gen
}

func lostf(path string, cause error) error {
	return fmt.Errorf("%s is %w: %w", path, errLost, cause)
}
