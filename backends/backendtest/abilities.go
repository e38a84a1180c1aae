package backendtest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// abilityRules are those for the optional interfaces.
func abilityRules() []rule {
	return []rule{
		{name: "RenameKeepsTheContent", check: renameKeepsTheContent, needs: can[backends.Renamer]},
		{name: "RenameTakesNoName", check: renameTakesNoName, needs: can[backends.Renamer]},
		{name: "RenameNeedsItsTable", check: renameNeedsItsTable, needs: can[backends.Renamer]},
		{name: "ProjectIsRenamed", check: projectIsRenamed, needs: func(s *suite) bool {
			return can[backends.Renamer](s) && s.Properties.RenameProject
		}},
		{name: "ProbeSaysWhatListSays", check: probeSaysWhatListSays, needs: can[backends.Prober]},
		{name: "ProbeOfNoTable", check: probeOfNoTable, needs: can[backends.Prober]},
		{name: "GetsRowsThatAreThere", check: getsRows, needs: can[backends.RowGetter]},
		{name: "FindsRowsByField", check: findsRows, needs: can[backends.Finder]},
		{name: "WatchReportsChanges", check: watchReportsChanges, needs: can[backends.Watcher]},
	}
}

func can[A any](s *suite) bool {
	_, able := s.Backend.(A)
	return able
}

func as[A any](t *testing.T, s *suite) A {
	t.Helper()
	ability, able := s.Backend.(A)
	if !able {
		t.Fatal("the backend lacks the ability") // needs has made sure
	}
	return ability
}

func renameKeepsTheContent(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(5))
	entry, err := as[backends.Renamer](t, s).Rename(t.Context(), qa.ref, "answers")
	if err != nil {
		t.Fatalf("Rename: %v", err)
	}
	if entry.Ref.Name != "answers" || entry.Ref.Kind != qa.ref.Kind || entry.Ref.ID != qa.ref.ID {
		t.Errorf("renamed to %+v", entry.Ref)
	}
	demandNames(t, s.names(t, s.project), "datasets/answers")
	qa.ref, qa.version = entry.Ref, entry.Version
	qa.check(t)
	qa.change(t, qa.content.without(1))
	qa.check(t)
}

func renameTakesNoName(t *testing.T, s *suite) {
	qa, other := s.table(t, "qa", sample(5)), s.table(t, "other", sample(2))
	_, err := as[backends.Renamer](t, s).Rename(t.Context(), qa.ref, "other")
	demandError(t, "rename onto a table", err, backends.ErrExists)
	qa.check(t)
	other.check(t)
}

func renameNeedsItsTable(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	if err := s.Backend.Delete(t.Context(), qa.ref, ""); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	_, err := as[backends.Renamer](t, s).Rename(t.Context(), qa.ref, "other")
	demandError(t, "rename a table that is gone", err, backends.ErrNotFound)
}

func projectIsRenamed(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(5))
	s.makeProject(t, "taken")
	renamer := as[backends.Renamer](t, s)
	_, err := renamer.Rename(t.Context(), s.project, "taken")
	demandError(t, "rename a project onto another", err, backends.ErrExists)
	entry, err := renamer.Rename(t.Context(), s.project, "renamed")
	if err != nil {
		t.Fatalf("Rename: %v", err)
	}
	demandNames(t, s.names(t, backends.Ref{}), "renamed", "taken")
	qa.ref.Project, qa.ref.ProjectID = entry.Ref.Project, entry.Ref.ProjectID
	qa.check(t)
}

func probeSaysWhatListSays(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(5))
	prober := as[backends.Prober](t, s)
	first, err := prober.Probe(t.Context(), qa.ref)
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	listed := s.entryOf(t, qa.ref)
	if s.swaps() && first.Version != listed.Version || first.Ref != listed.Ref || differ(first.Size, listed.Size) || differ(first.Rows, listed.Rows) {
		t.Errorf("probed %+v, listed %+v", first, listed)
	}
	qa.change(t, qa.content.set(0, "answer", "new"))
	second, err := prober.Probe(t.Context(), qa.ref)
	if err != nil {
		t.Fatalf("Probe: %v", err)
	}
	if s.swaps() && (second.Version == first.Version || second.Version != qa.version) {
		t.Errorf("version %q before the change, %q after it; the change gave %q", first.Version, second.Version, qa.version)
	}
}

// differ compares what both a probe and a listing may leave open.
func differ(a, b int64) bool { return a >= 0 && b >= 0 && a != b }

func probeOfNoTable(t *testing.T, s *suite) {
	ref := s.project
	ref.Kind, ref.Name = backends.Datasets, "never was"
	_, err := as[backends.Prober](t, s).Probe(t.Context(), ref)
	demandError(t, "probe a table that is not there", err, backends.ErrNotFound)
}

func getsRows(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(50))
	columns := []table.Column{{Name: "score"}, {Name: "question"}}
	rows, err := as[backends.RowGetter](t, s).GetRows(t.Context(), qa.ref, columns, []string{"row000007", "nobody", "row000042"})
	if err != nil {
		t.Fatalf("GetRows: %v", err)
	}
	got := map[string][]backends.Cell{}
	for _, r := range rows {
		got[r.ID] = r.Cells
	}
	want := map[string][]backends.Cell{
		"row000007": {{Text: "7"}, {Text: "question 7"}},
		"row000042": {{Text: "42"}, {Text: "question 42"}},
	}
	if len(rows) != len(want) {
		t.Errorf("%d rows, want %d", len(rows), len(want))
	}
	for id, cells := range want {
		if !slices.Equal(got[id], cells) {
			t.Errorf("row %s: %+v, want %+v", id, got[id], cells)
		}
	}
}

func findsRows(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(50).set(3, "answer", "it's").set(33, "answer", "it's"))
	finder := as[backends.Finder](t, s)
	rows, columns, err := finder.Find(t.Context(), qa.ref, "answer", "it's")
	if err != nil {
		t.Fatalf("Find: %v", err)
	}
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
		if len(r.Cells) > len(columns) {
			t.Errorf("row %s has %d cells for %d columns", r.ID, len(r.Cells), len(columns))
		}
	}
	slices.Sort(ids)
	if want := []string{"row000003", "row000033"}; !slices.Equal(ids, want) {
		t.Errorf("found %v, want %v", ids, want)
	}
	rows, _, err = finder.Find(t.Context(), qa.ref, "answer", "it")
	if err != nil || len(rows) != 0 {
		t.Errorf("a part of a cell finds %d rows, error %v", len(rows), err)
	}
}

func watchReportsChanges(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	changed := make(chan backends.Ref)
	ended := make(chan error, 1)
	go func() {
		ended <- as[backends.Watcher](t, s).Watch(ctx, func(ref backends.Ref) {
			select {
			case changed <- ref:
			case <-ctx.Done():
			}
		})
	}()
	// Watch may begin late: the table is changed until it is reported.
	deadline := time.After(patience)
	for i := 0; ; i++ {
		qa.change(t, qa.content.set(0, "answer", string(rune('a'+i%26))))
		select {
		case ref := <-changed:
			if ref.Project != "" && ref.Project != s.project.Project {
				continue
			}
			if !ref.IsTable() || ref.Name == "qa" {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Watch: %v after it was cancelled, want nil", err)
				}
				return
			}
		case err := <-ended:
			t.Fatalf("Watch ended: %v", err)
		case <-deadline:
			t.Fatal("no change was reported")
		case <-time.After(patience / 1000):
		}
	}
}
