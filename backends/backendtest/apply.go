package backendtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// applyRules are those for every store.
func applyRules() []rule {
	return []rule{
		{name: "AppendUpdateDelete", check: appendUpdateDelete},
		{name: "SmallChangesInABigTable", check: smallChangesInABigTable},
		{name: "LastRowMayGo", check: lastRowMayGo},
		{name: "RepeatChangesNothing", check: repeatChangesNothing},
		{name: "StaleBaseIsAConflict", check: staleBaseIsAConflict, needs: (*suite).swaps},
		{name: "EveryChangeIsANewVersion", check: everyChangeIsANewVersion, needs: (*suite).swaps},
		{name: "NoBaseIsNoCheck", check: noBaseIsNoCheck},
		{name: "TablesAreIndependent", check: tablesAreIndependent},
		{name: "MissingTableIsNotMade", check: missingTableIsNotMade},
	}
}

func appendUpdateDelete(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(10))
	added := row{id: "added", cells: []string{"new", "row", "11"}}
	qa.change(t, qa.content.with(added))
	qa.check(t)
	qa.change(t, qa.content.set(4, "answer", "updated"))
	qa.check(t)
	qa.change(t, qa.content.without(2))
	qa.check(t)
	more := row{id: "more", cells: []string{"x", "", "z"}}
	qa.change(t, qa.content.set(0, "question", "").set(1, "score", "0.5").without(5).with(more))
	qa.check(t)
}

func smallChangesInABigTable(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1000))
	for i := range 20 {
		next := qa.content.set(i*37, "answer", fmt.Sprintf("edit %d", i)).without(900 - i)
		qa.change(t, next.with(row{id: fmt.Sprintf("late%d", i), cells: []string{"q", "a", "s"}}))
	}
	qa.check(t)
}

func lastRowMayGo(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	qa.change(t, content{header: qa.content.header})
	qa.check(t)
}

// repeatChangesNothing: a batch whose answer was lost is sent again.
func repeatChangesNothing(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(10))
	added := row{id: "added", cells: []string{"new", "row", "11"}}
	batch := qa.batch(qa.content.set(4, "answer", "updated").without(2).with(added))
	next := qa.content.set(4, "answer", "updated").without(2).with(added)
	first, err := s.Backend.Apply(t.Context(), batch)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	demandApplied(t, batch, first)
	qa.content, qa.version = next, first.Version
	for range 2 {
		again, err := s.Backend.Apply(t.Context(), batch)
		switch {
		case s.swaps():
			demandError(t, "the same batch again", err, backends.ErrConflict)
		case err != nil:
			t.Errorf("the same batch again: %v", err)
		default:
			demandApplied(t, batch, again)
		}
		qa.check(t)
	}
}

func staleBaseIsAConflict(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(10))
	stale := *qa
	qa.change(t, qa.content.set(0, "answer", "theirs"))
	for name, next := range map[string]content{
		"append": stale.content.with(row{id: "x", cells: []string{"a", "b", "c"}}),
		"update": stale.content.set(5, "answer", "ours"),
		"delete": stale.content.without(5),
	} {
		_, err := s.Backend.Apply(t.Context(), stale.batch(next))
		demandError(t, name+" at an old version", err, backends.ErrConflict)
	}
	qa.check(t)
}

func everyChangeIsANewVersion(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	seen := []backends.Version{qa.version}
	for _, next := range []content{
		qa.content.set(0, "answer", "1"),
		qa.content.set(0, "answer", "2"), // the same size
		qa.content.set(0, "answer", "1"), // as it was before
		qa.content.set(0, "answer", "1").with(row{id: "x", cells: []string{"a", "b", "c"}}),
	} {
		qa.change(t, next)
		if qa.version == "" {
			qa.version = s.entryOf(t, qa.ref).Version
		}
		if slices.Contains(seen, qa.version) {
			t.Errorf("version %q comes twice", qa.version)
		}
		seen = append(seen, qa.version)
		if listed := s.entryOf(t, qa.ref).Version; listed != qa.version {
			t.Errorf("List gives version %q, Apply gave %q", listed, qa.version)
		}
	}
}

func (s *suite) entryOf(t *testing.T, ref backends.Ref) backends.Entry {
	t.Helper()
	entry, there := s.find(t, ref)
	if !there {
		t.Fatalf("%s is not listed", ref)
	}
	return entry
}

func noBaseIsNoCheck(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	qa.version = ""
	qa.change(t, qa.content.set(0, "answer", "new"))
	qa.check(t)
}

func tablesAreIndependent(t *testing.T, s *suite) {
	a, b := s.table(t, "a", sample(5)), s.table(t, "b", sample(5))
	a.change(t, a.content.set(1, "answer", "only in a").without(3))
	b.check(t)
	b.change(t, b.content.without(0))
	a.check(t)
	b.check(t)
}

func missingTableIsNotMade(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	never := *qa
	never.ref.Name, never.ref.ID, never.version = "never was", "", ""
	if s.isRows() && qa.ref.ID != "" {
		never.ref.ID = "no-such-id"
	}
	_, err := s.Backend.Apply(t.Context(), never.batch(never.content.without(0)))
	demandError(t, "change a table that is not there", err, backends.ErrNotFound)
	demandNames(t, s.names(t, s.project), "datasets/qa")
}
