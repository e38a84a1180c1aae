package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// counted is the backend with its calls counted.
type counted struct {
	backends.Backend
	calls *counters
}

// counters are the calls since the mount (Status.Calls).
type counters struct {
	list, load, appends, updates, deletes atomic.Int64
}

func (c *counters) count(x table.Changes) {
	a, u, d := x.Count()
	c.appends.Add(int64(a))
	c.updates.Add(int64(u))
	c.deletes.Add(int64(d))
}

func (c *counters) get() Calls {
	return Calls{List: c.list.Load(), Load: c.load.Load(), Append: c.appends.Load(), Update: c.updates.Load(), Delete: c.deletes.Load()}
}

// List counts.
func (s *counted) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	s.calls.list.Add(1)
	return s.Backend.List(ctx, scope)
}

// Load counts.
func (s *counted) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	s.calls.load.Add(1)
	loaded, err := s.Backend.Load(ctx, ref)
	if err == nil && loaded.Document != nil {
		rc := loaded.Document
		closeAll := loaded.Close
		loaded.Close = func() error { return errors.Join(rc.Close(), closeAll()) }
		loaded.Document = io.NopCloser(rc)
	}
	return loaded, err
}

// Probe asks for one table's version. ok is false if the store can't do that
// without a load.
func (s *counted) Probe(ctx context.Context, ref backends.Ref) (entry backends.Entry, ok bool, err error) {
	if p, can := s.Backend.(backends.Prober); can {
		entry, err = p.Probe(ctx, ref)
		return entry, err == nil && entry.Version != "", err
	}
	return backends.Entry{}, false, nil
}

// storeRef is the reference of a new table: by the names that it will have.
func (c *Cache) storeRef(rec record) backends.Ref {
	c.names.Lock()
	defer c.names.Unlock()
	if t := c.tables[rec.ID]; t != nil {
		rec.Project = t.project() // it may have been renamed since
	}
	ref := backends.Ref{Project: rec.Project, Kind: rec.Kind, Name: rec.Name}
	if p := c.projects[rec.Project]; p != nil {
		ref.Project, ref.ProjectID = p.rec.Ref.Project, p.rec.Ref.ProjectID
	}
	return ref
}

// findInStore lists the project again and looks for a table of this name.
func (c *Cache) findInStore(ctx context.Context, rec record) (entry backends.Entry, found bool, err error) {
	ref := c.storeRef(rec)
	entries, err := c.store.List(ctx, backends.Ref{Project: ref.Project, ProjectID: ref.ProjectID})
	if err != nil {
		return backends.Entry{}, false, err
	}
	for _, e := range entries {
		if e.Ref.Kind == rec.Kind && e.Ref.Name == ref.Name && !c.boundElsewhere(rec.ID, e.Ref) {
			return e, true, nil
		}
	}
	return backends.Entry{}, false, nil
}

// boundElsewhere reports whether another table of ours is that object.
func (c *Cache) boundElsewhere(id string, ref backends.Ref) bool {
	if ref.ID == "" {
		return false
	}
	for _, t := range c.allTables() {
		t.mu.Lock()
		same := t.id != id && t.rec.InStore && t.rec.Ref.ID == ref.ID
		t.mu.Unlock()
		if same {
			return true
		}
	}
	return false
}

// createProject makes the project in the store if it is not there yet.
func (c *Cache) createProject(ctx context.Context, name string) error {
	c.names.Lock()
	p := c.projects[name]
	if p == nil || p.rec.InStore {
		c.names.Unlock()
		return nil
	}
	ref, nonce := p.rec.Ref, p.rec.Nonce
	c.names.Unlock()
	p.making.Lock()
	defer p.making.Unlock()
	c.names.Lock()
	done := p.rec.InStore || p.rec.Removed || c.projects[p.rec.Name] != p
	c.names.Unlock()
	if done {
		return nil
	}
	entry, err := c.store.Create(ctx, backends.Create{Ref: ref, Nonce: nonce})
	if errors.Is(err, backends.ErrExists) || errors.Is(err, backends.ErrUnknown) {
		entry, err = c.findProject(ctx, ref.Project, err)
	}
	if err != nil {
		return fmt.Errorf("%s: creating the project: %w", name, err)
	}
	c.names.Lock()
	defer c.names.Unlock()
	p.rec.InStore, p.rec.Stays = true, false
	p.rec.Ref = entry.Ref
	p.madeAt = time.Now()
	if encodeName(entry.Ref.Project) != p.rec.Name && c.canRenameProjects() {
		p.rec.NewName, p.rec.Renamed = p.rec.Name, time.Now() // renamed here while it was made there
		c.projectTimer(p)
	}
	if !p.rec.Removed {
		c.backLocked(p)
	}
	return c.saveProjectLocked(p)
}

// remakeProject makes a project again that is gone from the store.
func (c *Cache) remakeProject(ctx context.Context, name string) error {
	c.names.Lock()
	if p := c.projects[name]; p != nil {
		p.rec.InStore, p.rec.Ref.ProjectID, p.rec.Nonce = false, "", "ragasfs-"+randomID()
	}
	c.names.Unlock()
	return c.createProject(ctx, name)
}

// findProject looks for a project that exists, or may exist since a create.
func (c *Cache) findProject(ctx context.Context, name string, cause error) (backends.Entry, error) {
	entries, err := c.store.List(ctx, backends.Ref{})
	if err != nil {
		return backends.Entry{}, err
	}
	for _, e := range entries {
		if e.Ref.Project == name {
			return e, nil
		}
	}
	return backends.Entry{}, cause
}
