package cache

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Status tells how things are, without waiting for anything. With a path it
// tells of that table, or of those below that directory; fs.ErrNotExist if there
// is no such thing.
func (c *Cache) Status(p string) (Status, error) {
	state, reason := c.health.get()
	s := Status{Mountpoint: c.cfg.Mountpoint, Source: c.cfg.Source, Backend: c.cfg.Source, PID: os.Getpid(),
		State: state, Calls: c.calls.get(), Tables: []TableStatus{}}
	if limited, ok := c.store.Backend.(backends.Limited); ok {
		s.Limits = limited.Limits()
	}
	tables, named, err := c.select_(p)
	if err != nil {
		return s, err
	}
	for _, t := range tables {
		ts := t.status()
		pending := ts.State != "clean" || ts.TableOp != nil
		if pending {
			s.Pending.Tables++
			s.Pending.Rows += ts.Pending.Append + ts.Pending.Update + ts.Pending.Delete
		}
		if !pending && ts.Reason != "" {
			s.Warnings = append(s.Warnings, ts.Path+": "+ts.Reason)
		}
		if pending || named {
			s.Tables = append(s.Tables, ts)
		}
	}
	slices.Sort(s.Warnings)
	slices.SortFunc(s.Tables, func(a, b TableStatus) int { return cmp.Compare(a.Path, b.Path) })
	if reason != "" && state != "online" {
		s.Notices = append(s.Notices, "the store is not reachable: "+reason)
	}
	if c.isOther() {
		s.Notices = append(s.Notices, OtherStoreNotice)
	}
	for _, p := range c.underWay() {
		s.Notices = append(s.Notices, fmt.Sprintf("%s: %d done, %d left, ETA %s", c.outside(p.Path), p.Done, p.Left, p.ETA))
	}
	s.Projects = c.projectStatus(projectsAt(p))
	if p == "" {
		if notice := c.onlyHere(time.Hour); notice != "" {
			s.Notices = append(s.Notices, notice)
		}
	}
	return s, nil
}

// select_ finds the tables that a path means; named if it is exactly one.
func (c *Cache) select_(p string) (tables []*Table, named bool, err error) {
	p = strings.Trim(path.Clean("/"+p), "/")
	inside := c.full(p)
	for _, t := range c.allTables() {
		t.mu.Lock()
		at := t.path()
		t.mu.Unlock()
		switch {
		case inside == "" || strings.HasPrefix(at, inside+"/"):
			tables = append(tables, t)
		case at == inside:
			return []*Table{t}, true, nil
		}
	}
	if len(tables) > 0 || inside == "" || inside == c.root {
		return tables, false, nil
	}
	c.names.Lock()
	defer c.names.Unlock()
	if at := c.placeLocked(p); at.level == projectDir || at.level == kindDir {
		return nil, false, nil
	}
	if node, err := c.scratchNodeLocked(inside); err == nil {
		if node.File != nil {
			return nil, true, fmt.Errorf("%s is no table, it is only on this machine: %w", p, ErrName)
		}
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("%s: no such table: %w", p, fs.ErrNotExist)
}

// status is the state of one table, derived from its record.
func (t *Table) status() TableStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.rec
	s := TableStatus{Path: t.c.outside(t.path()), State: "clean", Rows: t.rowsLocked(), Pending: r.Pending}
	since := func(when time.Time) {
		if !when.IsZero() {
			s.Since = &when
		}
	}
	op := func(name string) { s.TableOp = &name }
	switch {
	case r.Gone != nil:
		if r.InStore {
			op("delete")
			s.State = "dirty"
			since(r.Gone.Since)
			if held, reason := goneReason(t, r.Gone); held {
				s.State, s.Reason = "held", reason
			}
		}
		s.Pending = PendingRows{}
		return s
	case r.Decision != nil && (r.Decision.Op == "vanished" || t.decidedLocked()):
		s.State = r.Decision.State
		since(r.Decision.Since)
		if s.State == "invalid" {
			s.Error = r.Decision.Reason
			s.Reason = "not a table; " + remedyFor(s.Path)
		} else {
			s.Reason = r.Decision.Reason + " (ragasfs confirm " + s.Path + " | ragasfs discard " + s.Path + ")"
		}
		if !r.Decision.Counted {
			s.Pending = PendingRows{}
		}
	case t.pushing || t.intent != nil:
		s.State = "pushing"
		since(r.Save.Time)
	case t.openConflictsLocked() > 0:
		s.State = "conflict"
		since(t.conflicts[0].Since)
		s.Reason = were(t.openConflictsLocked(), "cell") + " changed here and in the store; ragasfs confirm sends ours, ragasfs discard takes theirs"
	case len(t.parked) > 0:
		s.State = "rejected"
		since(t.parked[0].Since)
		s.Error = t.parked[0].Reason
		s.Reason = were(len(t.parked), "row") + " refused by the store; change what is wrong, or ragasfs flush --retry"
	case t.dirtyLocked():
		s.State = "dirty"
		since(r.Save.Time)
		s.Error = r.Error
	}
	if s.State == "dirty" && s.Error == "" {
		s.Error = r.Error
	}
	if !r.InStore {
		op("create")
	} else if r.NewName != "" {
		op("rename")
		if s.State == "clean" {
			s.State = "dirty"
			since(r.Renamed)
		}
	}
	if len(r.Warnings) > 0 && s.Reason == "" {
		s.Reason = strings.Join(r.Warnings, "; ")
	}
	return s
}

func goneReason(t *Table, g *gone) (bool, string) {
	switch {
	case g.Confirmed:
		return false, ""
	case g.Renamed && time.Since(g.Since) < t.c.settle(), g.Replaced:
		return false, ""
	case g.Renamed, g.Moved, g.Changed, g.Mass:
		return t.goneHeld(*g)
	}
	return false, ""
}

// rowsLocked is the number of rows as far as it is known; -1 if not.
func (t *Table) rowsLocked() int64 {
	r := &t.rec
	switch {
	case r.L.Keys != 0:
		return r.L.Rows
	case r.L.same(r.S) && r.S.Keys != 0:
		return r.S.Rows
	case r.J.Keys != 0 && r.J.same(r.L):
		return r.J.Rows
	case r.L.none() && r.StoreRows >= 0:
		return r.StoreRows
	}
	if r.L.none() {
		return -1
	}
	n, err := t.countLocked()
	if err != nil {
		return -1
	}
	return n
}

// were is "1 cell was" or "2 cells were".
func were(n int, what string) string {
	if n == 1 {
		return "1 " + what + " was"
	}
	return fmt.Sprintf("%d %ss were", n, what)
}
