package integration

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestRagasAppFaultMatrix lets the requests for one kind of object meet faults,
// half of those that write and some that read, while a second client edits other rows and the daemon is
// killed. In the end the server holds what both have written: nothing is lost, no
// row, column, table or project is there twice.
//
// Each kind meets all faults in turn; with RAGASFS_SOAK=N each fault by itself
// in N rounds with a kill each. RAGASFS_SOAK_SEED decides what is done.
func TestRagasAppFaultMatrix(t *testing.T) {
	t.Parallel()
	rounds, seed := 2, uint64(1)
	full := os.Getenv("RAGASFS_SOAK") != ""
	if full {
		rounds = int(numberFromEnv(t, "RAGASFS_SOAK"))
	}
	if os.Getenv("RAGASFS_SOAK_SEED") != "" {
		seed = numberFromEnv(t, "RAGASFS_SOAK_SEED")
	}
	for _, verb := range []string{"row", "column", "table", "project"} {
		if !full {
			t.Run(verb, func(t *testing.T) {
				t.Parallel()
				newFaultRun(t, verb, seed, faultKinds...).run(rounds)
			})
			continue
		}
		for _, kind := range faultKinds {
			t.Run(verb+"/"+kind.name, func(t *testing.T) { newFaultRun(t, verb, seed, kind).run(rounds) })
		}
	}
}

func numberFromEnv(t testing.TB, name string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(os.Getenv(name), 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// faultKind is what happens to a request.
type faultKind struct {
	name string
	rule fault
}

var faultKinds = []faultKind{
	{"drop", fault{Action: "drop"}},
	{"apply_then_drop", fault{Action: "apply_then_drop"}},
	{"apply_then_status", fault{Action: "apply_then_status", Status: 502}},
	{"stall", fault{Action: "stall"}},
	{"503", fault{Action: "status", Status: 503}},
	{"429", fault{Action: "status", Status: 429, RetryAfter: "0.05"}},
}

// faultPaths are the paths of the objects that a verb writes, as the mount asks
// for them. The second client reaches rows by another path.
var faultPaths = map[string]string{
	"row":     `/datasets/[^/]+/rows`,
	"column":  `/columns`,
	"table":   `/datasets(/[^/]+)?$`,
	"project": `/projects(/[^/]+)?$`,
}

// faultRun is one mount under faults, and what it must come to.
type faultRun struct {
	t     *testing.T
	m     *mounted
	e     *emulator
	other *peer
	rows  string // of the table, as the second client asks for them
	verb  string
	kinds []faultKind
	rnd   *rand.Rand
	made  int // objects made so far

	mu       sync.Mutex
	table    map[string]map[string]string   // guarded by mu: the table qa by key and column
	columns  []string                       // of qa
	tables   map[string][]map[string]string // the other tables, by PROJECT/KIND/NAME
	projects []string
}

const faultRows = 40

func newFaultRun(t *testing.T, verb string, seed uint64, kinds ...faultKind) *faultRun {
	r := &faultRun{
		t: t, verb: verb, kinds: kinds, rnd: rand.New(rand.NewPCG(seed, uint64(len(verb)))),
		table: map[string]map[string]string{}, columns: []string{"k", "q", "n"}, tables: map[string][]map[string]string{},
	}
	r.m, r.e = prepareRagas(t)
	r.m.options = append(r.m.options, "timeout=500ms", "delete_after=100ms", "ttl=1s", "write_back=100ms")
	r.other = newPeer(t, r.e)
	path := r.other.table(r.other.project("p"), "datasets", "qa", columnsOf([2]string{"k", "longText"}, [2]string{"q", "longText"}, [2]string{"n", "number"}))
	r.rows = strings.Replace(path, "/datasets/", "/experiments/", 1)
	for i := range faultRows {
		r.add(fmt.Sprintf("k%02d", i), fmt.Sprint("question ", i), i)
	}
	r.m.Mount()
	r.m.Read(qa)
	return r
}

// add adds a row as the second client.
func (r *faultRun) add(key, q string, n int) {
	r.t.Helper()
	r.other.row(r.rows, "id-"+key, fmt.Sprintf(`{"c-k": %q, "c-q": %q, "c-n": %d}`, key, q, n))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.table[key] = map[string]string{"k": key, "q": q, "n": fmt.Sprint(n)}
}

func (r *faultRun) run(rounds int) {
	kills, faults := 0, 0
	begun := time.Now()
	for round := range rounds {
		r.disturb(round)
		stop := r.colleague(round)
		met := 0
		for step := range 3 {
			r.edit(round)
			met += r.waitForFaults()
			if step == 1 {
				r.m.Kill9()
				kills++
				r.m.Mount()
			}
		}
		r.busy()
		stop()
		r.e.call(r.t, "DELETE", "/_emulator/faults", nil, nil)
		r.flush()
		r.compare(fmt.Sprintf("round %d", round))
		r.shown()
		faults += met
		if r.t.Failed() {
			return
		}
	}
	r.m.Unmount()
	r.compare("after the unmount")
	r.t.Logf("%d rounds, %d kills, %d faults met, %d rows and %d tables in the end, %s", rounds, kills, faults, len(r.table), len(r.tables)+1, time.Since(begun).Round(time.Second))
	if faults == 0 {
		r.t.Error("no request met a fault")
	}
}

// disturb lets every second request of the verb meet a fault.
func (r *faultRun) disturb(round int) {
	r.t.Helper()
	const many, reads = 60, 10
	var rules []fault
	for _, method := range []string{"POST", "PATCH", "DELETE", "GET"} {
		for i := range map[bool]int{true: reads, false: many}[method == "GET"] {
			rule := r.kinds[r.rnd.IntN(len(r.kinds))].rule
			if method == "GET" && strings.HasPrefix(rule.Action, "apply") {
				continue // nothing is applied by reading
			}
			// The i-th lets i pass of those that those before it have left: every
			// second one is met, in every second round the first.
			rule.Method, rule.Path, rule.Skip, rule.Times = method, faultPaths[r.verb], i+round%2, 1
			rules = append(rules, rule)
		}
	}
	r.e.faults(r.t, rules...)
	r.e.call(r.t, "DELETE", "/_emulator/calls", nil, nil)
}

// waitForFaults waits until a request has met a fault, or nothing is left to do.
func (r *faultRun) waitForFaults() (met int) {
	for deadline := time.Now().Add(1500 * time.Millisecond); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) { //nolint:forbidigo // polls another process
		var made []ragasCall
		r.e.call(r.t, "GET", "/_emulator/calls", nil, &made)
		for _, c := range made {
			if c.Status != 200 {
				met++
			}
		}
		if met > 0 || r.m.Status().Pending.Tables == 0 {
			break
		}
	}
	r.e.call(r.t, "DELETE", "/_emulator/calls", nil, nil)
	return met
}

// flush sends everything. What was under way when the faults ended may still
// meet one: then a flush says that something is left, and the next sends it.
func (r *faultRun) flush() {
	r.t.Helper()
	var last result
	eventually(r.t, "everything is sent", func() bool {
		last = r.m.Run("flush", r.m.Dir)
		return last.Code == 0
	}, &last)
}

// busy looks at the status: what is not sent yet must be named.
func (r *faultRun) busy() {
	s := r.m.Status()
	for _, x := range s.Tables {
		if x.State == "clean" && x.Op() == "" {
			r.t.Errorf("the status lists %s as clean", x.Path)
		}
	}
	if s.Pending.Tables > 0 && len(s.Tables) == 0 {
		r.t.Errorf("the status names no table: %+v", s)
	}
}

// colleague edits the numbers of every second row, and adds some, until stop is
// called. The others are ours in this round: a write within the round trip
// between check and write of the same row can be overwritten.
func (r *faultRun) colleague(round int) (stop func()) {
	stopped := make(chan struct{})
	var working sync.WaitGroup
	seed := r.rnd.Uint64()
	working.Go(func() {
		rnd := rand.New(rand.NewPCG(seed, 0))
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-stopped:
				return
			case <-ticker.C:
			}
			if i%10 == 9 {
				r.add(fmt.Sprintf("peer-%d-%d", round, i), "added", i)
				continue
			}
			key := fmt.Sprintf("k%02d", 2*rnd.IntN(faultRows/2)+round%2)
			r.mu.Lock()
			_, there := r.table[key]
			r.mu.Unlock()
			if !there {
				continue
			}
			n := rnd.IntN(1000)
			r.other.set(r.rows, "id-"+key, fmt.Sprintf(`{"c-n": %d}`, n))
			r.mu.Lock()
			r.table[key]["n"] = fmt.Sprint(n)
			r.mu.Unlock()
		}
	})
	return sync.OnceFunc(func() {
		close(stopped)
		working.Wait()
	})
}

// compare compares the server with the model.
func (r *faultRun) compare(when string) {
	r.t.Helper()
	held := r.e.ragasState(r.t) // it looks for tables and projects that are there twice
	want := slices.Sorted(maps.Keys(r.tables))
	want = append(want, "p/datasets/qa")
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(held)); !slices.Equal(got, want) {
		r.t.Errorf("%s: the server has the tables %q, want %q", when, got, want)
	}
	for name, rows := range r.tables {
		r.compareRows(when+", "+name, held[name], rows)
	}
	var columns []string
	for _, c := range held["p/datasets/qa"].Columns {
		columns = append(columns, c.Name)
	}
	slices.Sort(columns)
	if wanted := slices.Sorted(slices.Values(r.columns)); !slices.Equal(columns, wanted) {
		r.t.Errorf("%s: the server has the columns %q, want %q", when, columns, wanted)
	}
	r.compareRows(when+", qa", held["p/datasets/qa"], slices.Collect(maps.Values(r.table)))
}

// shown waits until the file shows what the colleague has done. An edit that the
// next save has not seen would beat its delete.
func (r *faultRun) shown() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, row := range r.table {
		lines = append(lines, fmt.Sprint(row["k"], " ", row["q"], " ", row["n"]))
	}
	slices.Sort(lines)
	var got []string
	eventually(r.t, "the file shows what the server has", func() bool {
		got = nil
		records := r.m.records(qa)
		k, q, n := slices.Index(records[0], "k"), slices.Index(records[0], "q"), slices.Index(records[0], "n")
		for _, record := range records[1:] {
			if k < 0 || q < 0 || n < 0 {
				return r.verb == "column" // they have other names by now
			}
			got = append(got, fmt.Sprint(record[k], " ", record[q], " ", record[n]))
		}
		slices.Sort(got)
		return slices.Equal(got, lines)
	}, &got, &lines)
}

// compareRows compares rows in any order; a cell that is not named is empty.
func (r *faultRun) compareRows(what string, held ragasTable, want []map[string]string) {
	r.t.Helper()
	var got, wanted []string
	for _, row := range held.Rows {
		cells := map[string]string{}
		for name, value := range row.Cells {
			if text := shownAs(r.t, value); text != "" {
				cells[name] = text
			}
		}
		got = append(got, fmt.Sprint(cells))
	}
	for _, row := range want {
		cells := maps.Clone(row)
		maps.DeleteFunc(cells, func(_, text string) bool { return text == "" })
		wanted = append(wanted, fmt.Sprint(cells))
	}
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		r.t.Errorf("%s:\n%s", what, difference(got, wanted))
	}
}
