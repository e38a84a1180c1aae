package cache

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache/state"
)

const cutOffReason = "cut off: this was being written when ragasfs ended, and whether its program had finished is not known. confirm sends it, discard goes back"

// recoverTable looks at one table's bytes and brings its facts into line.
func (c *Cache) recoverTable(t *Table, report state.Report) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	files, err := scan(t.dir)
	if err != nil {
		return err
	}
	// Numbers that were given but not noted are not given again: what was made
	// under them may be there.
	newer := files.lastGen > t.rec.LastGen
	t.rec.LastGen, t.rec.LastSeq = max(t.rec.LastGen, files.lastGen), max(t.rec.LastSeq, files.lastSeq)
	t.marked = files.marked
	if t.dirtyLocked() {
		t.firstDirty = time.Now()
	}
	if !report.Clean {
		if err := t.checkFilesLocked(); err != nil {
			return err
		}
		if damagedIntent(report, t.id) {
			if err := t.forgetStoreLocked(lostReason); err != nil {
				return err
			}
		}
	}
	if report.Incomplete && newer && files.marked != 0 && files.marked != t.rec.L.Gen {
		return t.newerThanFactsLocked(files)
	}
	if err := t.recoverContentLocked(report.Clean); err != nil {
		return err
	}
	if !report.Clean {
		t.recoveredLocked()
	}
	if len(t.parked) > 0 { // they are tried again at a mount
		t.worker.retry = true
		if !t.dirtyLocked() && !t.rec.L.none() {
			t.savedAgainLocked()
		}
	}
	t.stale = t.stale || t.rec.S.none() && t.rec.InStore && !t.rec.L.none()
	return nil
}

func damagedIntent(report state.Report, id string) bool {
	for _, k := range report.Records {
		if (k.Kind == kindIntent || k.Kind == kindSent) && tableOfID(k.ID) == id {
			return true
		}
	}
	return false
}

// newerThanFactsLocked: commits are missing, and with them the one that named
// the content that is marked.
func (t *Table) newerThanFactsLocked(files tableFiles) error {
	if _, there := files.gens[files.marked]; !there {
		return t.recoverContentLocked(false)
	}
	old := t.rec.L
	if t.dirtyLocked() && t.thereLocked(content{Gen: old.Gen, Len: old.Len}) {
		if err := t.toLostFoundLocked(old.Gen); err != nil {
			return err
		}
	}
	t.rec.Gone = nil
	return t.holdLostLocked(files.marked)
}

// recoverContentLocked looks at L.
func (t *Table) recoverContentLocked(clean bool) error {
	r := &t.rec
	if r.L.none() {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(t.genPath(r.L.Gen), &st); err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			return &os.PathError{Op: "stat", Path: t.genPath(r.L.Gen), Err: err}
		}
		return t.contentLostLocked()
	}
	noted := st.Size == r.Save.Len && st.Mtim.Nano() == r.Save.Mtime && !r.Save.Open
	switch {
	case noted && (clean || !t.dirtyLocked()):
		r.Save.Ctime = st.Ctim.Nano()
		return t.saveLocked(state.Normal)
	case noted:
		return t.ownFileLocked(st.Size)
	}
	t.c.log.Warn("a content was found that had not been noted", "path", t.path(), "bytes", st.Size, "noted", r.Save.Len)
	unsent := r.KeptSave.Seq > r.CleanSeq
	switch {
	case !r.Kept.none() && unsent:
		return t.backToKeptLocked()
	case st.Size < r.Save.Len && !t.dirtyLocked() && r.InStore && r.Kept.none() && !r.Rewritten:
		return t.cutAtRestLocked()
	case !r.Kept.none(), r.Rewritten, st.Size < r.Save.Len:
		return t.holdFoundLocked(&st)
	case st.Size == r.Save.Len && !r.Save.Open:
		return t.changedAtRestLocked(&st)
	}
	return t.grownLocked(&st)
}

// ownFileLocked makes the table's content a copy: a program that survived us may
// still write into the old file (K6). What the others need of it is in the copy.
func (t *Table) ownFileLocked(size int64) error {
	r := &t.rec
	from, to := r.L.Gen, t.newGenLocked()
	if _, err := t.c.disk.Copy("recover:copy", t.genPath(to), t.genPath(from), size); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Stat(t.genPath(to), &st); err != nil {
		return &os.PathError{Op: "stat", Path: t.genPath(to), Err: err}
	}
	for _, x := range t.refsLocked() {
		if x.Gen == from && x.Len <= size {
			x.Gen = to
		}
	}
	r.L.Gen = to
	t.unsafeLocked(t.genPath(to), true)
	r.Save.Mtime, r.Save.Ctime = st.Mtim.Nano(), st.Ctim.Nano()
	return t.saveLocked(state.Normal)
}

// grownLocked: bytes stand behind those that were noted. Those are untouched, or
// there would be a copy of them. Complete records count as saved.
func (t *Table) grownLocked(st *unix.Stat_t) error {
	r := &t.rec
	ended, err := t.endsRecord(r.L.Gen, st.Size)
	if err != nil {
		return err
	}
	r.Save.Seq++
	r.Save.Time = time.Now()
	r.Save.Len, r.Save.Torn, r.Save.Open = st.Size, !ended, false
	r.L.Len, r.L.Keys, r.L.Rows = st.Size, 0, 0
	t.firstDirty = time.Now()
	return t.ownFileLocked(st.Size)
}

// endsRecord reports whether a content ends with a line ending.
func (t *Table) endsRecord(gen uint64, size int64) (bool, error) {
	f, err := t.c.disk.OpenFile("recover:open", t.genPath(gen), os.O_RDONLY, 0)
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	var last [1]byte
	if size == 0 {
		return true, nil
	}
	if _, err := f.ReadAt(last[:], size-1); err != nil {
		return false, err
	}
	return last[0] == '\n' || last[0] == '\r', nil
}

// changedAtRestLocked: the file has other times than were noted, and nobody has
// written to it through us. If it was clean, what the store has tells whether its
// bytes are still good.
func (t *Table) changedAtRestLocked(st *unix.Stat_t) error {
	if t.dirtyLocked() {
		if err := t.holdFoundLocked(st); err != nil {
			return err
		}
		t.holdLocked(lostReason)
		return t.saveLocked(state.Normal)
	}
	t.rec.Save.Mtime, t.rec.Save.Ctime = st.Mtim.Nano(), st.Ctim.Nano()
	if !t.rec.InStore {
		return t.saveLocked(state.Normal)
	}
	return t.forgetStoreLocked(lostReason)
}

// cutAtRestLocked: the file has lost its end, and nobody has written to it through
// us. All that it held is in the store.
func (t *Table) cutAtRestLocked() error {
	if err := t.toLostFoundLocked(t.rec.L.Gen); err != nil {
		return err
	}
	t.rec.L = content{}
	return t.forgetStoreLocked(lostReason)
}

// backToKeptLocked goes back to the last save that was complete, and is not sent
// yet. What was being written over it goes to lost+found.
func (t *Table) backToKeptLocked() error {
	r := &t.rec
	if err := t.toLostFoundLocked(r.L.Gen); err != nil {
		return err
	}
	seq := r.Save.Seq + 1
	r.L, r.Save = r.Kept, r.KeptSave
	r.Save.Seq = seq
	r.Kept, r.KeptSave, r.Rewritten = content{}, save{}, false
	r.Decision = nil
	var st unix.Stat_t
	if err := unix.Stat(t.genPath(r.L.Gen), &st); err != nil {
		return &os.PathError{Op: "stat", Path: t.genPath(r.L.Gen), Err: err}
	}
	r.Save.Len, r.Save.Mtime, r.Save.Ctime = st.Size, st.Mtim.Nano(), st.Ctim.Nano()
	return t.ownFileLocked(st.Size)
}

// backToKept goes back from a save that failed to the complete one that it was
// written over, if that is not sent yet.
func (t *Table) backToKept() (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	kept, how := t.rec.Kept, t.rec.KeptSave
	if kept.none() || how.Seq <= t.rec.CleanSeq {
		return false, nil
	}
	t.rec.Decision, t.rec.Pending = nil, PendingRows{}
	if err := t.showLocked(kept, time.Now()); err != nil {
		return true, err
	}
	s := &t.rec.Save
	s.Seq, s.Time = s.Seq+1, time.Now()
	s.How, s.Known, s.Doubt, s.Synced, s.Killed = how.How, how.Known, how.Doubt, how.Synced, how.Killed
	t.firstDirty = time.Now()
	t.wakeLocked(t.settleLocked())
	return true, t.saveLocked(state.Normal)
}

// holdFoundLocked holds a content of which nobody knows whether it is complete.
func (t *Table) holdFoundLocked(st *unix.Stat_t) error {
	r := &t.rec
	shorter := r.Save.Len > st.Size && r.Kept.none() && !r.Rewritten
	r.Kept, r.KeptSave, r.Rewritten = content{}, save{}, false
	r.Save.Seq++
	r.Save.Time, r.Save.How, r.Save.Synced, r.Save.Open = time.Now(), byMachine, false, false
	r.Save.Len = st.Size
	r.L.Len, r.L.Keys, r.L.Rows = st.Size, 0, 0
	if r.Save.Doubt == 0 {
		r.Save.Doubt = 1
	}
	t.holdLocked(cutOffReason)
	if shorter {
		t.rec.Decision.Reason = lostReason
	} else {
		t.rec.StateLost = false
	}
	if err := t.ownFileLocked(st.Size); err != nil {
		return err
	}
	// Of a file that has lost its end, others may need just that.
	return t.checkFilesLocked()
}

// contentLostLocked: the bytes that the facts name are not there.
func (t *Table) contentLostLocked() error {
	r := &t.rec
	t.c.log.Error("the content is "+errLost.Error(), "path", t.path(), "generation", r.L.Gen, "unsent", t.dirtyLocked())
	if !r.Kept.none() && r.KeptSave.Seq > r.CleanSeq {
		r.L, r.Save = r.Kept, r.KeptSave
		return t.saveLocked(state.Normal)
	}
	r.CleanSeq = r.Save.Seq
	if !r.S.none() && r.S.Gen != r.L.Gen {
		r.L = r.S
		return t.saveLocked(state.Normal)
	}
	r.L = content{}
	return t.forgetStoreLocked(lostReason)
}

func fileNumber(name, prefix, suffix string) (uint64, bool) {
	s, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	s, ok = strings.CutSuffix(s, suffix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}
