package backendtest

import (
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

func loadRules() []rule {
	return []rule{
		{name: "MissingTableIsNotEmpty", check: missingTableIsNotEmpty},
		{name: "EmptyTableLoads", check: emptyTableLoads},
		{name: "LoadIsComplete", check: loadIsComplete},
		{name: "OrderIsStable", check: orderIsStable, needs: (*suite).isRows},
		{name: "LoadMayBeLeftEarly", check: loadMayBeLeftEarly},
		{name: "LoadIsOfOneMoment", check: loadIsOfOneMoment},
	}
}

func missingTableIsNotEmpty(t *testing.T, s *suite) {
	ref := s.project
	ref.Kind, ref.Name = backends.Experiments, "never was"
	_, _, err := s.load(t.Context(), ref)
	demandError(t, "load a table that is not there", err, backends.ErrNotFound)
}

func emptyTableLoads(t *testing.T, s *suite) { s.table(t, "qa", sample(0)).check(t) }

// loadIsComplete: no store has pages of this size.
func loadIsComplete(t *testing.T, s *suite) {
	big := sample(s.h.BigTable)
	qa := s.table(t, "qa", content{header: big.header})
	step := s.Properties.MaxBatch
	if step == 0 {
		step = 1000
	}
	if s.isDocuments() {
		step = len(big.rows)
	}
	for n := 0; n < len(big.rows); n += step {
		qa.change(t, content{header: big.header, rows: big.rows[:min(n+step, len(big.rows))]})
	}
	qa.check(t)
	loaded, err := s.Backend.Load(t.Context(), qa.ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	defer loaded.Close() //nolint:errcheck // it is only looked at
	want := int64(len(big.rows))
	if s.isDocuments() {
		want = int64(len(big.text()))
	}
	if loaded.Total != want && loaded.Total != -1 {
		t.Errorf("Total is %d, want %d or -1", loaded.Total, want)
	}
}

func orderIsStable(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(200))
	qa.change(t, qa.content.set(7, "answer", "changed").without(3))
	first, second := s.order(t, qa.ref), s.order(t, qa.ref)
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("row %d is %q in one load and %q in the next", i, first[i], second[i])
		}
	}
}

func (s *suite) order(t *testing.T, ref backends.Ref) []string {
	t.Helper()
	loaded, err := s.Backend.Load(t.Context(), ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	defer loaded.Close() //nolint:errcheck // it is only looked at
	var ids []string
	for r, err := range loaded.Rows {
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

func loadMayBeLeftEarly(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(500))
	for range 3 {
		loaded, err := s.Backend.Load(t.Context(), qa.ref)
		if err != nil {
			t.Fatalf("Load: %v", err)
		}
		if s.isDocuments() {
			if _, err := loaded.Document.Read(make([]byte, 10)); err != nil {
				t.Errorf("Read: %v", err)
			}
		} else {
			for _, err := range loaded.Rows {
				if err != nil {
					t.Errorf("the first row: %v", err)
				}
				break
			}
		}
		if err := loaded.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	qa.check(t)
}

// loadIsOfOneMoment: a change that comes while a load is read is in it as a
// whole or not at all, or the load fails.
func loadIsOfOneMoment(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2000))
	before := s.canonical(qa.content)
	loaded, err := s.Backend.Load(t.Context(), qa.ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	defer loaded.Close() //nolint:errcheck // read to the end below
	qa.change(t, qa.content.set(0, "answer", "new").set(1999, "answer", "new"))
	got, err := s.drain(loaded)
	if err != nil {
		return
	}
	if after := s.canonical(qa.content); got != before && got != after {
		t.Errorf("neither the old content nor the new one: %s", difference(got, before))
	}
}
