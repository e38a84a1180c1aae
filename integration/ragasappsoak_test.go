package integration

import (
	"slices"
	"strings"
	"testing"
)

// TestSoakRagasApp is the soak on a Ragas server.
func TestSoakRagasApp(t *testing.T) {
	t.Parallel()
	m, e := prepareRagas(t)
	m.options = append(m.options, "write_back=100ms", "delete_after=1s", "timeout=3s")
	m.Mount()
	s := newSoak(t, m)
	s.store = &ragasStore{e: e}
	s.openPushes, s.unanswered = s.kills/2, s.kills/5
	s.run()
}

// ragasStore is an emulated Ragas server seen from behind.
type ragasStore struct{ e *emulator }

func (s *ragasStore) tables(t testing.TB) (map[string][]string, bool) {
	t.Helper()
	all := map[string][]string{}
	for name, x := range s.e.ragasState(t) {
		slices.SortFunc(x.Columns, func(a, b ragasColumn) int { return int(a.Settings.Position - b.Settings.Position) })
		var header []string
		for _, c := range x.Columns {
			header = append(header, c.Name)
		}
		lines := []string{strings.Join(header, ",")}
		for _, row := range x.Rows {
			var cells []string
			for _, c := range header {
				cells = append(cells, shownAs(t, row.Cells[c]))
			}
			lines = append(lines, strings.Join(cells, ","))
		}
		all[strings.TrimPrefix(name, "p/datasets/")+".csv"] = lines
	}
	return all, false
}

// writesOfTables are the requests that change tables or rows.
const writesOfTables = `/datasets$|/datasets/[^/]+$|/rows`

func (s *ragasStore) prepare(t testing.TB, how meeting) {
	t.Helper()
	s.e.call(t, "DELETE", "/_emulator/calls", nil, nil)
	action := map[meeting]string{pushOpen: "stall", appliedUnanswered: "apply_then_drop"}[how]
	if action == "" {
		return
	}
	var rules []fault
	for _, method := range []string{"POST", "PATCH", "DELETE"} {
		rules = append(rules, fault{Method: method, Path: writesOfTables, Action: action})
	}
	if how == appliedUnanswered {
		// What became of it can't be looked up either before the kill. A look at a
		// row before it is changed goes through.
		rules = append(rules, fault{Method: "GET", Path: `/datasets$`, Action: "stall"}, fault{Method: "GET", Path: `/rows/`, Skip: 1, Action: "stall"})
	}
	s.e.faults(t, rules...)
}

func (s *ragasStore) ready(t testing.TB, m *mounted, how meeting) bool {
	t.Helper()
	return s.e.met(t, m, how)
}

func (s *ragasStore) calm(t testing.TB) {
	t.Helper()
	s.e.call(t, "DELETE", "/_emulator/faults", nil, nil)
}
