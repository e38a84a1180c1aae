package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// recover reads the state into memory and repairs what an unclean end left.
// Where facts and bytes disagree the bytes are kept.
func (c *Cache) recover(report state.Report) error {
	for _, q := range report.Quarantined {
		c.log.Error("damaged state was put aside", "path", q, "remedy", "ragasfs status shows what is held")
	}
	if err := c.readRecords(); err != nil {
		return err
	}
	if err := c.know.load(); err != nil {
		return err
	}
	if report.Damaged {
		if err := c.rebuild(); err != nil {
			return err
		}
	}
	for _, t := range c.allTables() {
		if err := c.recoverTable(t, report.Clean); err != nil {
			return err
		}
	}
	return nil
}

// readRecords reads projects, tables and what belongs to them.
func (c *Cache) readRecords() error {
	return c.db.View(func(tx *state.Tx) error {
		if err := tx.Each(kindProject, "", func(_ string, read func(any) error) error {
			var rec projectRecord
			if err := read(&rec); err != nil {
				return err
			}
			c.projects[rec.Name] = newProject(rec)
			return nil
		}); err != nil {
			return err
		}
		if err := tx.Each(kindTable, "", func(_ string, read func(any) error) error {
			var rec record
			if err := read(&rec); err != nil {
				return err
			}
			c.addRecovered(rec)
			return nil
		}); err != nil {
			return err
		}
		return c.readDetails(tx)
	})
}

// addRecovered binds a table that is known from the state.
func (c *Cache) addRecovered(rec record) *Table {
	t := c.newTable(rec)
	p := c.projects[rec.Project]
	if p == nil {
		p = newProject(projectRecord{Name: rec.Project, InStore: rec.InStore,
			Ref: backends.Ref{Project: rec.Ref.Project, ProjectID: rec.Ref.ProjectID}})
		c.projects[rec.Project] = p
	}
	p.tables[rec.Kind][rec.Name] = t
	c.tables[rec.ID] = t
	c.inoTaken[rec.Ino] = true
	return t
}

// readDetails reads intents, conflicts and parked rows.
func (c *Cache) readDetails(tx *state.Tx) error {
	err := tx.Each(kindIntent, "", func(id string, read func(any) error) error {
		var in intent
		if err := read(&in); err != nil {
			return err
		}
		if t := c.tables[id]; t != nil {
			t.intent = &in
			c.intents.add(id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = tx.Each(kindConflict, "", func(id string, read func(any) error) error {
		var b blob
		var r conflictRecord
		if err := errors.Join(read(&b), decode(b.Data, &r)); err != nil {
			return err
		}
		if t := c.tables[tableOfID(id)]; t != nil {
			t.conflicts = append(t.conflicts, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return tx.Each(kindParked, "", func(id string, read func(any) error) error {
		var b blob
		var r parkedRecord
		if err := errors.Join(read(&b), decode(b.Data, &r)); err != nil {
			return err
		}
		if t := c.tables[tableOfID(id)]; t != nil {
			t.parked = append(t.parked, r)
		}
		return nil
	})
}

func tableOfID(id string) string {
	t, _ := splitID(id)
	return t
}

// recoverTable looks at one table's bytes. After an unclean end a file that has
// changed since it was last noted is a save of an unknown writer, and is copied:
// a program that survived us may still write into the old one (K6).
func (c *Cache) recoverTable(t *Table, clean bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.worker.retry = len(t.parked) > 0 // parked rows are tried again at a mount
	if t.rec.L.none() {
		return nil
	}
	if t.dirtyLocked() {
		t.firstDirty = time.Now()
	}
	path := t.genPath(t.rec.L.Gen)
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return &os.PathError{Op: "stat", Path: path, Err: err}
		}
		return t.contentLostLocked()
	}
	last := t.rec.Save
	same := st.Size == last.Len && st.Mtim.Nano() == last.Mtime
	if same && (clean || !t.dirtyLocked()) {
		t.rec.Save.Ctime = st.Ctim.Nano()
		return t.saveLocked(state.Normal)
	}
	to := t.newGenLocked()
	if _, err := c.disk.Copy("recover:copy", t.genPath(to), path, st.Size); err != nil {
		return err
	}
	if err := unix.Stat(t.genPath(to), &st); err != nil {
		return &os.PathError{Op: "stat", Path: t.genPath(to), Err: err}
	}
	grown := t.rec.S.Gen == t.rec.L.Gen && st.Size >= t.rec.S.Len && t.rec.S.Len > 0
	s := last
	s.Len, s.Mtime, s.Ctime = st.Size, st.Mtim.Nano(), st.Ctim.Nano()
	if !same {
		s.Seq, s.Time = last.Seq+1, time.Now()
		if !grown {
			s.How = byMachine
			s.Synced = false
			if s.Doubt == 0 {
				s.Doubt = 1
			}
		}
		c.log.Warn("a save was found that had not been noted", "path", t.path())
	}
	if grown {
		// What S needs is at the start of the copy too.
		for _, x := range t.refsLocked() {
			if x.Gen == t.rec.L.Gen {
				x.Gen = to
			}
		}
	}
	known := t.rec.L.Arrival
	t.rec.L = content{Gen: to, Len: st.Size, Arrival: known}
	t.rec.Save = s
	return t.saveLocked(state.Normal)
}

// contentLostLocked: the bytes that the facts name are not there.
func (t *Table) contentLostLocked() error {
	t.c.log.Error("content missing in the state directory", "path", t.path(), "generation", t.rec.L.Gen)
	l := t.rec.L
	if !t.rec.S.none() && t.rec.S.Gen != l.Gen {
		t.rec.L = t.rec.S
	} else {
		t.rec.L, t.rec.S, t.rec.R, t.rec.J = content{}, content{}, content{}, content{}
		t.rec.Version = ""
	}
	t.rec.CleanSeq = t.rec.Save.Seq
	return t.saveLocked(state.Normal)
}

// rebuild makes tables of what is in t/*: the facts are lost, the bytes are not.
// Every such table is held until its content is known to equal the store's, or
// a person decides.
func (c *Cache) rebuild() error {
	dirs, err := os.ReadDir(c.dir.Tables())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, d := range dirs {
		if err := c.rebuildTable(d.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cache) rebuildTable(id string) error {
	dir := c.dir.T(id)
	name, err := os.ReadFile(filepath.Join(dir, "name"))
	if err != nil {
		c.log.Error("a table's directory has no name", "path", dir, "error", err)
		return nil
	}
	parts := strings.Split(strings.TrimSpace(string(name)), "/")
	if len(parts) != 3 || c.tables[id] != nil {
		return nil
	}
	newest, newestKey, err := newestFiles(dir)
	if err != nil || newest == 0 {
		return err
	}
	stem := strings.TrimSuffix(parts[2], ".csv")
	ino, err := c.nextIno()
	if err != nil {
		return err
	}
	t := c.addRecovered(record{ID: id, Project: parts[0], Kind: backends.Kind(parts[1]), Name: stem, Ino: ino,
		Ref: backends.Ref{Project: parts[0], Kind: backends.Kind(parts[1]), Name: stem}, InStore: true,
		StoreSize: -1, StoreRows: -1, LastGen: newest, LastSeq: newestKey})
	var st unix.Stat_t
	path := t.genPath(newest)
	if err := unix.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	t.rec.L = content{Gen: newest, Len: st.Size}
	t.rec.Save = save{Seq: 1, Len: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(), How: byMachine, Time: time.Now(), Doubt: 1}
	t.rec.StateLost = true
	t.stale = true
	t.rec.Decision = &decision{State: "held", Seq: 1, Since: time.Now(),
		Reason: "state lost: the facts about this table were damaged; what is here may or may not have been sent. confirm sends it as an edit, discard takes what the store has"}
	return t.saveLocked(state.Normal)
}

// newestFiles are the highest numbers of gN.csv and kN.ids in a table's directory.
func newestFiles(dir string) (gen, key uint64, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		if n, ok := fileNumber(e.Name(), "g", ".csv"); ok {
			gen = max(gen, n)
		}
		if n, ok := fileNumber(e.Name(), "k", ".ids"); ok {
			key = max(key, n)
		}
	}
	return gen, key, nil
}

func fileNumber(name, prefix, suffix string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	s, ok = strings.CutSuffix(s, suffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// syncContents makes the contents of all unsent tables power safe, before the
// facts about them are.
func (c *Cache) syncContents() error {
	var failed error
	for _, t := range c.allTables() {
		t.mu.Lock()
		path := ""
		if t.dirtyLocked() && t.syncedSeq != t.rec.Save.Seq && !t.rec.L.none() {
			path = t.genPath(t.rec.L.Gen)
		}
		seq := t.rec.Save.Seq
		t.mu.Unlock()
		if path == "" {
			continue
		}
		if err := c.syncFile(path); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", t.path(), err))
			continue
		}
		t.mu.Lock()
		t.syncedSeq = seq
		t.mu.Unlock()
	}
	return failed
}

func (c *Cache) syncFile(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // replaced meanwhile
	}
	if err != nil {
		return err
	}
	err = c.disk.Sync("background:content", f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return c.disk.SyncDir("background:dir", filepath.Dir(path))
}
