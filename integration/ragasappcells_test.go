package integration

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// typedColumns are columns of every type that Ragas has, and one that it hasn't.
func typedColumns() []peerColumn {
	return columnsOf([2]string{"q", "longText"}, [2]string{"score", "number"}, [2]string{"big", "number"}, [2]string{"ok", "checkbox"},
		[2]string{"ctx", "longText"}, [2]string{"meta", "longText"}, [2]string{"result", "longText"}, [2]string{"day", "date"},
		[2]string{"tags", "multiSelect"}, [2]string{"pick", "select"}, [2]string{"link", "url"}, [2]string{"odd", "text"}, [2]string{"f_reason", "longText"})
}

// typedRow is the data of row i: numbers in spellings of their own, lists and
// objects with spaces and escapes, a key that no column has, a reason under the
// name of its column.
func typedRow(i int) string {
	return fmt.Sprintf(`{"c-q": "question %d, with \"quotes\"\nand a line", "c-score": %d.50, "c-big": %d, "c-ok": %t,
		"c-ctx": ["a, b", "caf\u00e9", %d.0], "c-meta": {"k": [1.0, null], "n": {"x": "y"}}, "c-result": 0.%d0, "c-day": "2025-06-%02dT01:02:03+00:00",
		"c-tags": ["one", "two"], "c-pick": "red", "c-link": "https://example.org/?a=1&b=2", "c-odd": null, "f_reason": "because",
		"secret": {"unknown": [1, 2.50]}}`, i, i, 1234567890123456700+i, i%2 == 0, i, 10+i, 1+i%28)
}

// TestRagasAppCells: whatever program edits one cell, the server holds exactly
// what it held before but for this cell, which has the type of its column.
func TestRagasAppCells(t *testing.T) {
	t.Parallel()
	py := python(t)
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	other.rows(other.table(other.project("p"), "datasets", "qa", typedColumns()), 40, typedRow)
	m.Mount()
	pandas := func(code string) string {
		return fmt.Sprintf("%s - <<'PY'\nimport pandas as pd, json\nd = pd.read_csv('%s')\n%s\nd.to_csv('%s', index=False)\nPY", py, qa, code, qa)
	}
	at := func(row int) string { return fmt.Sprintf("i = d.index[d._row_id == 'r%d'][0]\n", row) }
	vim := func(command string) string {
		return "vim -u NONE -N -i NONE -es -c '" + command + "' -c wq " + qa
	}
	for _, step := range []struct {
		name, needs, script string
		row, column, want   string // the one cell that changes, and what it is then
	}{
		{"pandas, a number", "", pandas(at(3) + "d.loc[i, 'score'] = 0.1"), "r3", "c-score", `0.1`},
		{"pandas, a boolean", "", pandas(at(4) + "d.loc[i, 'ok'] = False"), "r4", "c-ok", `false`},
		{"pandas, a list", "", pandas(at(5) + `d.loc[i, 'ctx'] = json.dumps(["new, one", 1.0])`), "r5", "c-ctx", `["new, one",1.0]`},
		{"pandas, text", "", pandas(at(6) + `d.loc[i, 'q'] = 'a, "b"\nc'`), "r6", "c-q", `"a, \"b\"\nc"`},
		{"pandas, nothing", "", pandas(at(7) + "d.loc[i, 'pick'] = None"), "r7", "c-pick", `null`},
		{"pandas, a result", "", pandas(at(8) + "d.loc[i, 'result'] = 0.75"), "r8", "c-result", `0.75`},
		{"vim, a number", "vim", vim(`%s/,9\.50*,/,9.250,/`), "r9", "c-score", `9.250`},
		{"vim, a date", "vim", vim(`%s/2025-06-21T01/2026-01-01T01/`), "r20", "c-day", `"2026-01-01T01:02:03+00:00"`},
		{"sed, an integer beyond 2^53", "sed", "sed -i 's/1234567890123456711/1234567890123456799/' " + qa, "r11", "c-big", `1234567890123456799`},
		{"sed, a reason under its old key", "sed", `sed -i '/^and a line",12\.50*,/s/because/"why, then"/' ` + qa, "r12", "f_reason", `"why, then"`},
		{"sed, tags", "sed", `sed -i '/^and a line",13\.50*,/s/""one"",""two""/""three""/' ` + qa, "r13", "c-tags", `["three"]`},
		{"sed, an object", "sed", `sed -i '/^and a line",14\.50*,/s/\[1\.0,null\]/[2.0,true]/' ` + qa, "r14", "c-meta", `{"k":[2.0,true],"n":{"x":"y"}}`},
		{"sed, a cell that was null", "sed", `sed -i '/^and a line",15\.50*,/s/,,because/,"odd, no?",because/' ` + qa, "r15", "c-odd", `"odd, no?"`},
	} {
		t.Run(step.name, func(t *testing.T) {
			if step.needs != "" {
				program(t, step.needs)
			}
			m := m.in(t)
			before := e.ragasState(t)["p/datasets/qa"]
			m.Sh(step.script)
			m.Flush()
			after := e.ragasState(t)["p/datasets/qa"]
			sameButFor(t, before, after, step.row, step.column, step.want)
			m.showsWhatIsHeld(after)
		})
	}
}

// sameButFor compares two states of a table: they must differ in one value only.
func sameButFor(t *testing.T, before, after ragasTable, id, key, want string) {
	t.Helper()
	if len(after.Rows) != len(before.Rows) {
		t.Fatalf("%d rows, %d before", len(after.Rows), len(before.Rows))
	}
	for i, r := range after.Rows {
		expected := maps.Clone(before.Rows[i].Data)
		if r.ID == id {
			expected[key] = json.RawMessage(want)
		}
		if r.ID != before.Rows[i].ID || !maps.EqualFunc(r.Data, expected, slices.Equal) {
			t.Errorf("row %s is\n%s\nwant %s\n%s", r.ID, r.Data, before.Rows[i].ID, expected)
		}
	}
}

// showsWhatIsHeld compares the file with the table that the server holds, cell
// for cell.
func (m *mounted) showsWhatIsHeld(x ragasTable) {
	m.t.Helper()
	reader := csv.NewReader(strings.NewReader(m.Read(qa)))
	records, err := reader.ReadAll()
	if err != nil {
		m.t.Fatal(err)
	}
	header := records[0]
	if len(records)-1 != len(x.Rows) || header[0] != "_row_id" || len(header)-1 != len(x.Columns) {
		m.t.Fatalf("the file has %d rows and the columns %q", len(records)-1, header)
	}
	for _, record := range records[1:] {
		row := x.row(m.t, record[0])
		for j, name := range header[1:] {
			value := row.Cells[name]
			if name == "f_reason" {
				value = row.Data["f_reason"]
			}
			if want := shownAs(m.t, value); !sameCell(record[j+1], want) {
				m.t.Errorf("row %s has %q under %s, the server %s", record[0], record[j+1], name, value)
			}
		}
	}
}

// sameCell allows for what a program wrote and the table compares as equal:
// numbers in another spelling, true and True.
func sameCell(got, want string) bool {
	var a, b any
	if json.Unmarshal([]byte(got), &a) == nil && json.Unmarshal([]byte(want), &b) == nil {
		return fmt.Sprint(a) == fmt.Sprint(b)
	}
	return strings.EqualFold(got, want) || strings.TrimSuffix(want, "+00:00") == strings.TrimSuffix(got, "+00:00")
}

// shownAs is a JSON value as section 5 shows it.
func shownAs(t testing.TB, value json.RawMessage) string {
	t.Helper()
	var text string
	switch {
	case len(value) == 0 || string(value) == "null":
		return ""
	case string(value) == "true":
		return "True"
	case string(value) == "false":
		return "False"
	case value[0] == '"':
		if err := json.Unmarshal(value, &text); err != nil {
			t.Error(err)
		}
		return text
	}
	return string(value)
}

// TestRagasAppListsWrittenAnew: a program that parses lists and objects and writes
// them in its own spelling changes no row but the one that it edits, in a table
// that is too big to be read at one go.
func TestRagasAppListsWrittenAnew(t *testing.T) {
	t.Parallel()
	py := python(t)
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	columns := columnsOf([2]string{"q", "longText"}, [2]string{"ctx", "longText"}, [2]string{"meta", "longText"}, [2]string{"result", "longText"})
	other.rows(other.table(other.project("p"), "datasets", "qa", columns), 2500, func(i int) string {
		return fmt.Sprintf(`{"c-q": "question %d", "c-ctx": ["caf\u00e9, %d", "b"], "c-meta": {"k": [%d.0, null]}, "c-result": %d.50}`, i, i, i, i)
	})
	m.Mount()
	before := e.ragasState(t)["p/datasets/qa"]
	made := e.callsOf(t, func() {
		m.Sh(py + ` - <<'PY'
import json, pandas as pd
d = pd.read_csv("` + qa + `")
for column in ["ctx", "meta"]:
    d[column] = d[column].map(json.loads)
d.loc[d._row_id == "r77", "ctx"] = d.loc[d._row_id == "r77", "ctx"].map(lambda x: x + ["new"])
for column in ["ctx", "meta"]:
    d[column] = d[column].map(json.dumps)
d.to_csv("` + qa + `", index=False)
PY`)
		m.Flush()
	})
	checkRowWrites(t, made, before.ID, 0, 1)
	sameButFor(t, before, e.ragasState(t)["p/datasets/qa"], "r77", "c-ctx", `["café, 77","b","new"]`)
}

// TestAccidentalColumns: columns that a tool adds by accident are not columns of
// the store. The file keeps them, and the status says that they are ignored.
func TestAccidentalColumns(t *testing.T) {
	t.Parallel()
	m := prepareOn(t, "ragas/app", "write_back=manual")
	m.Seed(qa, "q,a\none,1\ntwo,2\n")
	m.Mount()
	m.Read(qa)
	before := m.Calls()
	const saved = ",q,a,Unnamed: 3,\n0,one,1,x,\n1,two,II,y,\n"
	m.Write(qa, saved)
	m.Flush()
	after := m.Calls()
	if got := (calls{Append: after.Append - before.Append, Update: after.Update - before.Update, Delete: after.Delete - before.Delete}); got != (calls{Update: 1}) {
		t.Errorf("one edited cell was sent as %+v", got)
	}
	if got := m.Store(qa); got != "q,a\none,1\ntwo,II\n" {
		t.Errorf("the store has\n%s", got)
	}
	if got := m.Read(qa); got != saved {
		t.Errorf("the file is\n%s", got)
	}
	s := m.Status()
	if len(s.Tables) != 0 || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], qa+": ") || !strings.Contains(s.Warnings[0], "ignored") {
		t.Errorf("the status is %+v", s)
	}
	if r := m.Run("status", m.Dir); r.Code != 0 || !strings.Contains(r.Out, "Unnamed: 3") {
		t.Errorf("status: exit code %d, %s%s", r.Code, r.Out, r.Err)
	}
}
