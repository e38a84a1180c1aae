package backendtest

import (
	"errors"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// rowRules are those for stores of rows, which know them by id.
func rowRules() []rule {
	putsRows := func(s *suite) bool { return s.PutRow != nil }
	return []rule{
		{name: "EveryChangeHasAnOutcome", check: everyChangeHasAnOutcome, needs: (*suite).isRows},
		{name: "RepeatedAppendIsApplied", check: repeatedAppendIsApplied, needs: (*suite).isRows},
		{name: "IdIsTakenOnce", check: idIsTakenOnce, needs: (*suite).isRows},
		{name: "UpdateOfNoRowIsRefused", check: updateOfNoRowIsRefused, needs: (*suite).isRows},
		{name: "DeleteOfNoRowIsApplied", check: deleteOfNoRowIsApplied, needs: (*suite).isRows},
		{name: "UpdateSetsOnlyWhatDiffers", check: updateSetsOnlyWhatDiffers, needs: (*suite).isRows},
		{name: "UnknownColumnsSurvive", check: unknownColumnsSurvive, needs: (*suite).isRows},
		{name: "UnknownCellsSurvive", check: unknownCellsSurvive, needs: putsRows},
		{name: "EmptyBatchIsGood", check: emptyBatchIsGood, needs: (*suite).isRows},
	}
}

// send applies row changes without a base.
func (s *subject) send(t *testing.T, changes ...table.Change) []backends.Outcome {
	t.Helper()
	result, err := s.suite.Backend.Apply(t.Context(), backends.Batch{
		Ref: s.ref, Grows: -1,
		Changes: table.Changes{OldHeader: s.content.header, NewHeader: s.content.header, Rows: changes},
	})
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	if len(result.Outcomes) != len(changes) {
		t.Fatalf("%d outcomes for %d changes", len(result.Outcomes), len(changes))
	}
	s.version = result.Version
	return result.Outcomes
}

func appendOf(id string, cells ...string) table.Change {
	return table.Change{Op: table.Append, Key: table.Key(id), After: cells}
}

func demandVerdict(t *testing.T, o backends.Outcome, want backends.Verdict, wantErr error) {
	t.Helper()
	if o.Verdict != want || !errors.Is(o.Err, wantErr) {
		t.Errorf("outcome is %d with error %v; want %d with %v", o.Verdict, o.Err, want, wantErr)
	}
}

// everyChangeHasAnOutcome: good changes are made, whatever becomes of others.
func everyChangeHasAnOutcome(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	outcomes := qa.send(t,
		appendOf("new1", "a", "b", "c"),
		table.Change{Op: table.Update, Key: "nobody", Before: []string{"", "", ""}, After: []string{"x", "y", "z"}},
		appendOf("row000000", "taken", "by", "another"),
		table.Change{
			Op: table.Update, Key: "row000001",
			Before: qa.content.rows[1].cells, After: []string{"question 1", "better", "1"},
		},
		table.Change{Op: table.Delete, Key: "row000002", Before: qa.content.rows[2].cells},
		appendOf("new2", "d", "e", "f"),
	)
	demandVerdict(t, outcomes[0], backends.Applied, nil)
	demandVerdict(t, outcomes[1], backends.Refused, backends.ErrNotFound)
	demandVerdict(t, outcomes[2], backends.Refused, backends.ErrExists)
	demandVerdict(t, outcomes[3], backends.Applied, nil)
	demandVerdict(t, outcomes[4], backends.Applied, nil)
	demandVerdict(t, outcomes[5], backends.Applied, nil)
	qa.content = qa.content.set(1, "answer", "better").without(2).with(
		row{id: "new1", cells: []string{"a", "b", "c"}}, row{id: "new2", cells: []string{"d", "e", "f"}})
	qa.check(t)
}

func repeatedAppendIsApplied(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	for range 2 {
		demandVerdict(t, qa.send(t, appendOf("new", "a", "", "c"))[0], backends.Applied, nil)
	}
	qa.content = qa.content.with(row{id: "new", cells: []string{"a", "", "c"}})
	qa.check(t)
}

func idIsTakenOnce(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	demandVerdict(t, qa.send(t, appendOf("row000000", "a", "b", "c"))[0], backends.Refused, backends.ErrExists)
	qa.check(t)
}

func updateOfNoRowIsRefused(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	update := table.Change{Op: table.Update, Key: "nobody", Before: []string{"", "", ""}, After: []string{"a", "b", "c"}}
	demandVerdict(t, qa.send(t, update)[0], backends.Refused, backends.ErrNotFound)
	qa.check(t)
}

func deleteOfNoRowIsApplied(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	demandVerdict(t, qa.send(t, table.Change{Op: table.Delete, Key: "nobody"})[0], backends.Applied, nil)
	qa.check(t)
}

// updateSetsOnlyWhatDiffers: cells that others changed in the same row stay.
func updateSetsOnlyWhatDiffers(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2))
	before := qa.content.rows[0].cells
	theirs := table.Change{Op: table.Update, Key: "row000000", Before: before, After: []string{before[0], "theirs", before[2]}}
	ours := table.Change{Op: table.Update, Key: "row000000", Before: before, After: []string{before[0], before[1], "ours"}}
	demandVerdict(t, qa.send(t, theirs)[0], backends.Applied, nil)
	demandVerdict(t, qa.send(t, ours)[0], backends.Applied, nil)
	qa.content = qa.content.set(0, "answer", "theirs").set(0, "score", "ours")
	qa.check(t)
}

// unknownColumnsSurvive: a caller that knows some of the columns changes those.
func unknownColumnsSurvive(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2))
	narrow := *qa
	narrow.content = content{header: []string{"answer"}}
	update := table.Change{Op: table.Update, Key: "row000001", Before: []string{"answer 1"}, After: []string{"better"}}
	demandVerdict(t, narrow.send(t, update)[0], backends.Applied, nil)
	demandVerdict(t, narrow.send(t, appendOf("new", "only this"))[0], backends.Applied, nil)
	qa.version = narrow.version
	qa.content = qa.content.set(1, "answer", "better").with(row{id: "new", cells: []string{"", "only this", ""}})
	qa.check(t)
}

// unknownCellsSurvive: so do values that came another way, in columns of which
// the caller has never heard.
func unknownCellsSurvive(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2))
	s.PutRow(t, qa.ref, "row000000", map[string]backends.Cell{"hidden": {Text: "precious"}})
	before := qa.content.rows[0].cells
	update := table.Change{Op: table.Update, Key: "row000000", Before: before, After: []string{before[0], "better", before[2]}}
	demandVerdict(t, qa.send(t, update)[0], backends.Applied, nil)
	demandCells(t, s, qa.ref, "row000000", map[string]backends.Cell{
		"hidden": {Text: "precious"}, "answer": {Text: "better"}, "question": {Text: before[0]},
	})
}

func emptyBatchIsGood(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2))
	before := qa.version
	qa.send(t)
	if qa.version != before {
		t.Errorf("no change made version %q of %q", qa.version, before)
	}
	qa.check(t)
}
