package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// canRenameProjects reports whether the store renames projects.
func (c *Cache) canRenameProjects() bool { return c.props.RenameProject && c.canRename() }

// renameProject gives a project another name. Everything below it follows at
// once; the store follows after the settle time, and until then goes by its own
// name. A store that can't rename has not seen the project yet, or it is refused.
func (r *renaming) renameProject() error {
	c, p := r.c, r.c.projects[r.oldName]
	if r.from.level != rootDir || r.to.level != rootDir || p == nil || p.rec.InStore && !c.canRenameProjects() {
		return fmt.Errorf("%s: it can't be renamed here; copy it: %w", path.Join(r.from.path, r.oldName), ErrNotPermitted)
	}
	if strings.HasPrefix(r.newName, ".") {
		return fmt.Errorf("%s: a project's name can't begin with a dot: %w", r.newName, ErrNotPermitted)
	}
	if err := checkName(r.newName); err != nil {
		return err
	}
	if q := c.projects[r.newName]; q != nil && q.rec.Removed {
		return fmt.Errorf("%s is still to be deleted in the store: ragasfs flush: %w", r.newName, ErrPending)
	} else if q != nil {
		return &fs.PathError{Op: "rename", Path: r.newName, Err: fs.ErrExist}
	}
	there := func(q *project) bool { return q != p && !q.rec.Removed }
	if err := checkCase(c.projects, r.newName, there); err != nil {
		return err
	}
	c.unbackLocked(r.newName) // what an earlier project of this name has left: it is empty, or the rename fails
	from, to := c.scratchPath(r.oldName), c.scratchPath(r.newName)
	if err := c.disk.Rename("project:rename", from, to); err != nil {
		return err
	}
	if err := c.moveProjectLocked(p, r.newName); err != nil {
		return errors.Join(err, c.disk.Rename("project:undo", to, from))
	}
	c.movePathsLocked(from, to)
	c.touchDir(r.from)
	c.projectTimer(p)
	return nil
}

// moveProjectLocked writes down the new name of a project and of all its tables,
// all or nothing.
func (c *Cache) moveProjectLocked(p *project, name string) error {
	old, tables := p.rec, p.allLocked()
	for _, t := range tables {
		t.mu.Lock()
		defer t.mu.Unlock()
	}
	p.rec.Name, p.rec.Renamed = name, time.Now()
	p.rec.NewName, p.rec.Error = name, ""
	switch {
	case !p.rec.InStore:
		p.rec.NewName, p.rec.Ref.Project = "", name
	case encodeName(p.rec.Ref.Project) == name:
		p.rec.NewName = "" // back to the store's name
	}
	for _, t := range tables {
		t.rec.Project = name
		if !p.rec.InStore {
			t.rec.Ref.Project = name
		}
	}
	err := c.db.Update(state.Normal, func(tx *state.Tx) error {
		if err := tx.Delete(kindProject, old.Name); err != nil {
			return err
		}
		for _, t := range tables {
			if err := tx.Put(kindTable, t.id, &t.rec); err != nil {
				return err
			}
		}
		return tx.Put(kindProject, name, &p.rec)
	})
	if err != nil {
		p.rec = old
	}
	for _, t := range tables {
		t.rec.Project = p.rec.Name
		if !p.rec.InStore {
			t.rec.Ref.Project = p.rec.Ref.Project
		}
		t.movedLocked()
	}
	delete(c.projects, old.Name)
	c.projects[p.rec.Name] = p
	return err
}

// allLocked returns the tables of both folders.
func (p *project) allLocked() []*Table {
	var list []*Table
	for _, tables := range p.tables {
		for _, t := range tables {
			list = append(list, t)
		}
	}
	return list
}

// renameInStore brings the new name of a project to the store. The workers of its
// tables rest meanwhile: they go by the name that is about to change.
func (c *Cache) renameInStore(ctx context.Context, p *project, forced bool) error {
	p.making.Lock()
	defer p.making.Unlock()
	c.names.Lock()
	rec, tables := p.rec, p.allLocked()
	c.names.Unlock()
	if rec.NewName == "" {
		return nil // somebody else did it
	}
	if wait := time.Until(rec.Renamed.Add(c.settle())); wait > 0 && !forced {
		time.AfterFunc(wait, func() { c.lookAfter(p) })
		return nil
	}
	if err := c.mayPush(ctx); err != nil {
		return err
	}
	for _, t := range tables {
		done, err := t.worker.alone(ctx)
		if err != nil {
			return err
		}
		defer done()
	}
	entry, err := c.store.Backend.(backends.Renamer).Rename(ctx, rec.Ref, rec.NewName)
	if errors.Is(err, backends.ErrNotFound) {
		// Renamed already, and the answer was lost?
		entry, err = c.findProject(ctx, rec.NewName, err)
	}
	c.names.Lock()
	defer c.names.Unlock()
	if err != nil {
		p.rec.Error = err.Error()
		return errors.Join(fmt.Errorf("%s: renaming the project in the store: %w", rec.Name, err), c.saveProjectLocked(p))
	}
	c.health.succeeded()
	return c.renamedLocked(p, entry.Ref)
}

// renamedLocked notes what a project is called in the store now.
func (c *Cache) renamedLocked(p *project, ref backends.Ref) error {
	p.madeAt = time.Now()
	p.rec.Ref, p.rec.Error = ref, ""
	if encodeName(ref.Project) == p.rec.Name {
		p.rec.NewName = ""
	}
	tables := p.allLocked()
	for _, t := range tables {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.rec.Ref.Project, t.rec.Ref.ProjectID = ref.Project, ref.ProjectID
	}
	return c.db.Update(state.Normal, func(tx *state.Tx) error {
		for _, t := range tables {
			if err := tx.Put(kindTable, t.id, &t.rec); err != nil {
				return err
			}
		}
		return tx.Put(kindProject, p.rec.Name, &p.rec)
	})
}

// finishedLocked settles a rename of a project whose answer was lost: the store
// has the new name and no longer the old one.
func (c *Cache) finishedLocked(entries []backends.Entry) error {
	for _, p := range c.projects {
		if p.rec.NewName == "" || !p.rec.InStore {
			continue
		}
		var renamed *backends.Ref
		old := false
		for _, e := range entries {
			switch {
			case e.Ref.ProjectID != "" && e.Ref.ProjectID == p.rec.Ref.ProjectID:
				old = true // known by its id, whatever it is called
			case e.Ref.Project == p.rec.Ref.Project:
				old = true
			case e.Ref.Project == p.rec.NewName:
				renamed = &e.Ref
			}
		}
		if renamed != nil && !old {
			if err := c.renamedLocked(p, *renamed); err != nil {
				return err
			}
		}
	}
	return nil
}

// movedSince reports whether a project was made or renamed in the store from here
// after a listing began: then that may show it as it was.
func (c *Cache) movedSince(started time.Time) bool {
	c.names.Lock()
	defer c.names.Unlock()
	for _, p := range c.projects {
		if p.madeAt.After(started) {
			return true
		}
	}
	return false
}
