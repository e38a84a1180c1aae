package cache

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// Flush sends what is pending below the paths now, without waiting for settle
// times, until nothing is left that waiting could send. retry: rows that were
// refused are tried again. ErrPending names what stays.
func (c *Cache) Flush(ctx context.Context, paths []string, retry bool, progress func(Progress)) error {
	defer c.watchers.listen(progress)()
	if len(paths) == 0 {
		paths = []string{""}
	}
	var tables []*Table
	for _, p := range paths {
		list, _, err := c.select_(p)
		if err != nil {
			return err
		}
		for _, t := range list {
			if !slices.Contains(tables, t) {
				tables = append(tables, t)
			}
		}
	}
	return c.flushTables(ctx, tables, flushOptions{retry: retry, projects: projectsAt(paths...)})
}

type flushOptions struct {
	retry    bool
	projects func(path string) bool // which projects made, removed or renamed here too
	patient  bool                   // go on while the store is away (unmount)
}

// flushTables runs the tables' workers until each is settled. Deletes come last:
// they wait for the others by themselves.
func (c *Cache) flushTables(ctx context.Context, tables []*Table, opt flushOptions) error {
	c.flushProjects(ctx, opt.projects)
	for _, t := range tables {
		t.mu.Lock()
		t.worker.force++
		t.worker.retry = t.worker.retry || opt.retry && len(t.parked) > 0
		if t.worker.retry && !t.dirtyLocked() {
			t.resaveLocked()
		}
		t.anewLocked()
		t.wakeLocked(0)
		t.mu.Unlock()
	}
	defer func() {
		for _, t := range tables {
			t.mu.Lock()
			t.worker.force--
			t.mu.Unlock()
		}
	}()
	// Deletes, and what replaced another table, wait for all the others.
	slices.SortStableFunc(tables, func(a, b *Table) int { return a.waitsForOthers() - b.waitsForOthers() })
	for _, t := range tables {
		if err := t.waitSettled(ctx, opt.patient); err != nil {
			return err
		}
	}
	c.flushProjects(ctx, opt.projects)
	if opt.patient {
		c.awaitProjects(ctx, opt.projects)
	}
	err := c.left(tables)
	if left := c.projectStatus(opt.projects); err == nil && len(left) > 0 {
		err = fmt.Errorf("%w: %s", ErrPending, left[0].Path)
	}
	return err
}

// waitsForOthers orders tables: one that replaced another goes to the store after
// the others, and deletes go last.
func (t *Table) waitsForOthers() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.rec.Gone != nil:
		return 2
	case t.rec.Replaces:
		return 1
	}
	return 0
}

// flushProjects makes, deletes and renames projects now.
func (c *Cache) flushProjects(ctx context.Context, wanted func(path string) bool) {
	for _, p := range c.pendingProjects(wanted) {
		if err := c.settleProject(ctx, p, true); err != nil {
			c.health.failed(err)
			c.log.Warn("project not settled", "project", p.rec.Name, "error", err, "remedy", remedy(err))
		}
	}
}

// awaitProjects tries again as long as the store is away, until ctx is done.
func (c *Cache) awaitProjects(ctx context.Context, wanted func(path string) bool) {
	for wait := minBackoff; len(c.pendingProjects(wanted)) > 0; wait = min(2*wait, maxBackoff) {
		if state, _ := c.health.get(); state == "online" {
			return // waiting would change nothing
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		c.flushProjects(ctx, wanted)
	}
}

// A table that makes no step forward is asked so often, at such intervals, before
// a flush goes on without it.
const (
	stuckMost  = 50
	stuckPause = 20 * time.Millisecond
)

// waitSettled waits until the table has nothing unsent, or what it has can't be
// sent by waiting: it is held, invalid, or a program is writing. A failed try
// ends the wait too, unless patient.
func (t *Table) waitSettled(ctx context.Context, patient bool) error {
	stuck := 0
	for {
		t.mu.Lock()
		done := t.worker.done
		running := t.worker.running
		quiet := !t.pendingLocked() && !running
		failed := t.backoff > 0 && !running
		if !quiet && !running && (!failed || patient && time.Now().After(t.notBefore)) {
			// At once, then a little later: it waits for something, perhaps another table.
			pause := time.Duration(0)
			if t.backoff == 0 {
				pause = time.Duration(min(stuck, 1)) * stuckPause
				stuck++
			}
			t.wakeLocked(pause)
			if t.worker.timer != nil {
				t.worker.timer.Reset(pause)
			}
		}
		t.mu.Unlock()
		if quiet || failed && !patient || stuck > stuckMost {
			return nil
		}
		wait := time.NewTimer(200 * time.Millisecond)
		select {
		case <-done:
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("%w: %w", ErrPending, ctx.Err())
		}
		wait.Stop()
	}
}

// pendingLocked: there is something that the worker can do.
func (t *Table) pendingLocked() bool {
	r := &t.rec
	switch {
	case t.intent != nil:
		return true
	case r.Gone != nil:
		held, _ := goneReason(t, r.Gone)
		return !held && !t.dropped && !t.c.isOther()
	case t.c.isOther(), r.Vanished != nil: // a second listing decides
		return false
	case r.NewName != "":
		return true
	}
	return t.dirtyLocked() && !t.decidedLocked()
}

// left is ErrPending with what stays.
func (c *Cache) left(tables []*Table) error {
	var names []string
	for _, t := range tables {
		c.names.Lock()
		there := c.tables[t.id] == t
		c.names.Unlock()
		if !there {
			continue
		}
		s := t.status()
		if s.State != "clean" || s.TableOp != nil {
			names = append(names, s.Path+" ("+s.State+")")
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("%w: %s", ErrPending, strings.Join(names, ", "))
}

// Drain sends everything that is pending, as unmount does. While the store is
// away it waits, until ctx is done.
func (c *Cache) Drain(ctx context.Context, progress func(Progress)) error {
	defer c.watchers.listen(progress)()
	return c.flushTables(ctx, c.allTables(), flushOptions{projects: projectsAt(""), patient: true})
}

// pushNow is -o sync=remote: it sends and waits, at most the timeout. What h has
// written counts as saved, though it is still open.
func (t *Table) pushNow(caller context.Context, h *Handle) error {
	h.waits.Store(true)
	defer h.waits.Store(false)
	ctx, cancel := context.WithTimeout(caller, t.c.cfg.Timeout)
	defer cancel()
	err := t.c.flushTables(ctx, []*Table{t}, flushOptions{projects: noProject})
	if err == nil {
		return nil
	}
	t.mu.Lock()
	last := t.rec.Error
	t.mu.Unlock()
	state, _ := t.c.health.get()
	switch {
	case caller.Err() != nil:
		return fmt.Errorf("%s: saved here, not sent yet: %w", t.path(), caller.Err())
	case state == "offline" || ctx.Err() != nil:
		return fmt.Errorf("%s: saved here, not sent yet: %s: %w", t.path(), last, context.DeadlineExceeded)
	}
	return fmt.Errorf("%s: saved here, not sent: %s: %w", t.path(), last, backends.ErrRefused)
}

// Refresh compares a table (or all below a directory) with the store now and
// takes in what is newer.
func (c *Cache) Refresh(ctx context.Context, p string) error {
	if err := c.listAll(ctx); err != nil {
		return err
	}
	tables, _, err := c.select_(p)
	if err != nil {
		return err
	}
	forgetter, _ := c.store.Backend.(backends.Forgetter)
	for _, t := range tables {
		t.mu.Lock()
		loaded := t.rec.L.Gen != 0 && t.rec.InStore
		if forgetter != nil {
			forgetter.Forget(t.rec.Ref)
		}
		t.stale = true
		t.worker.force++
		if loaded {
			t.anewLocked()
			t.wakeLocked(0)
			if t.worker.timer != nil {
				t.worker.timer.Reset(0)
			}
		}
		t.mu.Unlock()
		if loaded {
			err = t.waitFresh(ctx)
		}
		t.mu.Lock()
		t.worker.force--
		t.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// waitFresh waits until the table was compared with the store.
func (t *Table) waitFresh(ctx context.Context) error {
	for {
		t.mu.Lock()
		done, running := t.worker.done, t.worker.running
		fresh, last := !t.stale && !running, t.rec.Error
		failed := t.backoff > 0 && !running
		t.mu.Unlock()
		switch {
		case fresh:
			return nil
		case failed:
			return fmt.Errorf("%s: %s: %w", t.path(), last, backends.ErrUnavailable)
		}
		select {
		case <-done:
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Diff writes what would be sent, for people: one line a row, cells old -> new.
func (c *Cache) Diff(_ context.Context, p string, w io.Writer) error {
	tables, _, err := c.select_(p)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := t.diff(w); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) diff(w io.Writer) error {
	t.mu.Lock()
	skip := t.rec.Gone != nil || t.rec.L.none() || !t.dirtyLocked() && len(t.conflicts) == 0 && len(t.parked) == 0
	isGone := t.rec.Gone != nil && t.rec.InStore
	p := t.c.outside(t.path())
	t.mu.Unlock()
	if isGone {
		_, err := fmt.Fprintf(w, "%s: to be deleted\n", p)
		return err
	}
	if skip {
		return nil
	}
	v, err := t.ifConfirmed()
	if err != nil {
		return err
	}
	if v.State == judge.Invalid {
		_, err := fmt.Fprintf(w, "%s: not a table: %s\n", p, v.Problem)
		return err
	}
	return writeDiff(w, p, v.Merged)
}

// writeDiff prints changes.
func writeDiff(w io.Writer, p string, m table.Merged) error {
	a, u, d := m.Send.Count()
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d to append, %d to update, %d to delete\n", p, a, u, d)
	for _, c := range m.Send.Columns {
		switch c.Op {
		case table.AddColumn:
			fmt.Fprintf(&b, "+ column %q\n", c.New)
		case table.DropColumn:
			fmt.Fprintf(&b, "- column %q\n", c.Old)
		case table.RenameColumn:
			fmt.Fprintf(&b, "~ column %q -> %q\n", c.Old, c.New)
		}
	}
	for _, r := range m.Send.Rows {
		switch r.Op {
		case table.Append:
			fmt.Fprintf(&b, "+ %s %q\n", r.Key, r.After)
		case table.Delete:
			fmt.Fprintf(&b, "- %s %q\n", r.Key, r.Before)
		case table.Update:
			fmt.Fprintf(&b, "~ %s", r.Key)
			for j, name := range m.Send.NewHeader {
				old := at(byNames(r.Before, m.Send.OldHeader, m.Send.NewHeader), j)
				if now := at(r.After, j); now != old {
					fmt.Fprintf(&b, " %s: %q -> %q", name, old, now)
				}
			}
			b.WriteByte('\n')
		}
	}
	for _, c := range m.Conflicts {
		fmt.Fprintf(&b, "! %s %s: base %q, theirs %q, ours %q\n", c.Key, c.Column, c.Base, c.Theirs, c.Ours)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
