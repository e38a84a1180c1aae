package cache

import (
	"context"
	"errors"
	"fmt"
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
	c.showFolders(p)
	if c.cfg.Manual {
		return
	}
	if err := c.settleProject(c.ctx, p, false); err != nil && c.ctx.Err() == nil {
		wait := max(c.health.failed(err), maxBackoff/3)
		c.log.Warn("project not settled", "project", p.rec.Name, "error", err, "next try in", wait, "remedy", remedy(err))
		time.AfterFunc(wait, func() { c.lookAfter(p) })
	}
}

// settleProject makes or deletes the project in the store, as it is due.
func (c *Cache) settleProject(ctx context.Context, p *project, forced bool) error {
	c.showFolders(p)
	c.names.Lock()
	rec := p.rec
	c.names.Unlock()
	switch {
	case rec.Removed:
		return c.deleteProject(ctx, p, forced)
	case rec.Stays:
		return nil
	case !rec.InStore:
		c.showFolders(p)
		if err := c.mayPush(ctx); err != nil {
			return err
		}
		return c.createProject(ctx, rec.Name)
	case rec.NewName != "":
		return c.renameInStore(ctx, p, forced)
	}
	return nil
}

// showFolders shows datasets and experiments of a project that was just made.
func (c *Cache) showFolders(p *project) {
	c.names.Lock()
	defer c.names.Unlock()
	if !p.rec.Fresh || p.rec.Removed {
		return
	}
	p.showAll()
	c.backLocked(p)
	if err := c.saveProjectLocked(p); err != nil {
		c.log.Warn("project not noted", "project", p.rec.Name, "error", err)
	}
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
