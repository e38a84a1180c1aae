package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/disk"
)

// A scenario is what a person does, step by step, with what the store must hold
// when it is done.
type scenario struct {
	w     *world
	model map[string][]string // table -> lines; what is acknowledged
	next  map[string][]string // the same after the step under way
	moves moments
}

// moments are the calls to disk and store, counted. At one of them the process
// is killed, or the call fails.
type moments struct {
	mu    sync.Mutex
	n     int
	names []string
	at    int  // the moment; 0: never
	fails bool // the call fails and life goes on
	w     *world
}

var errFault = errors.New("made to fail")

// pass is called at every moment; an error is the fate of that call.
func (m *moments) pass(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n++
	m.names = append(m.names, name)
	switch {
	case m.n != m.at:
		return nil
	case m.fails:
		return fmt.Errorf("%w: %w", errFault, syscall.EIO)
	}
	m.w.dead.Store(true)
	m.w.stateDir = m.w.image()
	return errKilled
}

// before is pass of a call to the store that has not happened.
func (m *moments) before(name string) error {
	if err := m.pass("before " + name); err != nil {
		return errors.Join(err, backends.ErrUnavailable)
	}
	return nil
}

// after is pass of a call to the store whose answer is lost.
func (m *moments) after(name string, err error) error {
	if err != nil {
		return err
	}
	if err := m.pass("after " + name); err != nil {
		return errors.Join(err, backends.ErrUnknown)
	}
	return nil
}

// watched is a backend whose calls are moments, before and after.
type watched struct {
	*mortal
	m *moments
}

func (b *watched) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	if err := b.m.before("list"); err != nil {
		return nil, err
	}
	return b.mortal.List(ctx, scope)
}

func (b *watched) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	if err := b.m.before("load"); err != nil {
		return nil, err
	}
	return b.mortal.Load(ctx, ref)
}

func (b *watched) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	if err := b.m.before("probe"); err != nil {
		return backends.Entry{}, err
	}
	return b.mortal.Probe(ctx, ref)
}

func (b *watched) Create(ctx context.Context, request backends.Create) (backends.Entry, error) {
	if err := b.m.before("create"); err != nil {
		return backends.Entry{}, err
	}
	entry, err := b.mortal.Create(ctx, request)
	return entry, b.m.after("create", err)
}

func (b *watched) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	if err := b.m.before("delete"); err != nil {
		return err
	}
	return b.m.after("delete", b.mortal.Delete(ctx, ref, base))
}

func (b *watched) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	if err := b.m.before("apply"); err != nil {
		return backends.Result{}, err
	}
	result, err := b.mortal.Apply(ctx, batch)
	if err = b.m.after("apply", err); err != nil {
		return backends.UnknownResult(batch, err), err
	}
	return result, nil
}

func (b *watched) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	if err := b.m.before("rename"); err != nil {
		return backends.Entry{}, err
	}
	entry, err := b.mortal.Rename(ctx, ref, name)
	return entry, b.m.after("rename", err)
}

// newScenario is a world that is killed at the given moment, or in which that
// call fails.
func newScenario(t *testing.T, form backends.Form, at int, fails bool) *scenario {
	s := &scenario{w: newStore(t, form), model: map[string][]string{}}
	s.moves.w, s.moves.at, s.moves.fails = s.w, at, fails
	s.w.backend = func(b backends.Backend) backends.Backend {
		return &watched{mortal: &mortal{Backend: b, dead: s.w.dead}, m: &s.moves}
	}
	s.w.config.Disk = &disk.FS{Fail: func(label, _ string) error { return s.moves.pass(label) }}
	err := s.w.tryOpen()
	if errors.Is(err, errFault) {
		err = s.w.tryOpen()
	}
	if err != nil && !s.w.dead.Load() {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.w.close() })
	return s
}

// step does one thing, unless the process is dead already. change does it to the
// model. If it fails it is done again, as a person would, unless it turns out to
// be done.
func (s *scenario) step(change func(model map[string][]string), do func() error) {
	s.w.t.Helper()
	if s.w.dead.Load() {
		return
	}
	s.next = maps.Clone(s.model)
	change(s.next)
	var err error
	for range 4 {
		if err = do(); err == nil || s.w.dead.Load() || s.done() {
			break
		}
		s.w.t.Logf("to be done again: %v", err)
	}
	if s.w.dead.Load() {
		return // not acknowledged
	}
	if !s.done() {
		must(s.w.t, err)
	}
	s.model = s.next
}

// done reports whether the mount shows what the step was to bring about.
func (s *scenario) done() bool {
	if maps.EqualFunc(s.next, s.model, slices.Equal) {
		return false // a flush
	}
	for name, lines := range s.next {
		if slices.Equal(lines, s.model[name]) {
			continue
		}
		content, err := s.w.tryRead(name)
		if err != nil || !slices.Equal(sorted(linesOf(content)), sorted(lines)) {
			return false
		}
	}
	for name := range s.model {
		_, err := s.w.c.Lookup(s.w.t.Context(), datasets, name)
		if _, stays := s.next[name]; !stays && err == nil {
			return false
		}
	}
	return true
}

func (s *scenario) put(name string, lines []string, how func(name, content string) error) {
	s.w.t.Helper()
	s.step(func(m map[string][]string) { m[name] = lines }, func() error {
		return how(name, strings.Join(lines, "\n")+"\n")
	})
}

func (s *scenario) inPlace(name, content string) error {
	return s.w.put(name, content, truncating, me())
}

func (s *scenario) flush() {
	s.w.t.Helper()
	s.step(func(map[string][]string) {}, s.w.tryFlush)
}

// run is a day's work.
func (s *scenario) run() {
	w := s.w
	s.put("qa.csv", []string{"q,a", "1,one", "2,two"}, s.inPlace)
	s.flush()
	s.step(func(m map[string][]string) { m["qa.csv"] = append(slices.Clone(m["qa.csv"]), "3,three") },
		func() error { return w.put("qa.csv", "3,three\n", appending, me()) })
	s.flush()
	s.put("qa.csv", []string{"q,a", "1,one", "2,zwei"}, s.inPlace)
	s.step(func(m map[string][]string) { m["qa.csv"] = append(slices.Clone(m["qa.csv"]), "4,four", "5,five") },
		func() error { return w.put("qa.csv", "4,four\n5,five\n", appending, me()) })
	s.flush()
	s.put("qa.csv", []string{"q,a", "1,one", "4,four", "5,cinq", "6,six"}, w.tryReplace)
	s.put("new.csv", []string{"x", "1"}, w.tryReplace)
	s.flush()
	if !w.dead.Load() { // a colleague
		w.elsewhere("qa.csv", "q,a", "1,one", "4,quatre", "5,cinq", "6,six", "7,seven")
		s.model["qa.csv"] = []string{"q,a", "1,one", "4,quatre", "5,cinq", "6,six", "7,seven"}
	}
	s.step(func(m map[string][]string) {
		m["qa.csv"] = []string{"q,a", "1,ein", "4,quatre", "5,cinq", "6,six", "7,seven", "8,eight"}
	}, func() error {
		return s.inPlace("qa.csv", "q,a\n1,ein\n4,four\n5,cinq\n6,six\n8,eight\n")
	})
	s.flush()
	s.step(func(m map[string][]string) { m["moved.csv"] = m["new.csv"]; delete(m, "new.csv") },
		func() error { return w.c.Rename(w.t.Context(), datasets, "new.csv", datasets, "moved.csv", 0, me()) })
	s.flush()
	s.put("short.csv", []string{"x", "1"}, s.inPlace)
	s.flush()
	s.step(func(m map[string][]string) { delete(m, "short.csv") },
		func() error { return w.c.Unlink(w.t.Context(), datasets, "short.csv", Caller{}) })
	s.flush()
}

// check opens the cache again, sends everything, and compares the store with
// the model: what was acknowledged is there, what was under way as a whole or
// not at all.
func (s *scenario) check() {
	w := s.w
	w.t.Helper()
	if w.c != nil {
		w.close()
	}
	w.config.Disk, w.backend = nil, nil
	w.open()
	// What was cut off half-way waits for its writer, who tries again.
	first := w.tryFlush()
	s.redo()
	if err := w.tryFlush(); err != nil {
		w.t.Errorf("flush after the crash: %v (at first: %v)", err, first)
	}
	w.refresh()
	names := map[string]bool{}
	for _, m := range []map[string][]string{s.model, s.next} {
		for name := range m {
			names[name] = true
		}
	}
	for name := range names {
		s.compare(name)
	}
}

// redo makes the step again of which only a part is there.
func (s *scenario) redo() {
	w := s.w
	for name, lines := range s.next {
		if _, err := w.c.Lookup(w.t.Context(), datasets, name); err != nil {
			continue
		}
		switch w.state(name) {
		case "held", "invalid":
			w.t.Logf("%s is %s, it shows %q", name, w.state(name), w.shown(name))
			if err := w.tryReplace(name, strings.Join(lines, "\n")+"\n"); err != nil {
				w.t.Errorf("saving %s again: %v", name, err)
			}
			s.model = maps.Clone(s.model)
			s.model[name] = lines
		}
	}
}

func (s *scenario) compare(name string) {
	w := s.w
	w.t.Helper()
	got, err := w.tryStored(name)
	before, wasThere := s.model[name]
	after, willBeThere := s.next[name]
	if err != nil {
		if wasThere && willBeThere {
			w.t.Errorf("%s is not in the store: %v; acknowledged is %q", name, err, before)
		}
		return
	}
	if wasThere && slices.Equal(sorted(got), sorted(before)) || willBeThere && slices.Equal(sorted(got), sorted(after)) {
		w.wantShown(name, got...)
		return
	}
	w.t.Errorf("the store holds of %s\n%q; acknowledged is\n%q, under way was\n%q", name, got, before, after)
}

// TestKillAtEveryMoment kills the process at every call to disk or store that a
// day's work makes. Without RAGASFS_MOMENTS=all it is a part of them.
func TestKillAtEveryMoment(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		whole := newScenario(t, form, 0, false)
		whole.run()
		names := whole.moves.names
		whole.check()
		if t.Failed() {
			return
		}
		for _, at := range some(t, len(names), 12) {
			t.Run(fmt.Sprintf("%d %s", at, strings.ReplaceAll(names[at-1], "/", ".")), func(t *testing.T) {
				s := newScenario(t, form, at, false)
				s.run()
				s.check()
			})
		}
	})
}

// some are about n of the numbers from 1 to most: all if RAGASFS_MOMENTS is
// "all", one if that is a number.
func some(t *testing.T, most, n int) []int {
	every, first := max(most/n, 1), 1
	switch env := os.Getenv("RAGASFS_MOMENTS"); {
	case env == "all":
		every = 1
	case env != "":
		var err error
		first, err = strconv.Atoi(env)
		must(t, err)
		every = most
	}
	var list []int
	for i := first; i <= most; i += every {
		list = append(list, i)
	}
	return list
}
