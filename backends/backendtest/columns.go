package backendtest

import (
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// columnRules are those for changes of the header.
func columnRules() []rule {
	return []rule{
		{name: "ColumnIsAdded", check: columnIsAdded},
		{name: "ColumnIsDropped", check: columnIsDropped},
		{name: "ColumnIsRenamed", check: columnIsRenamed},
		{name: "ColumnChangesMayBeRepeated", check: columnChangesMayBeRepeated, needs: (*suite).isRows},
		{name: "ColumnsKeepTheirTypes", check: columnsKeepTheirTypes, needs: (*suite).isRows},
	}
}

// alter applies column changes together with the rows that lead to next.
func (s *subject) alter(t *testing.T, next content, columns ...table.ColumnChange) {
	t.Helper()
	batch := s.batch(next)
	batch.Changes.Columns = columns
	batch.Grows = -1
	result, err := s.suite.Backend.Apply(t.Context(), batch)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	demandApplied(t, batch, result)
	s.version, s.content = result.Version, next
	s.check(t)
}

func columnIsAdded(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	next := qa.content.clone()
	next.header = []string{"question", "note", "answer", "score"}
	for i, r := range next.rows {
		next.rows[i].cells = []string{r.cells[0], "note " + r.id, r.cells[1], r.cells[2]}
	}
	qa.alter(t, next, table.ColumnChange{Op: table.AddColumn, New: "note", Position: 1, Type: table.Text})
}

func columnIsDropped(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	next := qa.content.clone()
	next.header = []string{"question", "score"}
	for i, r := range next.rows {
		next.rows[i].cells = []string{r.cells[0], r.cells[2]}
	}
	batchOnly := table.ColumnChange{Op: table.DropColumn, Old: "answer", Position: 1}
	if s.isRows() { // the rows themselves have not changed
		for i := range qa.content.rows {
			qa.content.rows[i].cells = next.rows[i].cells
		}
		qa.content.header = next.header
	}
	qa.alter(t, next, batchOnly)
}

func columnIsRenamed(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	next := qa.content.clone()
	next.header = []string{"question", "response", "score"}
	next = next.set(1, "response", "and changed")
	qa.alter(t, next, table.ColumnChange{Op: table.RenameColumn, Old: "answer", New: "response", Position: 1})
}

func columnChangesMayBeRepeated(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(2))
	batch := backends.Batch{Ref: qa.ref, Grows: -1, Changes: table.Changes{
		OldHeader: columnNames, NewHeader: []string{"prompt", "answer", "note"},
		Columns: []table.ColumnChange{
			{Op: table.RenameColumn, Old: "question", New: "prompt"},
			{Op: table.DropColumn, Old: "score", Position: 2},
			{Op: table.AddColumn, New: "note", Position: 2, Type: table.Text},
		},
	}}
	for range 2 {
		result, err := s.Backend.Apply(t.Context(), batch)
		if err != nil {
			t.Fatalf("Apply: %v", err)
		}
		qa.version = result.Version
	}
	qa.content = content{header: batch.Changes.NewHeader, rows: []row{
		{id: "row000000", cells: []string{"question 0", "answer 0", ""}},
		{id: "row000001", cells: []string{"question 1", "answer 1", ""}},
	}}
	qa.check(t)
}

func columnsKeepTheirTypes(t *testing.T, s *suite) {
	types := []table.Type{table.Text, table.Number, table.Bool, table.Date, table.JSON}
	request := s.creation("qa", content{})
	for _, typ := range types {
		request.Columns = append(request.Columns, table.Column{Name: "as " + string(typ), Type: typ})
	}
	entry, err := s.Backend.Create(t.Context(), request)
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	loaded, err := s.Backend.Load(t.Context(), entry.Ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	defer loaded.Close() //nolint:errcheck // only its columns are looked at
	if len(loaded.Columns) != len(types) {
		t.Fatalf("%d columns, want %d", len(loaded.Columns), len(types))
	}
	ids := map[string]bool{}
	for i, column := range loaded.Columns {
		if column.Type != types[i] || column.Name != "as "+string(types[i]) {
			t.Errorf("column %d is %+v, want type %s", i, column, types[i])
		}
		if column.ID != "" && ids[column.ID] {
			t.Errorf("column id %q comes twice", column.ID)
		}
		ids[column.ID] = true
	}
}
