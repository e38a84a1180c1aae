package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const ragasToken = "test-token"

// prepareRagas starts the emulated Ragas API and prepares a mount of it. What is
// held open or edited is not looked at in between (ttl=1h): every call is one that
// the test's own doing needs.
func prepareRagas(t testing.TB, flags ...string) (*mounted, *emulator) {
	t.Helper()
	e := startEmulator(t, "ragas/app", "127.0.0.1:0", append([]string{"--token", ragasToken}, flags...)...)
	m := prepare(t, "ragas/app")
	writeKey(t, m.keyFile(), ragasToken)
	m.options = []string{"api_url=http://" + e.Address, "api_key_file=" + m.keyFile(), "write_back=200ms", "max_retries=1", "ttl=1h"}
	return m, e
}

// keyFile is the file with the API key.
func (m *mounted) keyFile() string { return filepath.Join(m.temp, "key") }

// mountRagas starts the emulated Ragas API and mounts it.
func mountRagas(t testing.TB, flags ...string) (*mounted, *emulator) {
	t.Helper()
	m, e := prepareRagas(t, flags...)
	m.Mount()
	return m, e
}

// ragasTables are the cells of every row that the emulator holds, as JSON by
// column name, by PROJECT/KIND/NAME.
func (e *emulator) ragasTables(t *testing.T) map[string][]map[string]json.RawMessage {
	t.Helper()
	type table struct {
		Name string
		Rows []struct{ Cells map[string]json.RawMessage }
	}
	var state struct {
		Projects []struct {
			Title                 string
			Datasets, Experiments []table
		}
	}
	e.call(t, "GET", "/_emulator/state", nil, &state)
	tables := map[string][]map[string]json.RawMessage{}
	for _, p := range state.Projects {
		for kind, list := range map[string][]table{"datasets": p.Datasets, "experiments": p.Experiments} {
			for _, x := range list {
				rows := []map[string]json.RawMessage{}
				for _, r := range x.Rows {
					rows = append(rows, r.Cells)
				}
				tables[p.Title+"/"+kind+"/"+x.Name] = rows
			}
		}
	}
	return tables
}

// appendLines adds lines to a table, with an empty id where it shows ids: it
// shows them from its first reload on.
func (m *mounted) appendLines(name, lines string) {
	m.t.Helper()
	if strings.HasPrefix(m.Read(name), "_row_id,") {
		lines = "," + strings.ReplaceAll(strings.TrimSuffix(lines, "\n"), "\n", "\n,") + "\n"
	}
	f, err := os.OpenFile(m.Path(name), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	_, err = f.WriteString(lines)
	if err = errors.Join(err, f.Close()); err != nil {
		m.t.Fatal(err)
	}
}

// A table goes through its whole life, and the server holds what the file says,
// with types.
func TestRagasAppLife(t *testing.T) {
	t.Parallel()
	m, e := mountRagas(t)
	m.Sh("mkdir -p demo/datasets demo/experiments")
	const name = "demo/datasets/qa.csv"
	m.Write(name, "q,score,ok,ctx\n\"a, b\",0.10,True,\"[\"\"x\"\",1.0]\"\nc,7,False,[]\n")
	m.Flush()
	rows := e.ragasTables(t)["demo/datasets/qa"]
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2: %s", len(rows), rows)
	}
	slices.SortFunc(rows, func(a, b map[string]json.RawMessage) int { return strings.Compare(string(a["q"]), string(b["q"])) })
	want := map[string]string{"q": `"a, b"`, "score": `0.10`, "ok": `true`, "ctx": `["x",1.0]`}
	for column, value := range want {
		if string(rows[0][column]) != value {
			t.Errorf("%s is %s, want %s", column, rows[0][column], value)
		}
	}
	m.Sh("sed -i 's/c,7/c,8/' " + name)
	m.appendLines(name, "new,1,,\n")
	m.Flush()
	if rows := e.ragasTables(t)["demo/datasets/qa"]; len(rows) != 3 || !strings.Contains(fmt.Sprintf("%s", rows), "8") {
		t.Errorf("rows are %s", rows)
	}
	m.Sh("cp " + name + " demo/experiments/run.csv; mkdir other")
	m.Flush()
	m.Sh("mv demo/experiments/run.csv demo/experiments/renamed.csv; rm " + name)
	m.Flush()
	tables := e.ragasTables(t)
	if names := slices.Sorted(maps.Keys(tables)); !slices.Equal(names, []string{"demo/experiments/renamed"}) {
		t.Errorf("the server holds %q", names)
	}
	if len(tables["demo/experiments/renamed"]) != 3 {
		t.Errorf("the copy has %d rows, want 3", len(tables["demo/experiments/renamed"]))
	}
}

// Each fault on writes: afterwards everything is there once.
func TestRagasAppFaults(t *testing.T) {
	t.Parallel()
	m, e := mountRagas(t)
	m.Sh("mkdir -p demo/datasets")
	const name = "demo/datasets/qa.csv"
	m.Write(name, "q,n\nfirst,0\n")
	m.Flush()
	var rules []fault
	for range 5 {
		for _, action := range []string{"drop", "apply_then_drop", "apply_then_status", "status"} {
			rules = append(rules, fault{Method: "POST", Path: "/rows$", Skip: 1, Times: 1, Action: action})
		}
		rules = append(rules, fault{Method: "POST", Path: "/rows$", Skip: 1, Times: 1, Action: "status", Status: 429, RetryAfter: "0.1"})
	}
	e.faults(t, rules...)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "row %d,%d\n", i, i)
	}
	m.appendLines(name, lines.String())
	m.Flush()
	counts := map[string]int{}
	for _, r := range e.ragasTables(t)["demo/datasets/qa"] {
		counts[string(r["q"])]++
	}
	if len(counts) != 41 {
		t.Errorf("%d different rows, want 41", len(counts))
	}
	for q, n := range counts {
		if n != 1 {
			t.Errorf("row %s is there %d times", q, n)
		}
	}
}

// A wrong or missing key is said at once, also where there is a cache.
func TestRagasAppWrongKey(t *testing.T) {
	t.Parallel()
	m, _ := mountRagas(t)
	m.Unmount()
	for _, state := range []string{m.State, m.State + "-new"} {
		m.State = state
		writeKey(t, m.keyFile(), "wrong-key")
		r := m.TryMount()
		if r.Code != 1 || !strings.Contains(r.Err, "api_key_file") || strings.Contains(r.Err, "wrong-key") {
			t.Errorf("a wrong key: exit code %d, %s", r.Code, r.Err)
		}
		if err := os.Remove(m.keyFile()); err != nil {
			t.Fatal(err)
		}
		if r := m.TryMount(); r.Code != 1 || !strings.Contains(r.Err, m.keyFile()) {
			t.Errorf("no key file: exit code %d, %s", r.Code, r.Err)
		}
	}
	m.options = m.options[:1] // neither file nor environment
	if r := m.TryMount(); r.Code != 1 || !strings.Contains(r.Err, "RAGAS_API_KEY") {
		t.Errorf("no key: exit code %d, %s", r.Code, r.Err)
	}
}

// A row that the server refuses stays here with the server's words; the others
// go on. It is tried again when somebody asks for that.
func TestRagasAppRefusedRow(t *testing.T) {
	t.Parallel()
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	other.rows(other.table(other.project("p"), "datasets", "qa", bigColumns), 3, bigRow)
	m.Mount()
	e.faults(t, fault{Method: "PATCH", Path: "/rows/r1$", Action: "status", Status: 422})
	m.Sh("sed -i 's/question/edited/' " + qa)
	if r := m.Run("flush", m.Dir); r.Code != 3 || !strings.Contains(r.Err, "flush --retry") {
		t.Errorf("flush: exit code %d, %s", r.Code, r.Err)
	}
	if s := m.Table(qa); s.State != "rejected" || !strings.Contains(s.Error+s.Reason, "Unprocessable") {
		t.Errorf("the status is %+v", s)
	}
	check := func(want ...string) {
		t.Helper()
		for i, r := range e.ragasState(t)["p/datasets/qa"].Rows {
			if string(r.Cells["q"]) != want[i] {
				t.Errorf("row %d is %s, want %s", i, r.Cells["q"], want[i])
			}
		}
	}
	check(`"edited 0"`, `"question 1"`, `"edited 2"`)
	e.call(t, "DELETE", "/_emulator/faults", nil, nil)
	m.must("flush", "--retry", m.Path(qa))
	check(`"edited 0"`, `"edited 1"`, `"edited 2"`)
}

// Of projects and tables with one name the oldest keeps the plain one; names that
// no file can have are encoded. An edit reaches the one that was edited.
func TestRagasAppEqualNames(t *testing.T) {
	t.Parallel()
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	first, second := other.project("Demo Project"), other.project("Demo Project")
	ids := map[string]string{}
	for _, kind := range []string{"first", "second"} {
		path := other.table(first, "datasets", "test", bigColumns)
		other.row(path, "r", `{"c-q": "`+kind+`", "c-n": 1, "c-ok": true}`)
		ids[kind] = path[strings.LastIndexByte(path, '/')+1:]
	}
	other.row(other.table(second, "experiments", "a/b: c", bigColumns), "r", `{"c-q": "x", "c-n": 1, "c-ok": true}`)
	m.Mount()
	secondProject := "Demo Project (" + strings.TrimPrefix(second, "projects/") + ")"
	if got, want := m.Sh("ls"), "Demo Project\n"+secondProject+"\n"; got != want {
		t.Errorf("the projects are\n%swant\n%s", got, want)
	}
	if got, want := m.Sh("ls 'Demo Project/datasets'"), "test ("+ids["second"]+").csv\ntest.csv\n"; got != want {
		t.Errorf("the tables are\n%swant\n%s", got, want)
	}
	if got, want := m.Sh("ls '"+secondProject+"/experiments'"), "a%2Fb: c.csv\n"; got != want {
		t.Errorf("the tables are\n%swant\n%s", got, want)
	}
	m.Sh("sed -i s/second/edited/ 'Demo Project/datasets/test (" + ids["second"] + ").csv'; sed -i s/x,1/y,1/ '" + secondProject + "/experiments/a%2Fb: c.csv'")
	m.Flush()
	var state struct {
		Projects []struct{ Datasets, Experiments []ragasTable }
	}
	e.call(t, "GET", "/_emulator/state", nil, &state)
	for _, p := range state.Projects {
		for _, x := range append(p.Datasets, p.Experiments...) {
			want := map[string]string{ids["first"]: `"first"`, ids["second"]: `"edited"`}[x.ID]
			if want == "" {
				want = `"y"`
			}
			if got := string(x.Rows[0].Cells["q"]); got != want {
				t.Errorf("table %s has %s, want %s", x.ID, got, want)
			}
		}
	}
}
