package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// suite is one store with a project, and the words in which rules are written.
type suite struct {
	Store
	h       Harness
	project backends.Ref
}

func newSuite(t *testing.T, h Harness) *suite {
	t.Helper()
	s := &suite{Store: h.New(t), h: h}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if h.Project != "" {
		s.project = backends.Ref{Project: h.Project}
		return s
	}
	s.project = s.makeProject(t, "demo")
	return s
}

func (s *suite) isRows() bool      { return s.Properties.Form == backends.Rows }
func (s *suite) isDocuments() bool { return s.Properties.Form == backends.Documents }
func (s *suite) swaps() bool       { return s.Properties.CompareAndSwap }
func (s *suite) hasProjects() bool { return s.h.Project == "" }
func (s *suite) injects() bool     { return s.Inject != nil }

func (s *suite) makeProject(t *testing.T, name string) backends.Ref {
	t.Helper()
	entry, err := s.Backend.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: name}})
	if err != nil {
		t.Fatalf("create project %q: %v", name, err)
	}
	if entry.Ref.Project != name {
		t.Fatalf("created project is called %q, not %q", entry.Ref.Project, name)
	}
	return entry.Ref
}

// row is a row as the kit thinks of it.
type row struct {
	id    string
	cells []string
}

// content is a table's columns and rows.
type content struct {
	header []string
	rows   []row
}

// columnNames are those of every table that a rule does not care about.
var columnNames = []string{"question", "answer", "score"}

// sample returns n different rows.
func sample(n int) content {
	c := content{header: columnNames}
	for i := range n {
		c.rows = append(c.rows, row{
			id:    fmt.Sprintf("row%06d", i),
			cells: []string{fmt.Sprintf("question %d", i), fmt.Sprintf("answer %d", i), fmt.Sprint(i)},
		})
	}
	return c
}

func (c content) clone() content {
	rows := make([]row, len(c.rows))
	for i, r := range c.rows {
		rows[i] = row{id: r.id, cells: slices.Clone(r.cells)}
	}
	return content{header: slices.Clone(c.header), rows: rows}
}

// with returns the content with rows added at the end.
func (c content) with(rows ...row) content {
	c = c.clone()
	c.rows = append(c.rows, rows...)
	return c
}

// set returns the content with one cell changed.
func (c content) set(i int, column, text string) content {
	c = c.clone()
	c.rows[i].cells[slices.Index(c.header, column)] = text
	return c
}

// without returns the content without one row.
func (c content) without(i int) content {
	c = c.clone()
	c.rows = slices.Delete(c.rows, i, i+1)
	return c
}

// text is the content as a document, with the ids in the first column.
func (c content) text() string {
	var b strings.Builder
	write := func(id string, cells []string) {
		for i, cell := range append([]string{id}, cells...) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + strings.ReplaceAll(cell, `"`, `""`) + `"`)
		}
		b.WriteString("\r\n")
	}
	write(table.RowIDColumn, c.header)
	for _, r := range c.rows {
		write(r.id, r.cells)
	}
	return b.String()
}

// changes leads from one content to another, by id.
func changes(old, next content) table.Changes {
	c := table.Changes{OldHeader: old.header, NewHeader: next.header}
	known := map[string]row{}
	for _, r := range old.rows {
		known[r.id] = r
	}
	kept := map[string]bool{}
	for _, r := range next.rows {
		kept[r.id] = true
		before, there := known[r.id]
		switch {
		case !there:
			c.Rows = append(c.Rows, table.Change{Op: table.Append, Key: table.Key(r.id), After: r.cells})
		case !slices.Equal(before.cells, r.cells):
			c.Rows = append(c.Rows, table.Change{Op: table.Update, Key: table.Key(r.id), Before: before.cells, After: r.cells})
		}
	}
	for _, r := range old.rows {
		if !kept[r.id] {
			c.Rows = append(c.Rows, table.Change{Op: table.Delete, Key: table.Key(r.id), Before: r.cells})
		}
	}
	return c
}

// subject is a table in the store, and what the kit thinks is in it.
type subject struct {
	suite   *suite
	ref     backends.Ref
	version backends.Version
	content content
}

// table makes a table with a content.
func (s *suite) table(t *testing.T, name string, c content) *subject {
	t.Helper()
	empty := content{header: c.header}
	entry, err := s.Backend.Create(t.Context(), s.creation(name, empty))
	if err != nil {
		t.Fatalf("create table %q: %v", name, err)
	}
	subject := &subject{suite: s, ref: entry.Ref, version: entry.Version, content: empty}
	if len(c.rows) > 0 {
		subject.change(t, c)
	}
	return subject
}

// creation is the request for a table among the datasets.
func (s *suite) creation(name string, c content) backends.Create {
	ref := s.project
	ref.Kind, ref.Name = backends.Datasets, name
	request := backends.Create{Ref: ref, Nonce: "nonce-1"}
	for _, column := range c.header {
		request.Columns = append(request.Columns, table.Column{Name: column, Type: table.Text})
	}
	if s.isDocuments() {
		request.Document = document(c.text())
	}
	return request
}

// batch is what leads to next. Where next begins with all of the present
// content it only grows.
func (s *subject) batch(next content) backends.Batch {
	batch := backends.Batch{Ref: s.ref, Base: s.version, Changes: changes(s.content, next), Grows: -1}
	if s.suite.isDocuments() {
		old, text := s.content.text(), next.text()
		batch.Document = document(text)
		if strings.HasPrefix(text, old) {
			batch.Grows = int64(len(old))
		}
	}
	return batch
}

// change applies what leads to next and demands that all of it is applied.
func (s *subject) change(t *testing.T, next content) backends.Result {
	t.Helper()
	batch := s.batch(next)
	result, err := s.suite.Backend.Apply(t.Context(), batch)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	demandApplied(t, batch, result)
	s.version, s.content = result.Version, next
	return result
}

func demandApplied(t *testing.T, batch backends.Batch, result backends.Result) {
	t.Helper()
	if result.Outcomes == nil && batch.Document.Open != nil {
		return // a document is there as a whole
	}
	if len(result.Outcomes) != len(batch.Changes.Rows) {
		t.Fatalf("Apply answered %d outcomes for %d changes", len(result.Outcomes), len(batch.Changes.Rows))
	}
	for i, o := range result.Outcomes {
		if o.Verdict != backends.Applied || o.Err != nil {
			t.Errorf("change %d (%s): verdict %d, error %v; want applied", i, batch.Changes.Rows[i].Key, o.Verdict, o.Err)
		}
	}
}

// check loads the table and demands that it is what the kit thinks.
func (s *subject) check(t *testing.T) {
	t.Helper()
	got, version, err := s.suite.load(t.Context(), s.ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if want := s.suite.canonical(s.content); got != want {
		t.Errorf("content:\n%s", difference(got, want))
	}
	// Where the store compares no versions, the last change may have had none to give.
	if s.suite.swaps() && version != s.version {
		t.Errorf("Load gives version %q, the last change gave %q", version, s.version)
	}
}

// load returns a table in the canonical form of the store: the document, or
// the rows as one.
func (s *suite) load(ctx context.Context, ref backends.Ref) (string, backends.Version, error) {
	loaded, err := s.Backend.Load(ctx, ref)
	if err != nil {
		return "", "", err
	}
	text, err := s.drain(loaded)
	return text, loaded.Version, errors.Join(err, loaded.Close())
}

func (s *suite) drain(loaded *backends.Loaded) (string, error) {
	if s.isDocuments() {
		bytes, err := io.ReadAll(loaded.Document)
		return string(bytes), err
	}
	c := content{}
	for _, column := range loaded.Columns {
		c.header = append(c.header, column.Name)
	}
	for r, err := range loaded.Rows {
		if err != nil {
			return "", err
		}
		cells := make([]string, len(c.header))
		for i, cell := range r.Cells {
			cells[i] = cell.Text
		}
		c.rows = append(c.rows, row{id: r.ID, cells: cells})
	}
	return s.canonical(c), nil
}

// canonical is the text in which contents are compared: the rows of a row store
// by id, since their order is the store's.
func (s *suite) canonical(c content) string {
	if s.isRows() {
		c = c.clone()
		slices.SortFunc(c.rows, func(a, b row) int { return strings.Compare(a.id, b.id) })
	}
	return c.text()
}

// names lists a project as "KIND/NAME", sorted.
func (s *suite) names(t *testing.T, scope backends.Ref) []string {
	t.Helper()
	names := []string{}
	for _, e := range s.list(t, scope) {
		name := e.Ref.Project
		if e.Ref.IsTable() {
			name = string(e.Ref.Kind) + "/" + e.Ref.Name
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (s *suite) list(t *testing.T, scope backends.Ref) []backends.Entry {
	t.Helper()
	entries, err := s.Backend.List(t.Context(), scope)
	if err != nil {
		t.Fatalf("List %s: %v", scope, err)
	}
	return entries
}

// find returns the entry of a table in a listing.
func (s *suite) find(t *testing.T, ref backends.Ref) (backends.Entry, bool) {
	t.Helper()
	for _, e := range s.list(t, s.project) {
		if e.Ref.Kind == ref.Kind && e.Ref.Name == ref.Name {
			return e, true
		}
	}
	return backends.Entry{}, false
}

func demandNames(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func demandError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v; want one that is %q", what, err, want)
	}
}

// difference shows two contents from where they differ.
func difference(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	const around = 60
	show := func(s string) string {
		return fmt.Sprintf("%q", s[max(0, min(i-around, len(s))):min(len(s), i+around)])
	}
	return fmt.Sprintf("at byte %d of %d (want %d):\n got  %s\n want %s", i, len(got), len(want), show(got), show(want))
}
