package cache

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/cache/state"
)

// begin and end enclose work that makes generations and names them afterwards.
// Only while there is none, files that nobody refers to are garbage.
func (t *Table) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ops++
}

func (t *Table) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ops--
	if t.ops == 0 {
		t.collectLocked()
	}
}

// collectLocked removes generations and key files that nothing refers to any
// more. A content that file and store had agreed on is moved to history; others
// (steps of one editing) are dropped.
func (t *Table) collectLocked() {
	if t.rec.LastGen == t.collected.gen && t.rec.LastSeq == t.collected.seq {
		return
	}
	if t.unsaved && t.saveLocked(state.Normal) != nil {
		return // the facts on disk still name what would be removed
	}
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return // nothing was ever loaded
	}
	gens, keys := map[uint64]bool{t.rec.L.Gen: true}, map[uint64]bool{t.rec.L.Keys: true}
	for _, x := range t.refsLocked() {
		gens[x.Gen], keys[x.Keys] = true, true
	}
	if t.intent != nil {
		keys[t.intent.Keys] = true
	}
	if e := t.rec.Evicted; e != nil {
		keys[e.Content.Keys] = true
	}
	left := false
	for gen, f := range t.files {
		f.mu.Lock()
		open := len(f.handles) > 0
		f.mu.Unlock()
		if open && !gens[gen] {
			gens[gen], left = true, true
		}
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "g"):
			n, err := strconv.ParseUint(strings.TrimSuffix(name[1:], ".csv"), 10, 64)
			if err != nil || gens[n] {
				continue
			}
			t.retireLocked(n)
		case strings.HasPrefix(name, "k"):
			n, err := strconv.ParseUint(strings.TrimSuffix(name[1:], ".ids"), 10, 64)
			if err != nil || keys[n] {
				continue
			}
			if err := t.c.disk.Remove("collect:keys", filepath.Join(t.dir, name)); err != nil {
				t.c.log.Warn("file left behind", "path", filepath.Join(t.dir, name), "error", err)
			}
		}
	}
	if !left {
		t.collected.gen, t.collected.seq = t.rec.LastGen, t.rec.LastSeq
	}
}

// retireLocked moves a generation to history if it was agreed on, else drops it.
func (t *Table) retireLocked(gen uint64) {
	path := t.genPath(gen)
	delete(t.files, gen)
	agreed := slices.Index(t.rec.Agreed, gen)
	var err error
	if agreed >= 0 {
		t.rec.Agreed = slices.Delete(t.rec.Agreed, agreed, agreed+1)
		err = t.toHistoryLocked(path, time.Now(), "replaced")
	} else {
		err = t.c.disk.Remove("collect:generation", path)
	}
	if err != nil {
		t.c.log.Warn("file left behind", "path", path, "error", err)
	}
}

// toHistoryLocked moves a file to history/PROJECT/KIND/NAME/TIME.csv.
func (t *Table) toHistoryLocked(path string, when time.Time, why string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	to := t.historyPath(&when)
	rel, err := filepath.Rel(t.c.dir.History(), to)
	if err != nil {
		return err
	}
	if err := t.c.disk.MkdirAll("history:mkdir", filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := t.c.disk.Rename("history:move", path, to); err != nil {
		return err
	}
	body := historyRecord{Table: t.id, Project: t.rec.Project, Kind: t.rec.Kind, Name: t.rec.Name, Time: when, Size: info.Size(), Why: why,
		Mounted: t.c.mountedTime()}
	return t.c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put(kindHistory, rel, body) })
}

// keepCopy puts a copy of a content into history, durably: before something that
// can't be taken back (a delete in the store, discard).
func (t *Table) keepCopy(x content, why string) error {
	if x.none() {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	tmp := t.genPath(t.newGenLocked())
	if _, err := t.c.disk.Copy("history:copy", tmp, t.genPath(x.Gen), x.Len); err != nil {
		return err
	}
	f, err := os.Open(tmp)
	if err != nil {
		return err
	}
	err = t.c.disk.Sync("history:sync", f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := t.toHistoryLocked(tmp, time.Now(), why); err != nil {
		return err
	}
	return t.syncHistory()
}

// syncHistory makes the entries of the table in history power safe: the names,
// those of the directories above, and what is noted about them.
func (t *Table) syncHistory() error {
	dir := t.historyDir()
	for dir != t.c.dir.History() {
		if err := t.c.disk.SyncDir("history:syncdir", dir); err != nil {
			return err
		}
		dir = filepath.Dir(dir)
	}
	return errors.Join(t.c.disk.SyncDir("history:syncdir", dir), t.c.db.Sync())
}

// historyTime is the form of times in names of files in history.
const historyTime = "20060102T150405.000000000Z"

// historyPath is where a version that was replaced at that time belongs. The time
// moves on until nothing is there: clocks are set back.
func (t *Table) historyPath(when *time.Time) string {
	for {
		to := filepath.Join(t.historyDir(), when.UTC().Format(historyTime)+".csv")
		if _, err := os.Lstat(to); err != nil {
			return to
		}
		*when = when.Add(time.Nanosecond)
	}
}

func (t *Table) historyDir() string {
	return filepath.Join(t.c.dir.History(), t.rec.Project, string(t.rec.Kind), t.rec.Name)
}
