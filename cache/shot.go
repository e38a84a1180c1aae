package cache

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// shot is a snapshot of a table: everything a verdict needs, with the contents
// held in place while it lives.
type shot struct {
	t      *Table
	rec    record // as it was
	growth bool
	// more: growth goes on behind what is judged; rest is the number of its complete
	// records.
	more bool
	rest int
	// Guarded by Table.mu: a writer may make them move.
	held     content // L as far as it is judged
	document content // what a document store is to get
	agreed   content // what S becomes with that; none: the document

	input    judge.Input
	asked    map[table.Conflict]bool // conflicts decided by a person that the verdict met
	sources  []*fileSource
	heldAt   int                     // which of the sources is held
	compared map[content]*fileSource // what it is compared with
	temps    []*generation
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
	err := s.open()
	if err == nil {
		err = s.verify()
	}
	if err != nil {
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
	s.t.unsafeLocked(s.t.genPath(to), true)
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
	inParts := s.t.c.rowStore() && !s.rec.Save.Torn
	r := table.NewReader(src, start, head.Dialect())
	end := start
	for n := 0; ; n++ {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case !rec.Ended:
		case inParts && n >= partRows:
			s.more = true
			s.rest++
		default:
			end = rec.End
		}
	}
	s.held.Len, s.held.Sum = end, 0
	return nil
}

// fillLocked opens the contents and fills in what else a verdict depends on.
func (s *shot) fillLocked() (err error) {
	t, in := s.t, &s.input
	s.heldAt, s.compared = len(s.sources), map[content]*fileSource{}
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
	in.Resolve = s.resolverLocked()
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
		s.compared[x] = src
		if c.Keys, err = s.t.keysOf(x); err != nil {
			return table.Content{}, err
		}
	}
	return c, nil
}

// close lets go of everything.
func (s *shot) close() {
	for _, src := range s.sources {
		src.close()
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
