package integration

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestRagasAppGrowth appends rows in a loop, as a long run of an experiment
// does, while they are being pushed: the writer is never slowed, the daemon's
// memory stays flat, the status says how long it will take, and unmounting ends
// with every row in the store. With RAGASFS_FULL=1 there are 100,000.
func TestRagasAppGrowth(t *testing.T) {
	t.Parallel()
	rows := 3000
	if os.Getenv("RAGASFS_FULL") != "" {
		rows = 100_000
	}
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	other.rows(other.table(other.project("p"), "datasets", "qa", bigColumns), 3, bigRow)
	m.Mount()
	m.Read(qa)
	pid := m.Status().PID
	f, err := os.OpenFile(m.Path(qa), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	var memory []int
	eta := false
	look := func() {
		memory = append(memory, residentKiB(t, pid))
		eta = eta || strings.Contains(strings.Join(m.Status().Notices, "\n"), "ETA")
	}
	for i := range rows {
		start := time.Now()
		if _, err := fmt.Fprintf(f, ",\"appended row %d, with some text\",%d,True\n", i, i); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(start))
		if i%(rows/50) == 0 {
			look()
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	eventuallyWithin(t, 10*time.Minute, "all rows are sent", func() bool {
		look()
		return len(m.Status().Tables) == 0
	})
	pushed := time.Since(start)
	m.Unmount()
	held := e.ragasState(t)["p/datasets/qa"]
	seen := map[string]bool{}
	for _, r := range held.Rows {
		seen[string(r.Cells["q"])] = true
	}
	if len(held.Rows) != rows+3 || len(seen) != rows+3 {
		t.Errorf("the server has %d rows, %d of them different, want %d", len(held.Rows), len(seen), rows+3)
	}
	slices.Sort(took)
	slowest, middle := took[len(took)-1], took[len(took)/2]
	t.Logf("%d rows: a write took %s (middle), %s (one in a thousand), %s at most; sent %s after the last; %d to %d MiB resident; ETA shown: %t",
		rows, middle, took[len(took)*999/1000], slowest, pushed.Round(time.Millisecond), slices.Min(memory)>>10, slices.Max(memory)>>10, eta)
	if took[len(took)*99/100] > 20*time.Millisecond {
		t.Errorf("one write in a hundred took %s", took[len(took)*99/100])
	}
	if !eta {
		t.Error("the status never showed an ETA")
	}
	if most := slices.Max(memory) >> 10; most > 200 {
		t.Errorf("%d MiB resident", most)
	}
}

// residentKiB is the memory of a process.
func residentKiB(t testing.TB, pid int) int {
	t.Helper()
	for line := range strings.Lines(readFile(t, fmt.Sprintf("/proc/%d/status", pid))) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no VmRSS of process %d", pid)
	return 0
}

// eventuallyWithin is eventually for what takes its time.
func eventuallyWithin(t testing.TB, limit time.Duration, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); !condition(); <-ticker.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}
