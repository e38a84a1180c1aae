package backendtest

import (
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

func tableRules() []rule {
	return []rule{
		{name: "TablesAreListed", check: tablesAreListed},
		{name: "ListingSaysWhatCreateSaid", check: listingSaysWhatCreateSaid},
		{name: "TableNameIsTakenOnce", check: tableNameIsTakenOnce},
		{name: "TableNeedsItsProject", check: tableNeedsItsProject, needs: (*suite).hasProjects},
		{name: "TableNeedsAKind", check: tableNeedsAKind},
		{name: "DeletedTableIsGone", check: deletedTableIsGone},
		{name: "DeletingNoTableIsGood", check: deletingNoTableIsGood},
		{name: "StaleDeleteIsAConflict", check: staleDeleteIsAConflict, needs: (*suite).swaps},
		{name: "NameMayBeUsedAgain", check: nameMayBeUsedAgain},
		{name: "StrangeTableNames", check: strangeTableNames},
	}
}

func tablesAreListed(t *testing.T, s *suite) {
	s.table(t, "qa", sample(1))
	s.table(t, "facts", sample(0))
	request := s.creation("qa", content{header: columnNames})
	request.Ref.Kind = backends.Experiments
	if _, err := s.Backend.Create(t.Context(), request); err != nil {
		t.Fatalf("the same name among the experiments: %v", err)
	}
	demandNames(t, s.names(t, s.project), "datasets/facts", "datasets/qa", "experiments/qa")
}

func listingSaysWhatCreateSaid(t *testing.T, s *suite) {
	entry, err := s.Backend.Create(t.Context(), s.creation("qa", content{header: columnNames}))
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	listed, there := s.find(t, entry.Ref)
	if !there {
		t.Fatal("a new table is not listed")
	}
	if listed.Ref != entry.Ref || listed.Version != entry.Version || listed.Size != entry.Size || listed.Rows != entry.Rows {
		t.Errorf("listed %+v, created %+v", listed, entry)
	}
	if s.swaps() && entry.Version == "" {
		t.Error("a store that compares versions gives a new table none")
	}
}

func tableNameIsTakenOnce(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	_, err := s.Backend.Create(t.Context(), s.creation("qa", content{header: []string{"other"}}))
	demandError(t, "create a table again", err, backends.ErrExists)
	qa.check(t)
}

func tableNeedsItsProject(t *testing.T, s *suite) {
	request := s.creation("qa", content{header: columnNames})
	request.Ref.Project, request.Ref.ProjectID = "never was", ""
	_, err := s.Backend.Create(t.Context(), request)
	demandError(t, "create a table in no project", err, backends.ErrNotFound)
}

func tableNeedsAKind(t *testing.T, s *suite) {
	request := s.creation("qa", content{header: columnNames})
	request.Ref.Kind = "elsewhere"
	_, err := s.Backend.Create(t.Context(), request)
	demandError(t, "create a table of no kind", err, backends.ErrRefused)
	demandNames(t, s.names(t, s.project))
}

func deletedTableIsGone(t *testing.T, s *suite) {
	qa, other := s.table(t, "qa", sample(3)), s.table(t, "other", sample(3))
	if err := s.Backend.Delete(t.Context(), qa.ref, qa.version); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	demandNames(t, s.names(t, s.project), "datasets/other")
	_, _, err := s.load(t.Context(), qa.ref)
	demandError(t, "load a deleted table", err, backends.ErrNotFound)
	_, err = s.Backend.Apply(t.Context(), qa.batch(qa.content.without(0)))
	demandError(t, "change a deleted table", err, backends.ErrNotFound)
	other.check(t)
}

func deletingNoTableIsGood(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(0))
	for range 2 {
		if err := s.Backend.Delete(t.Context(), qa.ref, qa.version); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	ref := s.project
	ref.Kind, ref.Name = backends.Datasets, "never was"
	if err := s.Backend.Delete(t.Context(), ref, ""); err != nil {
		t.Errorf("delete a table that never was: %v", err)
	}
}

func staleDeleteIsAConflict(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	stale := qa.version
	qa.change(t, qa.content.set(1, "answer", "better"))
	demandError(t, "delete at an old version", s.Backend.Delete(t.Context(), qa.ref, stale), backends.ErrConflict)
	qa.check(t)
}

func nameMayBeUsedAgain(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	if err := s.Backend.Delete(t.Context(), qa.ref, ""); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	again := s.table(t, "qa", content{header: []string{"other"}})
	again.check(t)
	if s.swaps() && again.version == qa.version {
		t.Errorf("a new table has the version %q of the one that had its name before", qa.version)
	}
}

func strangeTableNames(t *testing.T, s *suite) {
	want := []string{}
	for _, name := range []string{"with space", "ünï €", "a%2Fb", "q?x=1&y#z", "v1.2", "rows", "100%", "a:b+c"} {
		s.table(t, name, sample(1)).check(t)
		want = append(want, "datasets/"+name)
	}
	demandNames(t, s.names(t, s.project), want...)
}
