package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// listAll lists the store whole: projects, then the tables of each. A part that
// can't be listed stays as it was.
func (c *Cache) listAll(ctx context.Context) error {
	var names []string
	var missing []*Table
	if c.cfg.Project != "" {
		if err := c.onlyProject(); err != nil {
			return err
		}
		names = []string{c.root}
	} else {
		entries, started, err := c.list(ctx, func() backends.Ref { return backends.Ref{} })
		if err != nil {
			return err
		}
		if err := c.sameStore.look(entries); err != nil {
			return err
		}
		if names, missing, err = c.takeProjects(entries, started); err != nil {
			return err
		}
	}
	var failed error
	for _, name := range names {
		lacks, err := c.listTables(ctx, name)
		if err != nil {
			failed = errors.Join(failed, err)
		}
		missing = append(missing, lacks...)
	}
	c.vanished(missing)
	c.emptied()
	if failed == nil {
		c.health.succeeded()
	}
	return failed
}

// emptied lets those projects go that the store has not any more, once none of
// their tables is left.
func (c *Cache) emptied() {
	c.names.Lock()
	defer c.names.Unlock()
	for name, p := range c.projects {
		if p.lacks && p.rec.InStore && !p.rec.Removed {
			c.projectVanishedLocked(name, p)
		}
	}
}

// list lists a scope, again if a project has got another name in the store
// meanwhile. It returns when the listing began.
func (c *Cache) list(ctx context.Context, scope func() backends.Ref) ([]backends.Entry, time.Time, error) {
	for {
		started := time.Now()
		entries, err := c.store.List(ctx, scope())
		if c.movedSince(started) && ctx.Err() == nil {
			continue
		}
		return entries, started, err
	}
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
	c.backLocked(p)
	return c.saveProjectLocked(p)
}

// takeProjects takes in a complete list of projects.
// It returns the projects that are there, and the tables of those that are not.
func (c *Cache) takeProjects(entries []backends.Entry, started time.Time) (names []string, missing []*Table, err error) {
	sortByAge(entries)
	c.names.Lock()
	defer c.names.Unlock()
	if err := c.finishedLocked(entries); err != nil {
		return nil, nil, err
	}
	seen := map[*project]bool{}
	for _, e := range entries {
		p, fresh := c.projectOfLocked(e.Ref), false
		if p == nil {
			name := freeName(e.Ref.Project, e.Ref.ProjectID, func(n string) bool { return c.projects[n] != nil || c.fileLocked(n) })
			p = newProject(projectRecord{Name: name})
			c.projects[name] = p
			fresh = true
		}
		seen[p], p.lacks = true, false
		if p.rec.Removed {
			continue
		}
		if p.rec.NewName == "" && (!p.rec.InStore || p.rec.Ref != e.Ref) {
			p.rec.InStore, p.rec.Ref, p.rec.Stays = true, e.Ref, false
			if err := c.saveProjectLocked(p); err != nil {
				return nil, nil, err
			}
			c.backLocked(p)
			if fresh {
				c.invalidate("", p.rec.Name)
			}
		}
		names = append(names, p.rec.Name)
	}
	for name, p := range c.projects {
		if !seen[p] && p.rec.InStore && !p.rec.Removed && p.madeAt.Before(started) {
			p.lacks = true
			missing = append(missing, c.projectVanishedLocked(name, p)...)
		}
	}
	return names, missing, nil
}

// projectVanishedLocked: a project is missing in a complete list, and with it
// all its tables. It goes when none of them is left.
func (c *Cache) projectVanishedLocked(name string, p *project) (missing []*Table) {
	for _, k := range backends.Kinds {
		for _, t := range p.tables[k] {
			missing = append(missing, t)
		}
	}
	if len(missing) > 0 {
		return missing
	}
	if !c.unbackLocked(name) {
		if p.rec.InStore = false; !p.rec.Stays {
			p.rec.Stays = true
			c.log.Info("project gone from the store; it still holds files of this machine", "project", name)
		}
		p.showAll()
		c.backLocked(p)
		if err := c.saveProjectLocked(p); err != nil {
			c.log.Warn("project not noted", "project", name, "error", err)
		}
		return nil
	}
	delete(c.projects, name)
	c.invalidate("", name)
	if err := c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Delete(kindProject, name) }); err != nil {
		c.log.Warn("project not forgotten", "project", name, "error", err)
	}
	return nil
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
	missing, err := c.listTables(ctx, name)
	if err == nil {
		c.vanished(missing)
	}
	return err
}

// listTables takes in the tables of one project and returns those that are missing.
func (c *Cache) listTables(ctx context.Context, name string) (missing []*Table, err error) {
	c.names.Lock()
	p := c.projects[name]
	if p == nil || !p.rec.InStore {
		c.names.Unlock()
		return nil, nil
	}
	c.names.Unlock()
	entries, started, err := c.list(ctx, func() backends.Ref {
		c.names.Lock()
		defer c.names.Unlock()
		return p.rec.Ref
	})
	if err != nil {
		return nil, fmt.Errorf("%s: listing: %w", name, err)
	}
	sortByAge(entries)
	return c.takeTables(p, entries, started)
}

// takeTables binds what is listed and returns the tables that are missing.
func (c *Cache) takeTables(p *project, entries []backends.Entry, started time.Time) (missing []*Table, err error) {
	c.names.Lock()
	defer c.names.Unlock()
	seen, fresh := map[*Table]bool{}, map[backends.Kind]bool{}
	for _, e := range entries {
		t := tableOfLocked(p, e.Ref)
		if t == nil {
			if t, err = c.newFromStoreLocked(p, e); err != nil {
				return nil, err
			}
			fresh[e.Ref.Kind] = true
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
	for k := range fresh {
		c.comeBackLocked(p, k)
		c.namesChanged(p.rec.Name, k)
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
	taken := func(n string) bool {
		return tables[n] != nil || c.standsLocked(path.Join(p.rec.Name, string(e.Ref.Kind), n+".csv"))
	}
	name := freeName(e.Ref.Name, e.Ref.ID, taken)
	ino, err := c.nextIno()
	if err != nil {
		return nil, err
	}
	t := c.newTable(record{ID: randomID(), Project: p.rec.Name, Kind: e.Ref.Kind, Name: name, Ino: ino,
		Ref: e.Ref, InStore: true, StoreSize: e.Size, StoreRows: e.Rows, StoreTime: e.ModTime, Seen: time.Now()})
	tables[name] = t
	c.tables[t.id] = t
	c.inoTaken[ino] = true
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
	if r.L.Gen == 0 && (r.Evicted == nil || e.Version == "" || e.Version != r.Evicted.Version) {
		changed := r.StoreSize != e.Size || !r.StoreTime.Equal(e.ModTime)
		r.StoreSize, r.StoreRows, r.StoreTime = e.Size, e.Rows, e.ModTime
		if changed && t.files[0] != nil {
			t.c.invalidateAttr(t.files[0])
		}
	}
	if r.NewName == "" || e.Ref.ID != "" {
		r.Ref = e.Ref
	}
	t.foundLocked()
	if r.L.Gen != 0 && e.Version != "" && e.Version != r.Version && t.intent == nil && !t.pushing {
		t.stale = true
		t.wakeLocked(0)
	}
	return t.saveLocked(state.Normal)
}

// sortByAge puts the oldest first: of equal names it keeps the plain one.
func sortByAge(entries []backends.Entry) {
	slices.SortFunc(entries, func(a, b backends.Entry) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Ref.ID, b.Ref.ID), cmp.Compare(a.Ref.Name, b.Ref.Name))
	})
}

// standsLocked reports whether scratch has this path.
func (c *Cache) standsLocked(inside string) bool {
	_, err := os.Lstat(c.scratchPath(inside))
	return err == nil
}

// fileLocked reports whether scratch has something at the top that is no directory.
func (c *Cache) fileLocked(name string) bool {
	info, err := os.Lstat(c.scratchPath(name))
	return err == nil && !info.IsDir()
}
