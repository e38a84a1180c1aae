package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// errNothing: confirm or discard where nothing waits.
var errNothing = errors.New("nothing is held, invalid, rejected or in conflict here")

// Confirm lets go out what is held (or an invalid save that parses), sends ours
// where cells are in conflict, and deletes what was removed. A directory means
// all that is held below it.
func (c *Cache) Confirm(ctx context.Context, p string) error {
	return c.decideAll(p, func(t *Table) (bool, error) { return t.confirm(ctx) })
}

// Discard drops what is not sent and takes what the store has; what it drops
// goes to history. In conflict it takes theirs in those cells only.
func (c *Cache) Discard(ctx context.Context, p string) error {
	return c.decideAll(p, func(t *Table) (bool, error) { return t.discard(ctx) })
}

func (c *Cache) decideAll(p string, decide func(*Table) (bool, error)) error {
	tables, _, err := c.select_(p)
	if err != nil {
		return err
	}
	any := false
	var failed error
	for _, t := range tables {
		did, err := decide(t)
		failed = errors.Join(failed, err)
		any = any || did
	}
	if failed != nil {
		return failed
	}
	if !any {
		return fmt.Errorf("%s: %w: %w", p, errNothing, fs.ErrInvalid)
	}
	return nil
}

func (t *Table) confirm(ctx context.Context) (bool, error) {
	if err := t.confirmable(); err != nil {
		return false, err
	}
	t.mu.Lock()
	vanished := t.rec.Decision != nil && t.rec.Decision.Op == "vanished"
	t.mu.Unlock()
	if vanished { // a push to the old table may be under way
		done, err := t.worker.alone(ctx)
		if err != nil {
			return false, err
		}
		defer done()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.anewLocked()
	r := &t.rec
	switch {
	case r.Gone != nil && r.InStore:
		r.Gone.Confirmed = true
		t.wakeLocked(0)
		return true, t.saveLocked(state.Full)
	case r.Decision != nil && r.Decision.Op == "vanished" && r.L.none():
		return false, fmt.Errorf("%s: it was never loaded here, so there is nothing to make it again of; discard lets it go: %w", t.path(), errNothing)
	case r.Decision != nil && r.Decision.Op == "vanished":
		// Make it again in the store.
		r.Decision, r.Vanished = nil, nil
		r.InStore, r.Version, r.Ref.ID = false, "", ""
		r.S, r.R, r.J = content{}, content{}, content{}
		r.Save.Seq++
		r.Confirmed = r.Save.Seq
		t.wakeLocked(0)
		return true, t.saveLocked(state.Full)
	case r.Decision != nil && t.decidedLocked():
		r.Confirmed = r.Save.Seq
		if r.StateLost {
			r.StateLost = false
			t.stale = true
		}
		t.quiet = time.Time{}
		t.wakeLocked(0)
		return true, t.saveLocked(state.Full)
	case t.openConflictsLocked() > 0:
		t.resaveLocked()
		return true, t.decideConflictsLocked(table.Ours)
	case len(t.parked) > 0:
		t.worker.retry = true
		t.resaveLocked()
		return true, t.saveLocked(state.Full)
	}
	return false, nil
}

// confirmable returns an error that wraps ErrInvalid if the save is invalid and
// stays so whatever a person says: there is no table in it to be sent.
func (t *Table) confirmable() error {
	t.mu.Lock()
	invalid := t.rec.Gone == nil && t.rec.Decision != nil && t.rec.Decision.State == "invalid" && t.decidedLocked()
	t.mu.Unlock()
	if !invalid {
		return nil
	}
	v, err := t.ifConfirmed()
	if err != nil || v.State != judge.Invalid {
		return err
	}
	return fmt.Errorf("%s: %w: %w; save a better version, or go back with discard", t.path(), ErrInvalid, v.Problem)
}

// resaveLocked has L judged again, now.
func (t *Table) resaveLocked() {
	t.savedAgainLocked()
	t.wakeLocked(0)
}

// savedAgainLocked makes L count as a new save by the same writer.
func (t *Table) savedAgainLocked() {
	confirmed := t.rec.Confirmed == t.rec.Save.Seq && t.rec.Confirmed != 0
	t.rec.Save.Seq++
	t.rec.Save.Time = time.Now()
	if confirmed {
		t.rec.Confirmed = t.rec.Save.Seq
	}
	t.quiet = time.Time{}
}

func (t *Table) discard(ctx context.Context) (bool, error) {
	done, err := t.worker.alone(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	t.begin()
	defer t.end()
	t.mu.Lock()
	rec := t.rec
	conflicts := t.openConflictsLocked() > 0
	parked := len(t.parked) > 0
	decided := t.decidedLocked()
	dirty := t.dirtyLocked()
	t.mu.Unlock()
	switch {
	case rec.Gone != nil && rec.InStore:
		return true, t.bringBack(ctx)
	case rec.Decision != nil && rec.Decision.Op == "vanished":
		t.c.dropVanished(t)
		return true, nil
	case conflicts && !decided:
		return true, t.takeTheirs()
	case decided, parked, dirty:
		return true, t.backToStore(ctx)
	}
	return false, nil
}

// bringBack shows a table again that was removed and is still in the store.
func (t *Table) bringBack(ctx context.Context) error {
	t.mu.Lock()
	t.rec.Gone = nil
	t.rec.CleanSeq = t.rec.Save.Seq
	project, kind := t.rec.Project, t.rec.Kind
	t.mu.Unlock()
	t.c.names.Lock()
	if p := t.c.projects[project]; p != nil {
		t.c.comeBackLocked(p, kind)
	}
	t.c.names.Unlock()
	err := t.backToStore(ctx)
	t.c.namesChanged(project, kind)
	t.wake(0) // the store may have something newer
	return err
}

// backToStore binds the name to what the store was last seen to hold.
func (t *Table) backToStore(ctx context.Context) error {
	t.mu.Lock()
	l, r, inStore := t.rec.L, t.rec.R, t.rec.InStore
	if t.reload {
		r = content{} // damaged here
	}
	t.mu.Unlock()
	if !l.none() {
		if err := t.keepCopy(l, "discard"); err != nil {
			return err
		}
	}
	if back, err := t.backToKept(); back || err != nil {
		return err
	}
	if !inStore {
		t.mu.Lock()
		t.rec.Gone = &gone{Since: time.Now().Add(-time.Hour)}
		dir, name := path.Join(t.rec.Project, string(t.rec.Kind)), t.rec.Name+".csv"
		t.mu.Unlock()
		err := t.c.forgetTable(t)
		t.c.invalidate(dir, name)
		return err
	}
	if r.none() {
		got, err := t.fetch(ctx)
		if err != nil {
			return err
		}
		r = got.content
		t.mu.Lock()
		t.tookLocked(got)
		t.reload = false
		t.mu.Unlock()
	} else if l.Gen == r.Gen && l.Len != r.Len {
		// L has grown in the same file: the store's part of it in a file of its own.
		t.mu.Lock()
		err := t.unshareLocked(r.Gen)
		r = t.rec.R
		t.mu.Unlock()
		if err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rec.S, t.rec.R, t.rec.J = r, r, content{}
	t.rec.Decision, t.rec.Pending, t.rec.StateLost, t.rec.Replaces = nil, PendingRows{}, false, false
	t.conflicts = nil
	t.parked = nil
	if err := t.c.db.Update(state.Normal, t.putConflicts); err != nil {
		return err
	}
	if err := t.putParkedLocked(); err != nil {
		return err
	}
	t.firstDirty = time.Time{}
	t.rec.Error = ""
	if r.Gen == l.Gen {
		t.rec.CleanSeq = t.rec.Save.Seq
		var st unix.Stat_t
		if err := unix.Stat(t.genPath(l.Gen), &st); err == nil {
			t.rec.Save.Len, t.rec.Save.Mtime, t.rec.Save.Ctime = st.Size, st.Mtim.Nano(), st.Ctim.Nano()
		}
		return t.saveLocked(state.Full)
	}
	return t.showLocked(r, time.Now())
}

// takeTheirs gives the cells in conflict the store's value and keeps everything else.
func (t *Table) takeTheirs() error {
	t.mu.Lock()
	l := t.rec.L
	if t.writingLocked(l.Gen) {
		t.mu.Unlock()
		return fmt.Errorf("%s: a program is writing to it; close it there and try again: %w", t.path(), ErrPending)
	}
	t.mu.Unlock()
	if err := t.keepCopy(l, "discard"); err != nil {
		return err
	}
	t.mu.Lock()
	t.rec.Behind = true
	err := t.decideConflictsLocked(table.Theirs)
	t.mu.Unlock()
	if err != nil {
		return err
	}
	t.wake(0)
	return t.incoming()
}
