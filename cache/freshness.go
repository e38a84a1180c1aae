package cache

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/ragasfs/ragasfs/backends"
)

// freshness decides when the store is looked at. Opens are answered from the
// cache; looking is background work.
type freshness struct {
	c       *Cache
	reloads *rate.Limiter // checks that cost a reload: one a second per mount

	mu       sync.Mutex
	lists    map[string]time.Time  // guarded by mu: when a project ("" all) was last listed
	pending  map[backends.Ref]bool // guarded by mu: what watching has reported
	timer    *time.Timer           // guarded by mu
	again    *time.Timer           // guarded by mu: a second listing is due
	watching bool                  // guarded by mu
}

// inUse is how long after its last open a table is checked every ttl.
const inUse = 10 * time.Minute

// shortestCheck bounds how often the tables in use are looked at, whatever the ttl:
// with ttl=0 every open asks, but nothing spins in between.
const shortestCheck = 100 * time.Millisecond

// debounce is how long watching must be silent before a change is looked at.
const debounce = 250 * time.Millisecond

func newFreshness(c *Cache) *freshness {
	return &freshness{c: c, reloads: rate.NewLimiter(1, 1), lists: map[string]time.Time{}, pending: map[backends.Ref]bool{}}
}

// run watches and checks until the cache is closed.
func (f *freshness) run() {
	c := f.c
	if w, ok := c.store.Backend.(backends.Watcher); ok {
		c.workers.Add(1)
		go func() {
			defer c.workers.Done()
			f.watch(c.ctx, w)
		}()
	}
	tick := time.NewTicker(max(c.cfg.TTL, shortestCheck))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.checkUsed()
		case <-c.ctx.Done():
			return
		}
	}
}

// watch follows the store's own events, and starts again when that fails.
func (f *freshness) watch(ctx context.Context, w backends.Watcher) {
	for ctx.Err() == nil {
		f.setWatching(true)
		err := w.Watch(ctx, f.reported)
		f.setWatching(false)
		if ctx.Err() != nil {
			return
		}
		if f.c.props.Told {
			f.c.health.failed(err) // nothing else would ask; when it goes on, all is listed
		}
		f.c.log.Warn("watching the store failed, it is polled", "error", err)
		select {
		case <-time.After(maxBackoff):
		case <-ctx.Done():
		}
	}
}

func (f *freshness) setWatching(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watching = on
}

// reported is called by the watcher for something that may have changed.
func (f *freshness) reported(ref backends.Ref) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending[ref] = true
	if f.timer == nil {
		f.timer = time.AfterFunc(debounce, f.settle)
		return
	}
	f.timer.Reset(debounce)
}

// settle looks at what was reported.
func (f *freshness) settle() {
	f.mu.Lock()
	pending := f.pending
	f.pending = map[backends.Ref]bool{}
	f.mu.Unlock()
	c := f.c
	if c.ctx.Err() != nil {
		return
	}
	c.workers.Add(1)
	defer c.workers.Done()
	projects := map[string]bool{}
	all := false
	for ref := range pending {
		switch {
		case ref.IsTable():
			if !f.lookAt(ref) || !c.props.Told {
				projects[ref.Project] = true
			}
		case ref.Project != "":
			projects[ref.Project] = true
		default:
			all = true
		}
	}
	if all {
		f.list("", c.listAll)
		return
	}
	for name := range projects {
		c.names.Lock()
		p := c.projectOfLocked(backends.Ref{Project: name})
		shown := ""
		if p != nil {
			shown = p.rec.Name
		}
		c.names.Unlock()
		if p == nil {
			f.list("", c.listAll)
			return
		}
		f.list(shown, func(ctx context.Context) error { return c.listProject(ctx, shown) })
	}
}

// lookAt has a table compared with the store, and reports whether that is all
// there is to do about it: it is known and loaded.
func (f *freshness) lookAt(ref backends.Ref) bool {
	t := f.c.tableByRef(ref)
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.L.Gen == 0 {
		return false
	}
	t.stale = true
	t.wakeLocked(0)
	return true
}

// list runs a listing and notes it.
func (f *freshness) list(name string, list func(context.Context) error) {
	f.mu.Lock()
	f.lists[name] = time.Now()
	f.mu.Unlock()
	ctx, cancel := context.WithTimeout(f.c.ctx, f.c.firstLoadTimeout())
	defer cancel()
	if err := list(ctx); err != nil && f.c.ctx.Err() == nil {
		f.c.health.failed(err)
		f.c.log.Warn("listing failed, what is known stays", "project", name, "error", err, "remedy", remedy(err))
	}
}

// listed is called when a program lists a directory: if what is known is older
// than the ttl it is listed again in the background.
func (f *freshness) listed(dir string) {
	name := ""
	at := f.c.full(dir)
	for i := range len(at) {
		if at[i] == '/' {
			at = at[:i]
			break
		}
	}
	name = at
	f.mu.Lock()
	last := f.lists[name]
	if all := f.lists[""]; all.After(last) {
		last = all
	}
	old := time.Since(last) > f.c.cfg.TTL && !f.watching
	if old {
		f.lists[name] = time.Now()
	}
	f.mu.Unlock()
	if !old || f.c.ctx.Err() != nil {
		return
	}
	go func() {
		f.c.workers.Add(1)
		defer f.c.workers.Done()
		if name == "" {
			f.list("", f.c.listAll)
			return
		}
		f.list(name, func(ctx context.Context) error { return f.c.listProject(ctx, name) })
	}()
}

// told reports whether the store tells of every change by itself.
func (f *freshness) told() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watching && f.c.props.Told
}

// opened is called when a table is opened: it is checked in the background.
func (f *freshness) opened(t *Table) {
	if f.told() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.checked) > f.c.cfg.TTL {
		f.checkLocked(t)
	}
}

// checkLocked has the table compared with the store soon.
func (f *freshness) checkLocked(t *Table) {
	if !t.rec.InStore || t.rec.L.Gen == 0 || t.intent != nil || t.stale {
		return
	}
	if t.rec.Version == "" && !f.reloads.Allow() {
		return // its turn comes
	}
	t.checked = time.Now()
	t.stale = true
	t.wakeLocked(0)
}

// checkUsed checks the tables in use.
func (f *freshness) checkUsed() {
	if f.told() {
		return
	}
	now := time.Now()
	for _, t := range f.c.allTables() {
		t.mu.Lock()
		used := t.readers > 0 || len(t.writers) > 0 || now.Sub(t.used) < inUse || t.dirtyLocked()
		if used && now.Sub(t.checked) >= f.c.cfg.TTL {
			f.checkLocked(t)
		}
		t.mu.Unlock()
	}
}

// tableByRef finds the table of a store's object.
func (c *Cache) tableByRef(ref backends.Ref) *Table {
	c.names.Lock()
	defer c.names.Unlock()
	p := c.projectOfLocked(ref)
	if p == nil {
		return nil
	}
	return tableOfLocked(p, ref)
}
