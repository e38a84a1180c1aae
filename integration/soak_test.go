package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The soak kills the daemon again and again while several programs write, and
// compares: after a remount and a flush the store holds what was acknowledged, no
// row is missing, none is there twice, none that was deleted is back.
//
//	RAGASFS_SOAK=50 RAGASFS_SOAK_SEED=7 go test -run TestSoak -v ./integration
//
// The seed decides what the programs do and how each kill is made. Of 50 kills at
// least 25 meet an open push, and 10 of these one that the store has applied and
// not answered (in a row store; what a local directory does can't be stopped
// half-way from outside, there the kills come at any time).
func TestSoakRowStore(t *testing.T) {
	t.Parallel()
	e := startMemory(t, "--latency", "20ms")
	s := newSoak(t, mount(t, "memory", "address="+e.Address, "write_back=100ms", "delete_after=1s"))
	s.store = &memoryStore{e: e}
	s.openPushes, s.unanswered = s.kills/2, s.kills/5
	s.run()
}

func TestSoakLocalCSV(t *testing.T) {
	t.Parallel()
	s := newSoak(t, mount(t, "local/csv", "write_back=100ms", "delete_after=1s"))
	s.store = &directoryStore{root: s.m.Root}
	s.run()
}

// How a kill meets the daemon.
type meeting string

const (
	anyTime           meeting = "at any time"
	pushOpen          meeting = "with an open push"
	appliedUnanswered meeting = "between apply and answer"
)

// soakStore is the store seen from behind.
type soakStore interface {
	// tables returns what the store holds in p/datasets: the lines of each table,
	// the header first, without row ids; ordered is false if the rows have no order.
	tables(t testing.TB) (tables map[string][]string, ordered bool)
	// prepare makes the next push meet the fault that a kill needs.
	prepare(t testing.TB, how meeting)
	// ready waits until the moment for the kill has come; false: it does not come.
	ready(t testing.TB, m *mounted, how meeting) bool
	// calm takes all faults back.
	calm(t testing.TB)
}

// soak is one run.
type soak struct {
	t     testing.TB
	m     *mounted
	store soakStore
	rnd   *rand.Rand
	kills int
	met   map[meeting]int
	// How many kills must have met an open push, and how many of these one that was
	// applied and not answered.
	openPushes, unanswered int
	writers                []*soakWriter

	mu       sync.Mutex
	manifest *os.File          // guarded by mu
	sums     map[string]string // guarded by mu: table -> sha256 of its last acknowledged content, as the manifest has it
}

func newSoak(t testing.TB, m *mounted) *soak {
	s := &soak{t: t, m: m, kills: 6, met: map[meeting]int{}, sums: map[string]string{}}
	seed := uint64(1)
	for env, set := range map[string]func(uint64){
		"RAGASFS_SOAK":      func(n uint64) { s.kills = int(n) },
		"RAGASFS_SOAK_SEED": func(n uint64) { seed = n },
	} {
		if text := os.Getenv(env); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatalf("%s=%s: %v", env, text, err)
			}
			set(n)
		}
	}
	t.Logf("%d kills, seed %d", s.kills, seed)
	s.rnd = rand.New(rand.NewPCG(seed, 0))
	var err error
	s.manifest, err = os.Create(filepath.Join(t.TempDir(), "manifest"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.manifest.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, kind := range writerKinds {
		s.writers = append(s.writers, newSoakWriter(s, i, kind, rand.New(rand.NewPCG(seed, uint64(i)+1))))
	}
	return s
}

// acknowledged notes a save (or the end of a table) that a system call has
// confirmed, and makes the note power safe.
func (s *soak) acknowledged(op, name string, lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := ""
	if lines != nil {
		sum = checksum(lines)
		s.sums[name] = sum
	} else {
		delete(s.sums, name)
	}
	_, err := fmt.Fprintf(s.manifest, "%s %s %s %s\n", time.Now().Format(time.RFC3339Nano), op, name, sum)
	if err == nil {
		err = s.manifest.Sync()
	}
	if err != nil {
		s.t.Errorf("manifest: %v", err)
	}
}

func checksum(lines []string) string {
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n") + "\n"))
	return hex.EncodeToString(sum[:])
}

// run is the whole soak.
func (s *soak) run() {
	if err := os.MkdirAll(s.m.Path("p/datasets"), 0o755); err != nil {
		s.t.Fatal(err)
	}
	kill := 1
	for ; kill <= s.kills && !s.t.Failed(); kill++ {
		s.round(s.meeting(kill))
	}
	// A kill can miss its moment on a busy machine: then there is one more.
	for ; kill <= 3*s.kills && !s.t.Failed(); kill++ {
		how := s.lacking()
		if how == anyTime {
			break
		}
		s.round(how)
	}
	if how := s.lacking(); how != anyTime && !s.t.Failed() {
		s.t.Errorf("of %d kills too few were %s: %v", kill-1, how, s.met)
	}
	s.m.Unmount()
	s.compare("after the last unmount")
	s.t.Logf("kills: %v", s.met)
	if s.t.Failed() {
		data, err := os.ReadFile(s.manifest.Name())
		s.t.Logf("the manifest: %v\n%s", err, data)
	}
}

// round lets the writers work, kills the daemon, mounts again and compares.
func (s *soak) round(how meeting) {
	pid := s.m.Status().PID
	stop := s.start()
	defer stop()
	time.Sleep(time.Duration(s.rnd.IntN(200)) * time.Millisecond) //nolint:forbidigo // the load itself: some saves of every kind
	s.store.prepare(s.t, how)
	met := s.store.ready(s.t, s.m, how)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatalf("kill: %v", err)
	}
	stop()
	eventually(s.t, "the daemon is gone", func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })
	if !met {
		how = anyTime
	}
	s.met[how]++
	s.store.calm(s.t)
	killed := 0
	for _, n := range s.met {
		killed += n
	}
	what := fmt.Sprintf("after kill %d %s", killed, how)
	s.m.Mount()
	for _, w := range s.writers {
		w.settle(what)
	}
	s.shown(what)
	if r := s.m.Run("flush", s.m.Dir); r.Code != 0 {
		s.t.Errorf("%s: flush: exit code %d: %s%s\n%s", what, r.Code, r.Out, r.Err, s.m.Run("status", "--json", s.m.Dir).Out)
	}
	s.compare(what)
}

// start lets all writers work until stop is called, once or more often.
func (s *soak) start() (stop func()) {
	stopped := make(chan struct{})
	var working sync.WaitGroup
	for _, w := range s.writers {
		working.Go(func() { w.work(stopped) })
	}
	return sync.OnceFunc(func() {
		close(stopped)
		working.Wait()
	})
}

// lacking is the kind of kill of which there are too few; anyTime: none.
func (s *soak) lacking() meeting {
	switch {
	case s.met[appliedUnanswered] < s.unanswered:
		return appliedUnanswered
	case s.met[pushOpen]+s.met[appliedUnanswered] < s.openPushes:
		return pushOpen
	}
	return anyTime
}

// meeting spreads the kinds of kills: of ten, six with an open push, of which
// three are applied.
func (s *soak) meeting(kill int) meeting {
	if s.openPushes == 0 {
		return anyTime
	}
	switch kill % 10 {
	case 1, 4, 7:
		return appliedUnanswered
	case 2, 5, 8, 9:
		return pushOpen
	}
	return anyTime
}

// model is what all writers together have saved.
func (s *soak) model() map[string][]string {
	all := map[string][]string{}
	for _, w := range s.writers {
		for name, lines := range w.tables {
			all[name] = lines
		}
	}
	return all
}

// shown compares the mount with the model, and the model with the manifest.
func (s *soak) shown(what string) {
	model := s.model()
	for name, lines := range model {
		got, err := readTable(s.m.Path("p/datasets/" + name))
		if err != nil {
			s.t.Errorf("%s: %s: %v", what, name, err)
		} else if !slices.Equal(got, lines) {
			s.t.Errorf("%s the mount shows of %s:\n%s", what, name, difference(got, lines))
		}
		if s.sums[name] != checksum(lines) {
			s.t.Errorf("%s: the manifest has another content of %s", what, name)
		}
	}
	entries, err := os.ReadDir(s.m.Path("p/datasets"))
	if err != nil {
		s.t.Errorf("%s: %v", what, err)
	}
	for _, e := range entries {
		if _, known := model[e.Name()]; !known && strings.HasSuffix(e.Name(), ".csv") {
			s.t.Errorf("%s the mount has a table too many: %s", what, e.Name())
		}
	}
}

// compare compares the store with the model.
func (s *soak) compare(what string) {
	model := s.model()
	stored, ordered := s.store.tables(s.t)
	for name, lines := range model {
		got, there := stored[name]
		want := lines
		if !ordered {
			got, want = sortedRows(got), sortedRows(want)
		}
		if !there {
			s.t.Errorf("%s the store lacks %s", what, name)
		} else if !slices.Equal(got, want) {
			s.t.Errorf("%s the store holds of %s:\n%s", what, name, difference(got, want))
		}
	}
	for name := range stored {
		if _, known := model[name]; !known {
			s.t.Errorf("%s the store has a table too many: %s", what, name)
		}
	}
}

func sortedRows(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines[min(1, len(lines)):])
	return lines
}

// difference shows the lines that one of the two has more often.
func difference(got, want []string) string {
	count := map[string]int{}
	for _, line := range got {
		count[line]++
	}
	for _, line := range want {
		count[line]--
	}
	var b strings.Builder
	for _, lines := range [][]string{want, got} {
		for _, line := range lines {
			switch n := count[line]; {
			case n < 0:
				fmt.Fprintf(&b, "missing: %s\n", line)
			case n > 0:
				fmt.Fprintf(&b, "too many (%d): %s\n", n, line)
			}
			count[line] = 0
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order"
	}
	return b.String()
}

// directoryStore is a root_dir.
type directoryStore struct{ root string }

func (d *directoryStore) tables(t testing.TB) (map[string][]string, bool) {
	t.Helper()
	all := map[string][]string{}
	folder := filepath.Join(d.root, "p/datasets")
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if all[e.Name()], err = readTable(filepath.Join(folder, e.Name())); err != nil {
			t.Error(err)
		}
	}
	return all, true
}

func (d *directoryStore) prepare(testing.TB, meeting) {}

func (d *directoryStore) ready(testing.TB, *mounted, meeting) bool { return false }

func (d *directoryStore) calm(testing.TB) {}

// memoryStore is a row store in another process.
type memoryStore struct {
	e *emulator
}

func (s *memoryStore) tables(t testing.TB) (map[string][]string, bool) {
	t.Helper()
	var state struct {
		Projects []struct {
			Name   string
			Tables []struct {
				Kind, Name string
				Columns    []struct{ Name string }
				Rows       []struct{ Cells map[string]*string }
			}
		}
	}
	s.e.call(t, "GET", "/_emulator/state", nil, &state)
	all := map[string][]string{}
	for _, p := range state.Projects {
		for _, table := range p.Tables {
			var header []string
			for _, c := range table.Columns {
				header = append(header, c.Name)
			}
			lines := []string{strings.Join(header, ",")}
			for _, row := range table.Rows {
				var cells []string
				for _, c := range header {
					cell := ""
					if text := row.Cells[c]; text != nil {
						cell = *text
					}
					cells = append(cells, cell)
				}
				lines = append(lines, strings.Join(cells, ","))
			}
			all[table.Name+".csv"] = lines
		}
	}
	return all, false
}

func (s *memoryStore) prepare(t testing.TB, how meeting) {
	t.Helper()
	const write, read = `rows:apply|^/projects/p/datasets$`, `/rows$`
	s.e.call(t, "DELETE", "/_emulator/calls", nil, nil)
	switch how {
	case pushOpen:
		s.e.faults(t, fault{Method: "POST", Path: write, Action: "stall"})
	case appliedUnanswered:
		// What became of it can't be looked up either before the kill.
		s.e.faults(t, fault{Method: "POST", Path: write, Action: "apply_then_drop"},
			fault{Method: "GET", Path: read, Action: "stall"}, fault{Method: "GET", Path: `^/projects/p$`, Action: "stall"})
	}
}

// meetWithin is how long a kill waits for its moment, which comes with the next push.
const meetWithin = 5 * time.Second

// met waits for the moment of a kill at a store that is an emulator.
func (e *emulator) met(t testing.TB, m *mounted, how meeting) bool {
	t.Helper()
	for deadline := time.Now().Add(meetWithin); time.Now().Before(deadline); {
		switch how {
		case pushOpen:
			for _, table := range m.Status().Tables {
				if table.State == "pushing" {
					return true
				}
			}
		case appliedUnanswered:
			var calls []struct {
				Method string
				Status int
			}
			e.call(t, "GET", "/_emulator/calls", nil, &calls)
			for _, c := range calls {
				if c.Method != "GET" && c.Status == 0 {
					return true
				}
			}
		default:
			return true
		}
		time.Sleep(2 * time.Millisecond) //nolint:forbidigo // polls another process: the moment is short
	}
	return false
}

func (s *memoryStore) ready(t testing.TB, m *mounted, how meeting) bool {
	t.Helper()
	return s.e.met(t, m, how)
}

func (s *memoryStore) calm(t testing.TB) {
	t.Helper()
	s.e.call(t, "DELETE", "/_emulator/faults", nil, nil)
}
