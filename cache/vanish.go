package cache

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// vanishWait is how long a missing table that is not believed to be gone is kept
// before a second listing decides.
const vanishWait = time.Minute

// vanished is called with the tables that a complete listing does not have. What
// is clean goes, its content to history. Unsent edits, or too many tables at
// once, are not believed: such a table is kept until a second listing, then held.
func (c *Cache) vanished(missing []*Table) {
	if len(missing) == 0 {
		return
	}
	mass := c.massVanish(missing)
	kept := false
	for _, t := range missing {
		kept = c.vanishedOne(t, mass[t.project()]) || kept
	}
	if kept {
		c.freshness.listAgain(c.cfg.vanishWait + time.Second)
	}
}

// vanishedOne reports whether a second listing is to decide.
func (c *Cache) vanishedOne(t *Table, mass bool) (kept bool) {
	t.mu.Lock()
	r := &t.rec
	unsent := t.dirtyLocked() || len(t.conflicts) > 0
	switch {
	case !r.InStore || t.dropped:
	case r.Gone != nil && !r.Gone.Vanished:
		// It was to be deleted anyway.
		t.mu.Unlock()
		if err := c.forgetTable(t); err != nil {
			c.log.Warn("table not forgotten", "path", t.path(), "error", err)
		}
		return false
	case r.Vanished == nil && !unsent && !mass && len(t.writers) == 0:
		t.mu.Unlock()
		if c.stillThere(t) {
			return true
		}
		c.dropVanished(t)
		return false
	case r.Vanished == nil:
		now := time.Now()
		r.Vanished = &now
		t.noteLocked(state.Normal)
		kept = true
	case time.Since(*r.Vanished) < c.cfg.vanishWait:
		kept = true
	case r.Decision == nil || r.Decision.Op != "vanished":
		r.Decision = &decision{State: "held", Op: "vanished", Seq: r.Save.Seq, Since: time.Now(),
			Reason: "gone from the store: it is missing there since " + r.Vanished.Format(time.DateTime) + "; confirm creates it again, discard lets it go (its content goes to history)"}
		c.log.Warn("table gone from the store", "path", t.path(), "remedy", remedyFor(t.path()))
		t.noteLocked(state.Normal)
	}
	t.mu.Unlock()
	return kept
}

// stillThere asks for a table that a listing lacks. A listing may lag behind what
// was made just before, and where the store tells of changes by itself the next
// one is hours away.
func (c *Cache) stillThere(t *Table) bool {
	if !c.props.Told {
		return false
	}
	t.mu.Lock()
	ref := t.rec.Ref
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(c.ctx, c.firstLoadTimeout())
	defer cancel()
	_, _, err := c.store.Probe(ctx, ref)
	return err == nil || !errors.Is(err, backends.ErrNotFound)
}

// foundLocked takes back what was thought of a table that was missing.
func (t *Table) foundLocked() {
	t.rec.Vanished = nil
	if d := t.rec.Decision; d != nil && d.Op == "vanished" {
		t.rec.Decision = nil
	}
}

// massVanish reports for each project whether too many tables are missing to be
// believed: more than half of at least four, of the store or of the project; or
// all that there are, where the store tells of changes by itself.
func (c *Cache) massVanish(missing []*Table) map[string]bool {
	gone := map[*Table]bool{}
	for _, t := range missing {
		gone[t] = true
	}
	type counts struct{ known, missing int }
	var all counts
	projects := map[string]counts{}
	for _, t := range c.allTables() {
		t.mu.Lock()
		known := t.rec.InStore && t.rec.Gone == nil
		lacks := gone[t] || t.rec.Vanished != nil
		project := t.rec.Project
		t.mu.Unlock()
		if !known {
			continue
		}
		p := projects[project]
		p.known++
		all.known++
		if lacks {
			p.missing++
			all.missing++
		}
		projects[project] = p
	}
	c.names.Lock()
	for name, p := range c.projects {
		n := p.lately()
		counts := projects[name]
		counts.known, counts.missing = counts.known+n, counts.missing+n
		projects[name] = counts
		all.known, all.missing = all.known+n, all.missing+n
	}
	c.names.Unlock()
	many := func(n counts) bool { return n.known >= 4 && 2*n.missing > n.known }
	// A folder of Box that is not shared any more is empty, and no error.
	nothing := c.props.Told && all.known > 0 && all.missing == all.known
	mass := map[string]bool{}
	for project, n := range projects {
		mass[project] = many(n) || many(all) || nothing
	}
	return mass
}

// lately is the number of tables that went within the last minute: a listing may
// come in the middle of a removal of them all.
func (p *project) lately() int {
	p.drops = slices.DeleteFunc(p.drops, func(when time.Time) bool { return time.Since(when) > vanishWait })
	return len(p.drops)
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
	project, kind := t.rec.Project, t.rec.Kind
	t.mu.Unlock()
	c.names.Lock()
	if p := c.projects[project]; p != nil {
		p.drops = append(p.drops, time.Now())
	}
	c.names.Unlock()
	if err := c.forgetTable(t); err != nil {
		c.log.Warn("table not forgotten", "path", t.path(), "error", err)
	}
	c.namesChanged(project, kind)
}

// namesChanged is called when names in a folder came or went by what others did:
// the directory has a new mtime. The kernel asks for the names of tables each time.
func (c *Cache) namesChanged(project string, kind backends.Kind) {
	at := place{level: kindDir, path: project + "/" + string(kind), kind: kind}
	c.touchDir(at)
	c.invalidateDir(at.path)
}

// listAgain lists the store once more after a while, unless that is due already.
func (f *freshness) listAgain(after time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.again != nil {
		return
	}
	f.again = time.AfterFunc(after, func() {
		f.mu.Lock()
		f.again = nil
		f.mu.Unlock()
		if f.c.ctx.Err() != nil {
			return
		}
		f.c.workers.Add(1)
		defer f.c.workers.Done()
		f.list("", func(ctx context.Context) error { return f.c.listAll(ctx) })
	})
}
