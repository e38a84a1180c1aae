package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// projectTimer looks after a project after the settle time: one that was made
// here gets its folders and is made in the store, one that was removed is
// deleted there.
func (c *Cache) projectTimer(p *project) {
	wait := c.settle()
	if p.rec.Removed {
		wait = c.cfg.DeleteAfter
	}
	time.AfterFunc(wait, func() { c.lookAfter(p) })
}

func (c *Cache) lookAfter(p *project) {
	if c.ctx.Err() != nil {
		return
	}
	c.workers.Add(1)
	defer c.workers.Done()
	if wait := c.showFolders(p); wait > 0 {
		time.AfterFunc(wait, func() { c.lookAfter(p) })
		return
	}
	if c.cfg.Manual {
		return
	}
	if err := c.settleProject(c.ctx, p, false); err != nil && c.ctx.Err() == nil {
		wait := max(c.health.failed(err), maxBackoff/3)
		c.log.Warn("project not settled", "project", p.rec.Name, "error", err, "next try in", wait, "remedy", remedy(err))
		time.AfterFunc(wait, func() { c.lookAfter(p) })
	}
}

// settleProject makes, deletes or renames the project in the store, as it is due.
func (c *Cache) settleProject(ctx context.Context, p *project, forced bool) error {
	err := c.tryProject(ctx, p, forced)
	c.names.Lock()
	defer c.names.Unlock()
	p.failure = ""
	if err != nil {
		p.failure = err.Error()
	}
	return err
}

func (c *Cache) tryProject(ctx context.Context, p *project, forced bool) error {
	c.names.Lock()
	rec, bound := p.rec, c.projects[p.rec.Name] == p
	c.names.Unlock()
	switch {
	case !bound: // removed before the store had heard of it
		return nil
	case rec.Removed:
		return c.deleteProject(ctx, p, forced)
	case rec.Stays:
		return nil
	case !rec.InStore:
		if err := c.mayPush(ctx); err != nil {
			return err
		}
		return c.createProject(ctx, rec.Name)
	case rec.NewName != "":
		return c.renameInStore(ctx, p, forced)
	}
	return nil
}

// makerPatience is how long the folders of a new project wait for the process that
// makes directories in it: `cp -r` must find none there that it did not make.
const makerPatience = time.Minute

// showFolders shows datasets and experiments of a project that was just made. It
// returns after how long to look again: while somebody is at it.
func (c *Cache) showFolders(p *project) (wait time.Duration) {
	c.names.Lock()
	maker := p.maker
	c.names.Unlock()
	copying := maker != "" && maker.alive()
	c.names.Lock()
	defer c.names.Unlock()
	if c.projects[p.rec.Name] != p || !p.rec.Fresh || p.rec.Removed {
		return 0
	}
	if busy := c.writingLocked(p); busy || p.busy {
		p.event, p.busy = time.Now(), busy
	}
	idle := time.Since(p.event)
	if idle < c.settle() {
		return c.settle() - idle
	}
	if copying && idle < makerPatience {
		return c.settle()
	}
	p.showAll()
	c.backLocked(p)
	if err := c.saveProjectLocked(p); err != nil {
		c.log.Warn("project not noted", "project", p.rec.Name, "error", err)
	}
	return 0
}

// writingLocked reports whether a file in the project is open for writing.
func (c *Cache) writingLocked(p *project) bool {
	for _, t := range p.allLocked() {
		t.mu.Lock()
		n := len(t.writers)
		t.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	below := c.scratchPath(p.rec.Name) + "/"
	for _, f := range c.scratch {
		f.mu.Lock()
		open := len(f.handles) > 0 && strings.HasPrefix(f.path, below)
		f.mu.Unlock()
		if open {
			return true
		}
	}
	return false
}

// comeBackLocked shows a project that was removed, or a folder of it, because a
// table in it is there again.
func (c *Cache) comeBackLocked(p *project, kind backends.Kind) {
	switch {
	case p.rec.Removed:
		p.rec.Removed, p.rec.Gone = false, nil
		p.showAll()
	case !p.shows(kind):
		p.rec.Shown[kind] = true
	default:
		return
	}
	c.backLocked(p)
	if err := c.saveProjectLocked(p); err != nil {
		c.log.Warn("project not noted", "project", p.rec.Name, "error", err)
	}
}

// deleteProject deletes a removed project in the store once its tables are gone.
func (c *Cache) deleteProject(ctx context.Context, p *project, forced bool) error {
	c.names.Lock()
	waiting := len(p.tables[backends.Datasets]) + len(p.tables[backends.Experiments])
	rec := p.rec
	c.names.Unlock()
	due := rec.Gone == nil || forced || time.Since(rec.Gone.Since) >= c.cfg.DeleteAfter
	if waiting > 0 || !due {
		return nil // the last of them wakes us
	}
	if err := c.mayPush(ctx); err != nil {
		return err
	}
	if rec.InStore {
		err := c.store.Delete(ctx, rec.Ref, "")
		if errors.Is(err, backends.ErrNotEmpty) {
			// Somebody else has put something there: the project is back.
			c.names.Lock()
			c.comeBackLocked(p, backends.Datasets)
			c.names.Unlock()
			return nil
		}
		if err != nil && !errors.Is(err, backends.ErrNotFound) {
			return fmt.Errorf("%s: deleting the project: %w", rec.Name, err)
		}
	}
	c.names.Lock()
	defer c.names.Unlock()
	if !p.rec.Removed {
		p.rec.InStore = false // made again meanwhile
		return c.saveProjectLocked(p)
	}
	delete(c.projects, rec.Name)
	return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Delete(kindProject, rec.Name) })
}
