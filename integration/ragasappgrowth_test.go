package integration

import (
	"context"
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
		if kib, there := residentKiB(pid); there {
			memory = append(memory, kib)
			r := m.Run("status", m.Dir) // it may be going at this moment
			eta = eta || strings.Contains(r.Out, "ETA")
		}
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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	unmounted := make(chan result, 1)
	go func() { unmounted <- run(t, m.command(ctx, "unmount", m.Dir)) }()
	ended := result{Code: -1}
	for going := true; going; {
		select {
		case ended = <-unmounted:
			going = false
		case <-time.After(100 * time.Millisecond):
			look()
		}
	}
	pushed := time.Since(start)
	if ended.Code != 0 {
		t.Errorf("unmount: exit code %d, %s", ended.Code, ended.Err)
	}
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
	t.Logf("%d rows: a write took %s (middle), %s (one in a thousand), %s at most; unmounted %s after the last; %d to %d MiB resident; ETA shown: %t",
		rows, middle, took[len(took)*999/1000], slowest, pushed.Round(time.Millisecond), slices.Min(memory)>>10, slices.Max(memory)>>10, eta)
	if slow := took[len(took)*99/100]; slow > 200*time.Millisecond { // the machine may be busy; a push takes seconds
		t.Errorf("one write in a hundred took %s", slow)
	}
	if !eta && rows > 10_000 { // fewer are sent before anybody looks
		t.Error("the status never showed an ETA")
	}
	if most := slices.Max(memory) >> 10; most > 200 {
		t.Errorf("%d MiB resident", most)
	}
}

// residentKiB is the memory of a process, if there is one.
func residentKiB(pid int) (kib int, there bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err = strconv.Atoi(strings.Fields(value)[0])
			return kib, err == nil
		}
	}
	return 0, false
}
