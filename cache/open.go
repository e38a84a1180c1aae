package cache

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache/state"
)

// open opens a table's content.
func (t *Table) open(ctx context.Context, f *File, flags int, caller Caller) (*Handle, error) {
	if _, tgen, _ := f.place(); tgen == 0 {
		if err := t.loadFor(ctx, f); err != nil {
			return nil, err
		}
	}
	write := flags&syscall.O_ACCMODE != syscall.O_RDONLY
	if !write {
		t.refreshAtOpen()
	}
	var proc process
	if write {
		proc = processOf(caller.TID)
	}
	t.mu.Lock()
	h, err := t.openLocked(f, flags, caller)
	if err != nil {
		t.mu.Unlock()
		return nil, err
	}
	h.proc = proc
	arrival := t.rec.L.Arrival
	t.used = time.Now()
	t.mu.Unlock()
	if flags&syscall.O_TRUNC == 0 && flags&syscall.O_ACCMODE != syscall.O_WRONLY {
		t.c.know.saw(t, caller.TID, arrival)
	}
	t.c.freshness.opened(t)
	return h, nil
}

func (t *Table) openLocked(f *File, flags int, caller Caller) (*Handle, error) {
	_, tgen, _ := f.place()
	if t.rec.Gone == nil && t.rec.L.Gen != tgen {
		return nil, fmt.Errorf("%s: %w", t.path(), ErrStale)
	}
	accmode := flags & syscall.O_ACCMODE
	// A mapping writes without a message to us, and O_TRUNC does it at once: both
	// need a file of their own. Plain writes copy only when they touch old bytes.
	if accmode == syscall.O_RDWR || accmode != syscall.O_RDONLY && flags&syscall.O_TRUNC != 0 {
		if err := t.unshareLocked(tgen); err != nil {
			return nil, err
		}
	}
	h, err := f.openDisk(t.genPath(tgen), flags, caller)
	if err != nil {
		return nil, err
	}
	if h.writable {
		t.writers[h] = struct{}{}
		t.wakeLocked(t.c.settle())
		if flags&syscall.O_TRUNC != 0 {
			h.touch()
		}
	} else {
		t.readers++
		t.noteReadLocked(caller.TID)
	}
	h.opened.Store(true)
	return h, nil
}

// release ends a handle of the table.
func (t *Table) release(h *Handle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !h.opened.Swap(false) {
		return
	}
	if !h.writable {
		t.readers--
		if t.rec.ShowKeys || t.incomingLocked() {
			t.wakeLocked(t.c.settle())
		}
		return
	}
	delete(t.writers, h)
	// A mapping may have written after the last FLUSH (K5).
	if _, err := t.savedLocked(h.file, h); err != nil {
		t.c.log.Error("save not noted", "path", t.path(), "error", err)
	}
	t.quiet = time.Now()
	t.wakeLocked(t.settleLocked())
}

// savedLocked is noticeLocked when what h has written is to be kept: at FLUSH,
// FSYNC and RELEASE. The save is complete then, unless somebody else is at it.
func (t *Table) savedLocked(f *File, h *Handle) (changed bool, err error) {
	changed, err = t.noticeLocked(f, h)
	open := t.rec.Save.Open || t.rec.Rewritten || !t.rec.Kept.none()
	if err != nil || !open || t.rec.L.Gen != f.tgenNow() || t.busyLocked(h) {
		return changed, err
	}
	t.rec.Save.Open = false
	if h == nil || !h.failed.Load() { // else discard goes back to what is kept
		t.rec.Kept, t.rec.KeptSave, t.rec.Rewritten = content{}, save{}, false
	}
	return changed, t.saveLocked(state.Normal)
}

// busyLocked: somebody other than h has written to L since the last FLUSH.
func (t *Table) busyLocked(h *Handle) bool {
	for o := range t.writers {
		if o != h && o.unchecked.Load() && o.file == t.files[t.rec.L.Gen] {
			return true
		}
	}
	return false
}

// noticeLocked looks whether L has changed since it was last looked at, by size,
// mtime and ctime, and if so notes a save, which is open until savedLocked says
// otherwise. h is who wrote, nil if not known.
func (t *Table) noticeLocked(f *File, h *Handle) (changed bool, err error) {
	_, tgen, _ := f.place()
	if t.rec.L.Gen != tgen || t.rec.Gone != nil {
		return false, nil // written under a name that is no longer the table's
	}
	var st unix.Stat_t
	if err := f.stat(&st); err != nil {
		return false, err
	}
	last := &t.rec.Save
	if st.Size == last.Len && st.Mtim.Nano() == last.Mtime && st.Ctim.Nano() == last.Ctime {
		return false, nil
	}
	if t.protectedLocked(tgen) == st.Size && t.rec.L.Len == st.Size {
		// Only attributes: the bytes are protected.
		last.Mtime, last.Ctime = st.Mtim.Nano(), st.Ctim.Nano()
		return false, t.saveLocked(state.Normal)
	}
	if h != nil && !h.unchecked.Load() {
		f.c.invalidateAttr(f) // through a mapping: the kernel does not know the times
	}
	s := save{Seq: last.Seq + 1, Len: st.Size, Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(), Time: time.Now(), Open: true}
	t.describeLocked(&s, tgen, st.Size, h)
	return true, t.newSaveLocked(s, content{Gen: tgen, Len: st.Size, Arrival: s.Known})
}

// describeLocked fills in how the bytes came about and what their writer knew.
func (t *Table) describeLocked(s *save, tgen uint64, size int64, h *Handle) {
	r := &t.rec
	switch {
	case r.S.Gen == tgen && size >= r.S.Len && r.S.Len > 0:
		s.How = byGrowth
		s.Known = r.L.Arrival
	case h != nil && h.flags&syscall.O_TRUNC == 0 && r.L.Len > 0 && r.Save.Len > 0:
		// Bytes written into existing ones know what those hold.
		s.How = inPlace
		s.Known = r.L.Arrival
	default:
		s.How = inPlace
		var proc process
		if h != nil {
			proc = h.proc
		}
		s.Known, s.Doubt = t.knownByLocked(proc, ^uint64(0))
	}
	// Parts of one save: what an earlier part of the same writing did not know.
	if r.Save.Seq > r.CleanSeq {
		if r.Save.Known < s.Known && s.How != byGrowth && h != nil && h.flags&syscall.O_TRUNC == 0 {
			s.Known = r.Save.Known
		}
		if s.Doubt == 0 && s.How != byGrowth && h != nil && h.flags&syscall.O_TRUNC == 0 {
			s.Doubt = r.Save.Doubt
		}
	}
	if h != nil && h.failed.Load() {
		t.cutOffLocked(s, tgen, size)
	}
}

// cutOffLocked notes that the writer could not finish. A last record that may be
// half of one is not sent.
func (t *Table) cutOffLocked(s *save, gen uint64, size int64) {
	s.Killed = true
	ended, err := t.endsRecord(gen, size)
	s.Torn = err == nil && !ended
}

// knownByLocked is knower.of with all sightings taken.
func (t *Table) knownByLocked(proc process, before uint64) (known, doubt int64) {
	if t.rec.Arrivals == 0 {
		return 0, 0
	}
	newest := t.rec.S.Arrival
	if !t.rec.L.none() {
		newest = min(newest, t.rec.L.Arrival) // nobody can have seen what is not shown
	}
	if proc == "" {
		return newest, 1
	}
	t.c.know.wait()
	return t.c.know.of(t, proc, before, newest)
}

// newSaveLocked makes x the content under the name.
func (t *Table) newSaveLocked(s save, x content) error {
	old := t.rec
	t.rec.Save = s
	t.rec.L = x
	t.rec.Evicted = nil
	t.unsafeLocked(t.genPath(x.Gen), x.Gen != old.L.Gen)
	t.rec.Error = ""
	if !s.Open || x.Gen != old.L.Gen {
		t.rec.Kept, t.rec.KeptSave, t.rec.Rewritten = content{}, save{}, s.Open
	}
	if t.firstDirty.IsZero() {
		t.firstDirty = s.Time
	}
	t.quiet = s.Time
	if err := t.saveLocked(state.Normal); err != nil {
		t.rec.Save, t.rec.L, t.rec.Evicted = old.Save, old.L, old.Evicted // noticed again by the next who looks
		t.rec.Kept, t.rec.KeptSave, t.rec.Rewritten = old.Kept, old.KeptSave, old.Rewritten
		t.protectLocked()
		return err
	}
	t.wakeLocked(t.settleLocked())
	return nil
}

// flushHandle is close(2) of a descriptor that may have written.
func (t *Table) flushHandle(ctx context.Context, h *Handle, caller Caller) error {
	killed := killedBySignal(caller.TID)
	t.mu.Lock()
	wrote := h.unchecked.Load()
	changed, err := t.savedLocked(h.file, h)
	h.unchecked.Store(false)
	if err == nil && killed && t.rec.L.Gen == h.file.tgenNow() && (h.wrote.Load() || changed) {
		// Also where a child of it has closed the same file before.
		t.cutOffLocked(&t.rec.Save, t.rec.L.Gen, t.rec.L.Len)
		err = t.saveLocked(state.Normal)
	}
	mine := t.rec.Gone == nil && t.rec.L.Gen == h.file.tgenNow()
	seq := t.rec.Save.Seq
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: the save is on disk but could not be noted: %w", t.path(), err)
	}
	if !mine || !h.wrote.Load() && !changed {
		return nil
	}
	if !changed && !wrote {
		return t.foundInvalid(seq)
	}
	if err := t.checkNow(seq); err != nil {
		return err
	}
	if t.c.cfg.SyncRemote && len(t.otherWriters(h)) == 0 {
		return t.pushNow(ctx, h)
	}
	return nil
}

// foundInvalid answers a further close of the same bytes. A child that was
// forked while the file was open closes it first: what that close was told, the
// program that wrote must be told too.
func (t *Table) foundInvalid(seq uint64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.rec.Decision
	if d == nil || d.State != "invalid" || d.Seq != seq || t.rec.Save.Seq != seq {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", t.path(), ErrInvalid, d.Reason)
}

func (t *Table) otherWriters(h *Handle) []*Handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	var others []*Handle
	for o := range t.writers {
		if o != h && o.wrote.Load() {
			others = append(others, o)
		}
	}
	return others
}

// syncHandle is fsync(2), after the bytes are on disk as they were then.
func (t *Table) syncHandle(ctx context.Context, h *Handle, then *unix.Stat_t) error {
	t.mu.Lock()
	_, err := t.savedLocked(h.file, h)
	t.bytesSyncedLocked(h.file, then)
	t.mu.Unlock()
	if err == nil {
		err = t.makeSafe()
	}
	t.mu.Lock()
	mine := t.rec.Gone == nil && t.rec.L.Gen == h.file.tgenNow()
	if err == nil && mine {
		t.rec.Save.Synced = true
		err = t.saveLocked(state.Full)
	}
	seq := t.rec.Save.Seq
	t.mu.Unlock()
	if err != nil {
		return fmt.Errorf("%s: fsync: %w", t.path(), err)
	}
	if !mine || seq == 0 {
		return nil
	}
	if err := t.checkNow(seq); err != nil {
		return err
	}
	if t.c.cfg.SyncRemote {
		return t.pushNow(ctx, h)
	}
	return nil
}

// noticeOutsideHandle is for truncate(2) by name.
func (t *Table) noticeOutsideHandle(f *File) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.savedLocked(f, nil); err != nil {
		t.c.log.Error("save not noted", "path", t.path(), "error", err)
	}
}
