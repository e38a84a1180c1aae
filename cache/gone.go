package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// massDelete is how many tables may be unlinked within the delete time before
// they wait for a person.
const massDelete = 3

// stepGone does what is to be done for a name that is not there. A vanished name
// is not a deleted table: deletes wait, go last, and are in history first.
func (t *Table) stepGone(ctx context.Context) time.Duration {
	t.mu.Lock()
	g := *t.rec.Gone
	inStore := t.rec.InStore
	forced := t.worker.force > 0
	t.mu.Unlock()
	if !inStore {
		return t.dropNeverSent(g, forced)
	}
	if t.c.cfg.Manual && !forced {
		return 0
	}
	if g.Renamed && !g.Confirmed {
		// It may come back, else it is held: nothing makes a delete of it, no flush.
		if wait := time.Until(g.Since.Add(t.c.settle())); wait > 0 {
			return wait
		}
	}
	if held, _ := t.goneHeld(g); held {
		return 0 // until confirm or discard
	}
	due := g.Since.Add(t.c.cfg.DeleteAfter)
	if wait := time.Until(due); wait > 0 && !forced && !g.Confirmed {
		return wait
	}
	if t.c.hasEarlierSaves(t, g.Since) || t.c.heirWaits(g.Heir) {
		return t.c.settle()
	}
	if err := t.deleteInStore(ctx); err != nil {
		return t.failed("delete", err)
	}
	return 0
}

// goneHeld reports whether the delete waits for a person, and why.
func (t *Table) goneHeld(g gone) (held bool, reason string) {
	switch {
	case g.Confirmed:
		return false, ""
	case g.Renamed && time.Since(g.Since) >= t.c.settle():
		return true, "renamed away: its file has got a name that is no table's; confirm deletes it in the store, discard brings it back"
	case g.Renamed:
		return false, ""
	case g.Moved:
		return true, "renamed away: the program that removed it had just read it (a move to another disk?); confirm deletes it in the store, discard brings it back"
	case g.Changed:
		return true, "removed here but changed in the store since; confirm deletes it all the same, discard brings it back"
	case g.Replaced:
		return false, ""
	case g.Mass || t.c.manyGone(t, g):
		return true, fmt.Sprintf("removed together with others, more than %d tables at once; confirm DIRECTORY deletes them in the store, discard brings them back", massDelete)
	}
	return false, ""
}

// manyGone reports whether more than three tables were unlinked within the
// delete time of each other, and marks them all.
func (c *Cache) manyGone(t *Table, g gone) bool {
	var group []*Table
	for _, o := range c.allTables() {
		o.mu.Lock()
		og := o.rec.Gone
		if og != nil && o.rec.InStore && !og.Renamed && !og.Moved && !og.Confirmed && !og.Replaced && absDuration(og.Since.Sub(g.Since)) <= c.cfg.DeleteAfter {
			group = append(group, o)
		}
		o.mu.Unlock()
	}
	if len(group) <= massDelete {
		return false
	}
	for _, o := range group {
		o.mu.Lock()
		if o.rec.Gone != nil && !o.rec.Gone.Mass {
			o.rec.Gone.Mass = true
			o.noteLocked(state.Normal)
		}
		o.mu.Unlock()
	}
	return true
}

func absDuration(d time.Duration) time.Duration {
	if d < 0 {
		return -d
	}
	return d
}

// hasEarlierSaves reports whether anything that was saved before is still to be
// sent or decided, in any other table of the store.
func (c *Cache) hasEarlierSaves(t *Table, before time.Time) bool {
	for _, o := range c.allTables() {
		if o == t {
			continue
		}
		o.mu.Lock()
		waits := o.dirtyLocked() && !o.rec.Replaces && !o.rec.Save.Time.After(before)
		o.mu.Unlock()
		if waits {
			return true
		}
	}
	return false
}

// heirWaits reports whether the table that has got another's content has not sent
// it yet.
func (c *Cache) heirWaits(id string) bool {
	c.names.Lock()
	t := c.tables[id]
	c.names.Unlock()
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Replaces && t.dirtyLocked()
}

// deleteInStore deletes the table in the store. Its content is in history first,
// durably; if the store has another content by now, it is not deleted.
func (t *Table) deleteInStore(ctx context.Context) error {
	if err := t.c.mayPush(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	rec := t.rec
	t.mu.Unlock()
	got, err := t.lastContent(ctx, &rec)
	if errors.Is(err, backends.ErrNotFound) {
		return t.c.forgetTable(t)
	}
	if err == nil {
		if err := t.keepCopy(got, "delete"); err != nil {
			return err
		}
		err = t.c.store.Delete(ctx, rec.Ref, rec.Version)
	}
	if errors.Is(err, backends.ErrConflict) && rec.Version != "" {
		// Another version need not be another content: after a restart some stores
		// can't tell whether the changes since were all ours.
		rec.Version = ""
		if _, err = t.lastContent(ctx, &rec); err == nil {
			err = t.c.store.Delete(ctx, rec.Ref, rec.Version)
		}
	}
	if errors.Is(err, backends.ErrConflict) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.rec.Gone != nil {
			t.rec.Gone.Changed, t.rec.Gone.Confirmed = true, false
		}
		t.stale = true
		return t.saveLocked(state.Normal)
	}
	if err != nil && !errors.Is(err, backends.ErrNotFound) {
		return fmt.Errorf("%s: deleting: %w", rec.path(), err)
	}
	t.succeeded()
	t.c.log.Info("deleted in the store", "path", rec.path())
	return t.c.forgetTable(t)
}

// lastContent is what goes to history before a delete: L, or else S; a table
// that was never loaded is loaded now. Where the store can't tell by itself that
// it has changed, it is looked at.
func (t *Table) lastContent(ctx context.Context, rec *record) (content, error) {
	if rec.S.none() || rec.Gone.Changed && rec.Gone.Confirmed {
		got, err := t.fetch(ctx)
		if err != nil {
			return content{}, err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.rec.S, t.rec.R, t.rec.Version = got.content, got.content, got.version
		rec.Version = got.version
		return got.content, t.saveLocked(state.Normal)
	}
	if rec.Version == "" {
		if err := t.refresh(ctx); err != nil {
			return content{}, err
		}
		t.mu.Lock()
		changed := t.rec.R.Arrival != rec.R.Arrival // the bytes may be written in another way
		*rec = t.rec
		t.mu.Unlock()
		if changed && rec.Gone != nil && !rec.Gone.Confirmed {
			return content{}, fmt.Errorf("%s: %w", rec.path(), backends.ErrConflict)
		}
	}
	if !rec.L.none() {
		return rec.L, nil
	}
	return rec.S, nil
}

// dropNeverSent forgets a table that the store has never seen, once it is clear
// that the name does not come back.
func (t *Table) dropNeverSent(g gone, forced bool) time.Duration {
	if wait := time.Until(g.Since.Add(t.c.settle())); wait > 0 && !forced {
		return wait
	}
	t.mu.Lock()
	l := t.rec.L
	t.mu.Unlock()
	if l.Len > 0 {
		if err := t.keepCopy(l, "delete"); err != nil {
			return t.failed("delete", err)
		}
	}
	if err := t.c.forgetTable(t); err != nil {
		return t.failed("delete", err)
	}
	return 0
}

// forgetTable removes a table that is gone here and in the store.
func (c *Cache) forgetTable(t *Table) error {
	c.names.Lock()
	defer c.names.Unlock()
	t.mu.Lock()
	if t.rec.Gone == nil {
		t.rec.InStore = false // the name has come back meanwhile: it is made again
		t.rec.Version, t.rec.Ref.ID = "", ""
		t.rec.S, t.rec.R, t.rec.J = content{}, content{}, content{}
		err := t.saveLocked(state.Normal)
		t.wakeLocked(c.settle())
		t.mu.Unlock()
		return err
	}
	t.dropped = true
	t.mu.Unlock()
	c.dropTableLocked(t)
	if err := c.forgetFacts(t); err != nil {
		return err
	}
	if err := c.disk.RemoveAll("table:remove", t.dir); err != nil {
		c.log.Warn("directory left behind", "path", t.dir, "error", err)
	}
	if p := c.projects[t.rec.Project]; p != nil && p.rec.Removed {
		c.projectTimer(p)
	}
	return nil
}

// dropTableLocked unbinds the name.
func (c *Cache) dropTableLocked(t *Table) {
	delete(c.tables, t.id)
	if p := c.projects[t.rec.Project]; p != nil && p.tables[t.rec.Kind][t.rec.Name] == t {
		delete(p.tables[t.rec.Kind], t.rec.Name)
	}
}

// forgetFacts removes all records of a table but its history.
func (c *Cache) forgetFacts(t *Table) error {
	return c.db.Update(state.Normal, func(tx *state.Tx) error {
		for _, kind := range []string{kindTable, kindIntent} {
			if err := tx.Delete(kind, t.id); err != nil {
				return err
			}
		}
		for _, kind := range []string{kindArrival, kindWriter, kindSent, kindConflict, kindParked} {
			if err := tx.DeletePrefix(kind, t.id+"/"); err != nil {
				return err
			}
		}
		return nil
	})
}

// stepRename brings a rename of the table to the store.
func (t *Table) stepRename(ctx context.Context) error {
	t.mu.Lock()
	ref, name := t.rec.Ref, t.rec.NewName
	wait := time.Until(t.rec.Renamed.Add(t.c.settle()))
	forced := t.worker.force > 0
	version := t.rec.Version
	t.mu.Unlock()
	if name == "" || t.c.cfg.Manual && !forced {
		return nil
	}
	if wait > 0 && !forced {
		time.AfterFunc(wait, func() { t.wake(0) })
		return nil
	}
	renamer, can := t.c.store.Backend.(backends.Renamer)
	if !can { // replace.go has made a new table instead
		return fmt.Errorf("%s: renaming in the store: %w", t.path(), backends.ErrUnsupported)
	}
	entry, err := renamer.Rename(ctx, ref, name)
	switch {
	case errors.Is(err, backends.ErrNotFound):
		// Renamed already, and the answer was lost?
		if entry, err = t.c.renamedAlready(ctx, t.id, ref, name); err != nil {
			return fmt.Errorf("%s: renaming in the store: %w", t.path(), err)
		}
	case errors.Is(err, backends.ErrExists):
		return fmt.Errorf("%s: a table of this name was made in the store meanwhile: rename it again: %w", t.path(), err)
	case err != nil:
		return fmt.Errorf("%s: renaming in the store: %w", t.path(), err)
	}
	t.succeeded()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.NewName == name {
		t.rec.NewName = ""
	}
	t.rec.Ref = entry.Ref
	t.madeAt = time.Now()
	if entry.Version != version {
		// A rename may touch the version; whether the content moved too, a look tells.
		t.stale = true
	}
	return t.saveLocked(state.Normal)
}

// renamedAlready finds a table under the name that it was to get.
func (c *Cache) renamedAlready(ctx context.Context, id string, ref backends.Ref, name string) (backends.Entry, error) {
	entries, err := c.store.List(ctx, backends.Ref{Project: ref.Project, ProjectID: ref.ProjectID})
	if err != nil {
		return backends.Entry{}, err
	}
	for _, e := range entries {
		if e.Ref.Kind == ref.Kind && e.Ref.Name == name && !c.boundElsewhere(id, e.Ref) {
			return e, nil
		}
	}
	return backends.Entry{}, fmt.Errorf("%s: %w", ref, backends.ErrNotFound)
}
