package integration

import (
	"encoding/csv"
	"path"
	"slices"
	"strings"
	"testing"
)

// Tests of what a save means run on several stores:
//
//	func TestX(t *testing.T) { onStores(t, testX) }
//
//	func testX(t *testing.T, store string) {
//		m := prepareOn(t, store, "write_back=200ms")
//		m.Seed(qa, tableOf(0, 1000))
//		m.Mount()
//		... m.Store(qa)
//	}
//
// A row store has its service in a process of its own. Its files show no row ids,
// so that a test writes and reads the same text on every store.

// seeder is a store that is not a root_dir.
type seeder interface {
	// seed makes a table of the store from CSV.
	seed(t testing.TB, name, content string)
	// held is a table of the store as CSV, rows in their order there.
	held(t testing.TB, name string) string
}

// prepareOn is prepare with a service of its own for the backends that need one.
func prepareOn(t testing.TB, source string, options ...string) *mounted {
	t.Helper()
	switch source {
	case "ragas/app":
		m, e := prepareRagas(t)
		// Rows are sent in the order of the file, so that the store has that order.
		m.options = append(append(m.options, "row_id=hide", "append_window=1"), options...)
		m.seeder = &ragasSeeder{peer: newPeer(t, e), e: e, projects: map[string]string{}, tables: map[string]string{}}
		return m
	case "box/csv":
		box := startBox(t)
		m := prepareBox(t, box, options...)
		m.seeder = box
		return m
	case "memory":
		return prepare(t, source, append([]string{"address=" + startMemory(t).Address, "row_id=hide"}, options...)...)
	}
	return prepare(t, source, options...)
}

// withIDs is for tests in which a row store's files show the row ids.
const withIDs = "row_id=show"

// mountOn is mount with a service of its own.
func mountOn(t testing.TB, source string, options ...string) *mounted {
	t.Helper()
	m := prepareOn(t, source, options...)
	m.Mount()
	return m
}

// onStores runs a test on document stores and on a row store.
func onStores(t *testing.T, test func(t *testing.T, store string)) {
	for _, store := range []string{"local/csv", "box/csv", "ragas/app"} {
		t.Run(store, func(t *testing.T) { test(t, store) })
	}
}

// ragasSeeder is an emulated Ragas service.
type ragasSeeder struct {
	peer     *peer
	e        *emulator
	projects map[string]string // paths by title
	tables   map[string]string // paths by PROJECT/KIND/NAME.csv
}

// peerTable is a table as another client has it.
type peerTable struct {
	*peer
	path string
}

// table is a table that was seeded.
func (s *ragasSeeder) table(t testing.TB, name string) peerTable {
	t.Helper()
	p := *s.peer
	p.t = t
	return peerTable{&p, s.tables[name]}
}

func (x peerTable) set(id, data string) { x.t.Helper(); x.peer.set(x.path, id, data) }
func (x peerTable) add(id, data string) { x.t.Helper(); x.row(x.path, id, data) }
func (x peerTable) remove(id string)    { x.t.Helper(); x.do("DELETE", x.path+"/rows/"+id, nil, nil) }

func (s *ragasSeeder) seed(t testing.TB, name, content string) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(content)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	project, kind, _ := splitName(name)
	if s.projects[project] == "" {
		s.projects[project] = s.peer.project(project)
	}
	var columns [][2]string
	for _, column := range records[0] {
		columns = append(columns, [2]string{column, "longText"})
	}
	table := s.peer.table(s.projects[project], kind, strings.TrimSuffix(path.Base(name), ".csv"), columnsOf(columns...))
	s.tables[name] = table
	for i, record := range records[1:] {
		data := map[string]string{}
		for j, cell := range record {
			data["c-"+records[0][j]] = cell
		}
		s.peer.do("POST", table+"/rows", map[string]any{"id": rowName(i), "data": data}, nil)
	}
}

// splitName takes PROJECT/KIND/NAME.csv apart.
func splitName(name string) (project, kind, table string) {
	parts := strings.SplitN(strings.TrimSuffix(name, ".csv"), "/", 3)
	return parts[0], parts[1], parts[2]
}

func (s *ragasSeeder) held(t testing.TB, name string) string {
	t.Helper()
	x, there := s.e.ragasState(t)[strings.TrimSuffix(name, ".csv")]
	if !there {
		t.Fatalf("the server has no %s", name)
	}
	slices.SortStableFunc(x.Columns, func(a, b ragasColumn) int { return int(a.Settings.Position - b.Settings.Position) })
	var b strings.Builder
	out := csv.NewWriter(&b)
	var header []string
	for _, c := range x.Columns {
		header = append(header, c.Name)
	}
	records := [][]string{header}
	for _, r := range x.Rows {
		var record []string
		for _, c := range header {
			record = append(record, shownAs(t, r.Cells[c]))
		}
		records = append(records, record)
	}
	if err := out.WriteAll(records); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
