package cache

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// evicted is what is remembered of a clean content that was removed to make room:
// enough that nobody sees the difference when it is loaded again.
type evicted struct {
	Content content // Gen is gone; the file of its keys stays
	Version backends.Version
	Mtime   time.Time
	Mode    uint32
}

// evict removes the contents of clean tables, those first that were not used for
// longest, until about that many bytes are free. It returns how many are.
func (c *Cache) evict(most int64) (freed int64) {
	if s, _ := c.health.get(); s != "online" {
		return 0 // what is cached stays readable while the store is away
	}
	type candidate struct {
		t    *Table
		used time.Time
	}
	var list []candidate
	for _, t := range c.allTables() {
		t.mu.Lock()
		if t.evictableLocked() {
			list = append(list, candidate{t, t.lastUsedLocked()})
		}
		t.mu.Unlock()
	}
	slices.SortFunc(list, func(a, b candidate) int { return a.used.Compare(b.used) })
	for _, x := range list {
		if freed >= most {
			break
		}
		n, err := x.t.evict()
		freed += n
		if err != nil {
			c.log.Warn("clean content not removed", "path", x.t.path(), "error", err)
		}
	}
	return freed
}

// lastUsedLocked is the last open, or the last change where none is known.
func (t *Table) lastUsedLocked() time.Time {
	var st unix.Stat_t
	if !t.used.IsZero() || unix.Stat(t.genPath(t.rec.L.Gen), &st) != nil {
		return t.used
	}
	return timeOf(st.Mtim)
}

// evictableLocked: all that the table holds is in the store, in the same bytes,
// and nobody works with it or could save what he read before.
func (t *Table) evictableLocked() bool {
	r := &t.rec
	clean := r.InStore && !r.L.none() && r.L.same(r.S) && r.S.same(r.R) && !t.dirtyLocked() && r.Kept.none() &&
		(r.L.Loaded || !t.c.rowStore())
	settled := r.Gone == nil && r.NewName == "" && r.Decision == nil && r.Vanished == nil && !r.Behind && !r.ShowKeys &&
		!r.StateLost && !t.stale && !t.reload && len(t.conflicts) == 0 && len(t.parked) == 0
	idle := t.intent == nil && t.load == nil && t.ops == 0 && !t.pushing && len(t.writers) == 0 && t.readers == 0 &&
		len(t.sources) == 0 && len(t.shots) == 0 && len(t.pins) == 0 && time.Since(t.used) > inUse
	if !clean || !settled || !idle || t.blockedLocked() || t.c.other.Load() {
		return false
	}
	for _, f := range t.files {
		f.mu.Lock()
		open := len(f.handles)
		f.mu.Unlock()
		if open > 0 {
			return false
		}
	}
	return !t.c.know.isKnown(t.id)
}

// evict removes the content. The table is then as one that was never loaded, but
// for what is remembered.
func (t *Table) evict() (freed int64, err error) {
	done, ok := t.worker.tryAlone()
	if !ok {
		return 0, nil
	}
	defer done()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.evictableLocked() {
		return 0, nil
	}
	var st unix.Stat_t
	path := t.genPath(t.rec.L.Gen)
	if err := unix.Stat(path, &st); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	old := t.rec
	r := &t.rec
	r.StoreSize, r.StoreRows, r.StoreTime = st.Size, t.rowsLocked(), timeOf(st.Mtim)
	r.Evicted = &evicted{Content: r.S, Version: r.Version, Mtime: timeOf(st.Mtim), Mode: st.Mode}
	r.L, r.S, r.R, r.J, r.Agreed = content{}, content{}, content{}, content{}, nil
	r.Version = "" // of what is here
	if err := t.saveLocked(state.Normal); err != nil {
		t.rec = old
		return 0, err
	}
	t.marked = 0
	t.files = map[uint64]*File{}
	t.c.log.Info("clean content removed to make room", "path", t.path(), "bytes", st.Size)
	return t.removeContentsLocked()
}

// removeContentsLocked removes all generations, and the keys but those of what is
// remembered.
func (t *Table) removeContentsLocked() (freed int64, err error) {
	entries, err := os.ReadDir(t.dir)
	if err != nil {
		return 0, err
	}
	keep := filepath.Base(t.keysPath(t.rec.Evicted.Content.Keys))
	for _, e := range entries {
		_, isGen := fileNumber(e.Name(), "g", ".csv")
		if !isGen && (!strings.HasSuffix(e.Name(), ".ids") || e.Name() == keep) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return freed, err
		}
		if err := t.c.disk.Remove("evict:content", filepath.Join(t.dir, e.Name())); err != nil {
			return freed, err
		}
		freed += info.Size()
	}
	return freed, nil
}

// returnedLocked gives a content that was loaded what is remembered of the one
// that was evicted. If it is another by now, that did not arrive while anybody who
// still runs had read the old one.
func (t *Table) returnedLocked(got *fetched) {
	e := t.rec.Evicted
	if e == nil {
		return
	}
	t.rec.Evicted = nil
	x := &got.content
	x.Arrival = e.Content.Arrival
	if x.Len == e.Content.Len && x.Sum == e.Content.Sum {
		got.modTime = e.Mtime
		if x.Keys == 0 {
			x.Keys, x.Rows = e.Content.Keys, e.Content.Rows
		}
	} else if !got.modTime.After(e.Mtime) {
		got.modTime = e.Mtime.Add(time.Nanosecond)
	}
	mode := e.Mode
	if err := setDiskAttr(t.genPath(x.Gen), unix.AT_SYMLINK_NOFOLLOW, SetAttr{Mode: &mode}); err != nil {
		t.c.log.Warn("mode not kept", "path", t.path(), "error", err)
	}
}

// isKnown reports whether a process that still runs has opened the table.
func (k *knower) isKnown(table string) bool {
	k.mu.Lock()
	var list []process
	for key := range k.known {
		if key.table == table {
			list = append(list, key.proc)
		}
	}
	k.mu.Unlock()
	return slices.ContainsFunc(list, process.alive)
}
