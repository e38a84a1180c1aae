package integration

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bigRow is the data of a row of the big tables of these tests.
func bigRow(i int) string {
	return fmt.Sprintf(`{"c-q": "question %d", "c-n": %d, "c-ok": %t}`, i, i, i%3 == 0)
}

var bigColumns = columnsOf([2]string{"q", "longText"}, [2]string{"n", "number"}, [2]string{"ok", "checkbox"})

// TestRagasAppCalls: what edits of a table of 10,000 rows may cost.
func TestRagasAppCalls(t *testing.T) {
	t.Parallel()
	const rows, pages = 10_000, 100
	m, e := prepareRagas(t, "--max-page", "100")
	other := newPeer(t, e)
	other.rows(other.table(other.project("p"), "datasets", "qa", bigColumns), rows, bigRow)
	m.Mount()
	records := m.records(qa)
	if len(records) != rows+1 {
		t.Fatalf("%d records", len(records))
	}
	for round, k := range []int{1, 10, 5000} {
		changed := map[string]bool{}
		for i := range k {
			at := 1 + i*(rows/k)
			records[at][1] = fmt.Sprintf("edit %d of %d", round, i)
			changed[records[at][0]] = true
		}
		made := e.callsOf(t, func() { m.save(qa, records) })
		if most := min(2*k, k+pages) + 2; len(made) > most {
			t.Errorf("%d rows edited in %d calls, want at most %d%s", k, len(made), most, summary(made))
		}
		var size, sent int64
		held := e.ragasState(t)["p/datasets/qa"]
		for _, r := range held.Rows {
			if changed[r.ID] {
				data, err := json.Marshal(r.Data)
				if err != nil {
					t.Fatal(err)
				}
				size += int64(len(data))
			}
		}
		for _, c := range made {
			sent += c.RequestBytes
		}
		if sent > 2*size {
			t.Errorf("%d rows of %d bytes took %d bytes", k, size, sent)
		}
		m.showsWhatIsHeld(held)
	}
	appended := e.callsOf(t, func() {
		m.appendLines(qa, "one more,1,True\n")
		m.Flush()
	})
	if len(appended) > 3 {
		t.Errorf("an appended line took %d calls%s", len(appended), summary(appended))
	}
	m.resavesCostNothing(e)
}

// records parses a table.
func (m *mounted) records(name string) [][]string {
	m.t.Helper()
	records, err := csv.NewReader(strings.NewReader(m.Read(name))).ReadAll()
	if err != nil {
		m.t.Fatal(err)
	}
	return records
}

// save writes a table in place, and flushes.
func (m *mounted) save(name string, records [][]string) {
	m.t.Helper()
	f, err := os.Create(m.Path(name))
	if err != nil {
		m.t.Fatal(err)
	}
	if err := csv.NewWriter(f).WriteAll(records); err != nil {
		m.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		m.t.Fatal(err)
	}
	m.Flush()
}

var probe = regexp.MustCompile(`/rows$`)

// resavesCostNothing saves a table unchanged, sorted and with all cells quoted.
func (m *mounted) resavesCostNothing(e *emulator) {
	m.t.Helper()
	m.must("refresh", m.Path(qa)) // from now on columns are known for half a minute
	text := m.Read(qa)
	records := m.records(qa)
	slices.SortFunc(records[1:], func(a, b []string) int { return strings.Compare(b[1], a[1]) })
	var quoted strings.Builder
	for _, record := range records {
		quoted.WriteString(`"` + strings.Join(record, `","`) + "\"\r\n")
	}
	for _, resave := range []struct {
		name string
		save func()
		most int
	}{
		{"unchanged", func() { m.Write(qa, text); m.Flush() }, 1},
		{"sorted", func() { m.save(qa, records) }, 1},
		{"requoted", func() { m.Write(qa, quoted.String()); m.Flush() }, 1},
	} {
		made := e.callsOf(m.t, resave.save)
		for _, c := range made {
			if c.Method != "GET" || !probe.MatchString(c.Path) || !strings.Contains(c.Query, "limit=1&") || len(made) > resave.most {
				m.t.Errorf("a save %s took %s", resave.name, summary(made))
				break
			}
		}
	}
}

// summary shows calls, the ids left out.
func summary(made []ragasCall) string {
	count := map[string]int{}
	id := regexp.MustCompile(`[0-9a-f-]{36}|/r\d+$`)
	for _, c := range made {
		count[c.Method+" "+id.ReplaceAllString(c.Path, "*")+"?"+regexp.MustCompile(`offset=\d+`).ReplaceAllString(c.Query, "")]++
	}
	var b strings.Builder
	for call, n := range count {
		fmt.Fprintf(&b, "\n%d × %s", n, call)
	}
	return b.String()
}

// TestRagasAppListing: `ls -l` of a project whose tables were loaded before only
// lists.
func TestRagasAppListing(t *testing.T) {
	t.Parallel()
	const tables = 500
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	project := other.project("p")
	for i := range tables {
		path := other.table(project, "datasets", fmt.Sprintf("t%03d", i), bigColumns[:1])
		other.row(path, "r", `{"c-q": "x"}`)
	}
	m.Mount()
	m.Sh("cat p/datasets/*.csv | wc -l")
	m.Remount()
	made := e.callsOf(t, func() {
		if lines := strings.Count(m.Sh("ls -l p/datasets"), ".csv\n"); lines != tables {
			t.Errorf("%d tables are listed", lines)
		}
	})
	for _, c := range made {
		if c.Method != "GET" || !regexp.MustCompile(`/(projects|datasets|experiments)$`).MatchString(c.Path) {
			t.Errorf("ls took %s", summary(made))
			break
		}
	}
	if most := 2 * (tables/50 + 1); len(made) > most {
		t.Errorf("ls took %d calls%s", len(made), summary(made))
	}
}
