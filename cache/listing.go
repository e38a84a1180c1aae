package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// listAll lists the store whole: projects, then the tables of each. A part that
// can't be listed stays as it was.
func (c *Cache) listAll(ctx context.Context) error {
	var names []string
	if c.cfg.Project != "" {
		if err := c.onlyProject(); err != nil {
			return err
		}
		names = []string{c.root}
	} else {
		entries, err := c.store.List(ctx, backends.Ref{})
		if err != nil {
			return err
		}
		if names, err = c.takeProjects(entries); err != nil {
			return err
		}
	}
	var failed error
	for _, name := range names {
		if err := c.listProject(ctx, name); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil {
		c.health.succeeded()
	}
	return failed
}

// onlyProject binds the one project of -o project=NAME.
func (c *Cache) onlyProject() error {
	c.names.Lock()
	defer c.names.Unlock()
	if c.projects[c.root] != nil {
		return nil
	}
	p := newProject(projectRecord{Name: c.root, InStore: true, Ref: backends.Ref{Project: c.cfg.Project}})
	c.projects[c.root] = p
	return c.saveProjectLocked(p)
}

// takeProjects takes in a complete list of projects.
func (c *Cache) takeProjects(entries []backends.Entry) (names []string, err error) {
	sortByAge(entries)
	c.names.Lock()
	defer c.names.Unlock()
	seen := map[*project]bool{}
	for _, e := range entries {
		p := c.projectOfLocked(e.Ref)
		if p == nil {
			name := c.freeNameLocked(e.Ref.Project, e.Ref.ProjectID, func(n string) bool { return c.projects[n] != nil })
			p = newProject(projectRecord{Name: name})
			c.projects[name] = p
			c.changedName("", name)
		}
		seen[p] = true
		if p.rec.Removed {
			continue
		}
		if !p.rec.InStore || p.rec.Ref != e.Ref {
			p.rec.InStore, p.rec.Ref = true, e.Ref
			if err := c.saveProjectLocked(p); err != nil {
				return nil, err
			}
		}
		names = append(names, p.rec.Name)
	}
	for name, p := range c.projects {
		if !seen[p] && p.rec.InStore && !p.rec.Removed {
			c.projectVanishedLocked(name, p)
		}
	}
	return names, nil
}

// projectVanishedLocked: a project is missing in a complete list. If it holds
// nothing unsent it goes; else its tables stay and are held one by one.
func (c *Cache) projectVanishedLocked(name string, p *project) {
	for _, k := range backends.Kinds {
		for _, t := range p.tables[k] {
			go c.vanished(t)
		}
	}
	if len(p.tables[backends.Datasets])+len(p.tables[backends.Experiments]) > 0 {
		return
	}
	delete(c.projects, name)
	c.changedName("", name)
	if err := c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Delete(kindProject, name) }); err != nil {
		c.log.Warn("project not forgotten", "project", name, "error", err)
	}
}

func (c *Cache) projectOfLocked(ref backends.Ref) *project {
	for _, p := range c.projects {
		if ref.ProjectID != "" && p.rec.Ref.ProjectID == ref.ProjectID {
			return p
		}
		if p.rec.Ref.Project == ref.Project && (ref.ProjectID == "" || p.rec.Ref.ProjectID == "") {
			return p
		}
	}
	return nil
}

// listProject takes in the tables of one project.
func (c *Cache) listProject(ctx context.Context, name string) error {
	c.names.Lock()
	p := c.projects[name]
	if p == nil || !p.rec.InStore {
		c.names.Unlock()
		return nil
	}
	ref := p.rec.Ref
	c.names.Unlock()
	started := time.Now()
	entries, err := c.store.List(ctx, ref)
	if err != nil {
		return fmt.Errorf("%s: listing: %w", name, err)
	}
	sortByAge(entries)
	missing, err := c.takeTables(p, entries, started)
	if err != nil {
		return err
	}
	for _, t := range missing {
		c.vanished(t)
	}
	return nil
}

// takeTables binds what is listed and returns the tables that are missing.
func (c *Cache) takeTables(p *project, entries []backends.Entry, started time.Time) (missing []*Table, err error) {
	c.names.Lock()
	defer c.names.Unlock()
	seen := map[*Table]bool{}
	for _, e := range entries {
		t := tableOfLocked(p, e.Ref)
		if t == nil {
			if t, err = c.newFromStoreLocked(p, e); err != nil {
				return nil, err
			}
		}
		seen[t] = true
		if err := t.takeEntry(e); err != nil {
			return nil, err
		}
	}
	for _, k := range backends.Kinds {
		for _, t := range p.tables[k] {
			t.mu.Lock()
			known := t.rec.InStore && t.madeAt.Before(started)
			t.mu.Unlock()
			if known && !seen[t] {
				missing = append(missing, t)
			}
		}
	}
	return missing, nil
}

func tableOfLocked(p *project, ref backends.Ref) *Table {
	for _, t := range p.tables[ref.Kind] {
		t.mu.Lock()
		r := t.rec
		t.mu.Unlock()
		if r.Ref.Kind != ref.Kind {
			continue
		}
		if ref.ID != "" && r.Ref.ID == ref.ID || r.InStore && (ref.ID == "" || r.Ref.ID == "") && r.Ref.Name == ref.Name {
			return t
		}
	}
	return nil
}

// newFromStoreLocked makes a table for an entry of the store that has none here.
func (c *Cache) newFromStoreLocked(p *project, e backends.Entry) (*Table, error) {
	tables := p.tables[e.Ref.Kind]
	for _, t := range tables {
		if t.makes(e) {
			return t, nil
		}
	}
	taken := func(n string) bool { return tables[n] != nil }
	name := c.freeNameLocked(e.Ref.Name, e.Ref.ID, taken)
	ino, err := c.nextIno()
	if err != nil {
		return nil, err
	}
	t := c.newTable(record{ID: randomID(), Project: p.rec.Name, Kind: e.Ref.Kind, Name: name, Ino: ino,
		Ref: e.Ref, InStore: true, StoreSize: e.Size, StoreRows: e.Rows, StoreTime: e.ModTime})
	tables[name] = t
	c.tables[t.id] = t
	c.inoTaken[ino] = true
	c.changedName(p.rec.Name+"/"+string(e.Ref.Kind), name+".csv")
	return t, nil
}

// makes reports whether the entry may be what the table is being made as: it is
// not known to be in the store yet, and its create finds out.
func (t *Table) makes(e backends.Entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.InStore {
		return false
	}
	if in := t.intent; in != nil && in.Create && (in.Ref.Name == e.Ref.Name || e.Nonce != "" && in.Nonce == e.Nonce) {
		return true
	}
	return t.rec.Name == encodeName(e.Ref.Name)
}

// takeEntry notes what a listing says of a table.
func (t *Table) takeEntry(e backends.Entry) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.rec
	if !r.InStore {
		return nil // a new table here with the same name: create.go decides
	}
	if r.Ref == e.Ref && r.Vanished == nil && (r.L.Gen != 0 || r.StoreSize == e.Size && r.StoreTime.Equal(e.ModTime)) && r.Version == e.Version && r.Version != "" {
		return nil
	}
	if r.L.Gen == 0 {
		changed := r.StoreSize != e.Size || !r.StoreTime.Equal(e.ModTime)
		r.StoreSize, r.StoreRows, r.StoreTime = e.Size, e.Rows, e.ModTime
		if changed && t.files[0] != nil {
			t.c.invalidateAttr(t.files[0])
		}
	}
	if r.NewName == "" || e.Ref.ID != "" {
		r.Ref = e.Ref
	}
	r.Vanished = nil
	if r.L.Gen != 0 && e.Version != "" && e.Version != r.Version && t.intent == nil && !t.pushing {
		t.stale = true
		t.wakeLocked(0)
	}
	return t.saveLocked(state.Normal)
}

// vanishWait is how long a missing table with unsent edits is kept before a
// second listing decides.
const vanishWait = time.Minute

// vanished is called for a table that a complete listing does not have.
func (c *Cache) vanished(t *Table) {
	mass := c.massVanish(t)
	t.mu.Lock()
	r := &t.rec
	if !r.InStore || r.Vanished != nil && time.Since(*r.Vanished) < vanishWait {
		t.mu.Unlock()
		return
	}
	unsent := t.dirtyLocked() || len(t.conflicts) > 0
	switch {
	case r.Gone != nil && !r.Gone.Vanished:
		// It was to be deleted anyway.
		t.mu.Unlock()
		if err := c.forgetTable(t); err != nil {
			c.log.Warn("table not forgotten", "path", t.path(), "error", err)
		}
		return
	case !unsent && !mass && len(t.writers) == 0:
		t.mu.Unlock()
		c.dropVanished(t)
		return
	case r.Vanished == nil:
		now := time.Now()
		r.Vanished = &now
		t.noteLocked(state.Normal)
		t.mu.Unlock()
		time.AfterFunc(vanishWait+time.Second, func() {
			if c.ctx.Err() == nil {
				if err := c.listProject(c.ctx, t.rec.Project); err != nil {
					c.log.Warn("second listing failed", "error", err)
				}
			}
		})
		return
	}
	if r.Decision == nil || r.Decision.Op != "vanished" {
		r.Decision = &decision{State: "held", Op: "vanished", Seq: r.Save.Seq, Since: time.Now(),
			Reason: "gone from the store: it is missing there since " + r.Vanished.Format(time.DateTime) + "; confirm creates it again, discard lets it go (its content goes to history)"}
		c.log.Warn("table gone from the store", "path", t.path(), "remedy", remedyFor(t.path()))
		t.noteLocked(state.Normal)
	}
	t.mu.Unlock()
}

// massVanish: more than half of at least four known tables are missing.
func (c *Cache) massVanish(t *Table) bool {
	t.mu.Lock()
	now := time.Now()
	t.missing = now
	t.mu.Unlock()
	known, missing := 0, 0
	for _, o := range c.allTables() {
		o.mu.Lock()
		if o.rec.InStore && o.rec.Gone == nil {
			known++
			if o.rec.Vanished != nil || now.Sub(o.missing) < 5*time.Second {
				missing++
			}
		}
		o.mu.Unlock()
	}
	return known >= 4 && 2*missing > known
}

// dropVanished lets a clean table go that was deleted in the store.
func (c *Cache) dropVanished(t *Table) {
	t.mu.Lock()
	l := t.rec.L
	t.mu.Unlock()
	if err := t.keepCopy(l, "refresh"); err != nil {
		c.log.Error("content not kept", "path", t.path(), "error", err)
		return
	}
	t.mu.Lock()
	t.rec.Gone = &gone{Since: time.Now(), Vanished: true}
	dir, name := t.rec.Project+"/"+string(t.rec.Kind), t.rec.Name+".csv"
	t.mu.Unlock()
	if err := c.forgetTable(t); err != nil {
		c.log.Warn("table not forgotten", "path", t.path(), "error", err)
	}
	c.invalidate(dir, name)
}

// sortByAge puts the oldest first: of equal names it keeps the plain one.
func sortByAge(entries []backends.Entry) {
	slices.SortFunc(entries, func(a, b backends.Entry) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Ref.ID, b.Ref.ID), cmp.Compare(a.Ref.Name, b.Ref.Name))
	})
}

// freeNameLocked is the shown name of a store's name: encoded where it is no
// valid file name, with the id behind where it is taken.
func (c *Cache) freeNameLocked(name, id string, taken func(string) bool) string {
	shown := encodeName(name)
	if taken(shown) && id != "" {
		shown = fmt.Sprintf("%s (%s)", shown, encodeName(id))
	}
	return shown
}

// encodeName percent-encodes what a file name here can't hold.
func encodeName(name string) string {
	var b strings.Builder
	for i, r := range name {
		n := utf8.RuneLen(r)
		bad := r == '/' || r == '\\' || !unicode.IsPrint(r) || r == utf8.RuneError ||
			i == 0 && strings.ContainsRune(".~# ", r) || r == ' ' && i == len(name)-1
		if !bad {
			b.WriteRune(r)
			continue
		}
		if r == utf8.RuneError {
			n = 1
		}
		for _, x := range []byte(name[i : i+max(n, 1)]) {
			fmt.Fprintf(&b, "%%%02X", x)
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}
