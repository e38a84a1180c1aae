package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// shot is a snapshot of a table: everything a verdict needs, with the contents
// held in place while it lives.
type shot struct {
	t      *Table
	rec    record // as it was
	growth bool
	held   content // L as far as it is judged; guarded by Table.mu (a writer may make it move)

	input   judge.Input
	sources []*fileSource
	temps   []*generation
}

// snapshot freezes L and opens all contents.
func (t *Table) snapshot(what sendable) (*shot, error) {
	if err := t.ensureKeys(); err != nil {
		return nil, err
	}
	s := &shot{t: t, growth: what.growth}
	if what.instead != nil {
		s.held = *what.instead
	}
	if err := s.open(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shot) open() error {
	t := s.t
	t.mu.Lock()
	defer t.mu.Unlock()
	s.rec = t.rec
	if s.held.none() {
		s.held = t.rec.L
	}
	t.shots[s] = struct{}{}
	t.protectLocked()
	if s.held.none() {
		return fmt.Errorf("%s: no content: %w", t.path(), ErrStale)
	}
	if s.held.Gen == t.rec.L.Gen && t.mappedLocked() {
		if err := s.copyLocked(); err != nil {
			return err
		}
	}
	if s.growth {
		if err := s.cutLocked(); err != nil {
			return err
		}
	}
	return s.fillLocked()
}

// mappedLocked: somebody has L open for reading and writing, and may write into
// a mapping without our seeing it.
func (t *Table) mappedLocked() bool {
	for h := range t.writers {
		if h.flags&syscall.O_ACCMODE == syscall.O_RDWR && h.file == t.files[t.rec.L.Gen] {
			return true
		}
	}
	return false
}

// copyLocked takes a copy of L, because a mapping may change it under our hands.
func (s *shot) copyLocked() error {
	to := s.t.newGenLocked()
	if _, err := s.t.c.disk.Copy("freeze:copy", s.t.genPath(to), s.t.genPath(s.held.Gen), s.held.Len); err != nil {
		return err
	}
	s.held.Gen = to
	return nil
}

// cutLocked leaves out a last record that is not complete yet.
func (s *shot) cutLocked() error {
	src, err := s.t.openContentLocked(s.held)
	if err != nil {
		return err
	}
	s.sources = append(s.sources, src)
	head := table.NewReader(src, 0, table.Dialect{})
	if _, err := head.Next(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	start := int64(0)
	if s.rec.S.Gen == s.held.Gen {
		start = s.rec.S.Len
	}
	r := table.NewReader(src, start, head.Dialect())
	end := start
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if rec.Ended {
			end = rec.End
		}
	}
	s.held.Len = end
	return nil
}

// fillLocked opens the contents and fills in what else a verdict depends on.
func (s *shot) fillLocked() (err error) {
	t, in := s.t, &s.input
	if in.L, err = s.sourceLocked(s.held, false); err != nil {
		return err
	}
	if in.S, err = s.sourceLocked(s.rec.S, true); err != nil {
		return err
	}
	in.R = in.S
	if !s.rec.R.same(s.rec.S) {
		if in.R, err = s.sourceLocked(s.rec.R, true); err != nil {
			return err
		}
	}
	if !s.rec.J.none() && !s.rec.J.same(s.rec.S) {
		if in.Reference, err = s.sourceLocked(s.rec.J, true); err != nil {
			return err
		}
	}
	if s.rec.S.Gen == s.held.Gen && s.held.Len >= s.rec.S.Len {
		in.SharedPrefix = s.rec.S.Len
	}
	in.Later, in.Doubtful, err = t.arrivalsFor(s.rec.Save, s.rec.S.Arrival)
	if err != nil {
		return err
	}
	in.Parked = map[table.Key]uint64{}
	if !t.worker.retry {
		for _, p := range t.parked {
			in.Parked[p.Key] = p.Hash
		}
	}
	in.Form = t.c.props.Form
	in.Columns = s.rec.Columns
	in.NewKey = t.newKey
	in.Foreign = t.foreign()
	in.Writer = judge.Writer{
		InPlace: s.rec.Save.How == inPlace || s.rec.Save.How == byMachine,
		Synced:  s.rec.Save.Synced, Killed: s.rec.Save.Killed,
	}
	in.Guard = t.c.cfg.Guard
	in.Confirmed = s.rec.Confirmed == s.rec.Save.Seq && s.rec.Save.Seq != 0
	in.Resolve = func(table.Conflict) table.Resolution { return t.c.cfg.OnConflict }
	in.Temp = s.temp
	return nil
}

// sourceLocked opens a content for the judge.
func (s *shot) sourceLocked(x content, keys bool) (table.Content, error) {
	if x.none() {
		return table.Content{}, nil
	}
	src, err := s.t.openContentLocked(x)
	if err != nil {
		return table.Content{}, err
	}
	s.sources = append(s.sources, src)
	c := table.Content{Source: src}
	if keys {
		if c.Keys, err = s.t.keysOf(x); err != nil {
			return table.Content{}, err
		}
	}
	return c, nil
}

// close lets go of everything.
func (s *shot) close() {
	for _, src := range s.sources {
		_ = src.Close() // opened for reading
	}
	for _, g := range s.temps {
		g.drop()
	}
	t := s.t
	t.mu.Lock()
	delete(t.shots, s)
	t.protectLocked()
	t.mu.Unlock()
}

// tempContent is a judge.Temp on disk.
type tempContent struct {
	*generation
	s *shot
}

func (s *shot) temp() (judge.Temp, error) {
	g, err := s.t.newGeneration()
	if err != nil {
		return nil, err
	}
	s.temps = append(s.temps, g)
	return &tempContent{generation: g, s: s}, nil
}

// Source implements judge.Temp.
func (x *tempContent) Source() (table.Source, error) {
	if err := x.w.Flush(); err != nil {
		return nil, err
	}
	return io.NewSectionReader(x.f, 0, x.n), nil
}

// ensureKeys gives numbers to the rows of a document that was loaded and never
// compared. (A row store's contents come with their keys.)
func (t *Table) ensureKeys() error {
	t.mu.Lock()
	s := t.rec.S
	shared := t.rec.R.same(s)
	t.mu.Unlock()
	if s.none() || s.Keys != 0 {
		return nil
	}
	src, err := t.openContent(s)
	if err != nil {
		return err
	}
	defer src.Close()
	found, err := table.Check(src)
	if err != nil {
		return err
	}
	t.mu.Lock()
	first := t.rec.LastKey + 1
	t.rec.LastKey += uint64(found.Records)
	t.mu.Unlock()
	n, err := t.writeKeys(table.Numbered(first, found.Records), false)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.rec.S.same(s) {
		return nil
	}
	t.rec.S.Keys, t.rec.S.Rows = n, int64(found.Records)
	if shared {
		t.rec.R.Keys, t.rec.R.Rows = n, int64(found.Records)
	}
	return t.saveLocked(state.Normal)
}

// judgeAndPush judges L and does what the verdict says. judgeOnly stops before
// anything is sent (write_back=manual).
func (t *Table) judgeAndPush(ctx context.Context, what sendable, judgeOnly bool) error {
	t.mu.Lock()
	inStore := t.rec.InStore
	t.mu.Unlock()
	if inStore && !what.growth && !judgeOnly {
		if err := t.bringUpToDate(ctx); err != nil {
			return err
		}
	}
	s, err := t.snapshot(what)
	if err != nil {
		return err
	}
	defer s.close()
	v, err := judge.Judge(s.input)
	if err != nil {
		return fmt.Errorf("%s: reading the save: %w", t.path(), err)
	}
	if !s.current() {
		t.wake(0)
		return nil // a newer save came: it is judged in its place
	}
	switch v.State {
	case judge.Invalid:
		if what.growth {
			return nil // still being written
		}
		return t.decide(s, decision{State: "invalid", Reason: v.Problem.Error()})
	case judge.Held:
		if s.rec.Save.Seq == s.rec.CleanSeq {
			return nil
		}
		return t.decide(s, decision{State: "held", Rule: string(v.Rule), Reason: v.Reason})
	}
	if err := s.filterConflicts(v); err != nil {
		return err
	}
	if err := t.notePending(s, v); err != nil {
		return err
	}
	if judgeOnly {
		return nil
	}
	if v.State == judge.Clean && (t.c.props.Form == backends.Rows || !v.BytesDiffer || len(v.Merged.Document.Rows) > 0) && t.inStore() {
		return t.agree(s, v)
	}
	return t.push(ctx, s, v)
}

func (t *Table) inStore() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.InStore
}

// current reports whether L is still what was judged (growth may go on).
func (s *shot) current() bool {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	if s.t.rec.Gone != nil {
		return false
	}
	if s.growth {
		return s.t.rec.L.Gen == s.rec.L.Gen
	}
	return s.t.rec.Save.Seq == s.rec.Save.Seq && s.t.rec.S.same(s.rec.S) && s.t.rec.R.same(s.rec.R)
}

// decide notes that a save is held or invalid.
func (t *Table) decide(s *shot, d decision) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	d.Seq, d.Since = s.rec.Save.Seq, time.Now()
	t.rec.Decision = &d
	t.firstDirty = time.Time{}
	t.c.log.Warn("save "+d.State, "path", t.path(), "reason", d.Reason, "remedy", remedyFor(t.path()))
	return t.saveLocked(state.Normal)
}

func remedyFor(path string) string {
	return "save a better version, or: ragasfs confirm " + path + " | ragasfs discard " + path
}

// notePending notes what is about to be sent, for the status.
func (t *Table) notePending(s *shot, v *judge.Verdict) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	a, u, d := v.Merged.Send.Count()
	t.rec.Pending = PendingRows{Append: a, Update: u, Delete: d, Columns: len(v.Merged.Send.Columns)}
	t.rec.Warnings = v.Warnings
	if t.rec.Decision != nil && t.rec.Decision.Op == "" {
		t.rec.Decision = nil
	}
	for _, w := range v.Warnings {
		t.c.log.Warn(w, "path", t.path())
	}
	return t.saveLocked(state.Normal)
}

// agree ends a save of which nothing is to be sent: file and store say the same.
func (t *Table) agree(s *shot, v *judge.Verdict) error {
	keys, err := t.writeKeys(v.Keys, false)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	x := s.judgedLocked(v, keys)
	t.rec.J = x
	if v.Exact && (t.c.props.Form == backends.Rows || !v.BytesDiffer) {
		x.Arrival = t.rec.S.Arrival
		t.rec.S, t.rec.R = x, x
	}
	return t.cleanLocked(s, x)
}

// judgedLocked is the frozen L with its keys.
func (s *shot) judgedLocked(v *judge.Verdict, keys uint64) content {
	x := s.held
	x.Keys, x.Rows = keys, int64(v.Keys.Len())
	return x
}

// cleanLocked notes that nothing of the judged save is left to send.
func (t *Table) cleanLocked(s *shot, x content) error {
	if t.rec.L.Gen == x.Gen && t.rec.L.Len == x.Len {
		t.rec.L.Keys, t.rec.L.Rows = x.Keys, x.Rows
	}
	if t.rec.Save.Seq == s.rec.Save.Seq && x.Len >= t.rec.Save.Len {
		t.rec.CleanSeq = s.rec.Save.Seq
		t.rec.Pending = PendingRows{}
		t.rec.Decision = nil
		t.rec.Replaces = false
		t.firstDirty = time.Time{}
	} else {
		t.firstDirty = time.Now()
	}
	return t.saveLocked(state.Normal)
}

// checkMax is the most bytes that close and fsync judge themselves; larger
// saves are judged after the settle time only (at most about 50 ms are spent).
const checkMax = 4 << 20

// checkNow judges a save at close, fsync or rename. ErrInvalid: the bytes can't
// become a table.
func (t *Table) checkNow(seq uint64) error {
	t.mu.Lock()
	size := t.rec.L.Len
	if t.rec.S.Gen == t.rec.L.Gen {
		size -= t.rec.S.Len
	}
	stillMine := t.rec.Save.Seq == seq && t.rec.Gone == nil
	t.mu.Unlock()
	if size > checkMax || !stillMine {
		return nil
	}
	t.begin()
	defer t.end()
	problem, err := t.problemOf(content{})
	if err != nil {
		t.c.log.Warn("save not checked at close", "path", t.path(), "error", err)
		return nil // it is checked again after the settle time
	}
	if problem == nil || problem.Beginning {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rec.Save.Seq != seq {
		return nil
	}
	if t.rec.Decision == nil || t.rec.Decision.Seq != seq {
		t.rec.Decision = &decision{State: "invalid", Seq: seq, Reason: problem.Error(), Since: time.Now()}
		if err := t.saveLocked(state.Normal); err != nil {
			return err
		}
		t.c.log.Warn("save invalid", "path", t.path(), "reason", problem.Error(), "remedy", remedyFor(t.path()))
	}
	return fmt.Errorf("%s: %w: %w", t.path(), ErrInvalid, problem)
}

// problemOf says what is wrong with a content (zero: L) as the table's next one.
func (t *Table) problemOf(x content) (*table.Problem, error) {
	what := sendable{}
	if !x.none() {
		what.instead = &x
	}
	s, err := t.snapshot(what)
	if err != nil {
		return nil, err
	}
	defer s.close()
	v, err := judge.Judge(s.input)
	if err != nil {
		return nil, err
	}
	if v.State != judge.Invalid {
		return nil, nil
	}
	return v.Problem, nil
}
