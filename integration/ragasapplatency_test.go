package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestRagasAppLatency reads and edits a table of 10,000 rows at a server that is
// 50 ms away, beside a client that does one thing after the other. What it costs
// in time is checked with RAGASFS_FULL=1, on a machine that has nothing else to
// do; what it costs in calls and connections always.
func TestRagasAppLatency(t *testing.T) {
	const (
		rows, pages = 10_000, 100
		changed     = 1000
		sample      = 50 // rows that the sequential client changes
	)
	latency := 50 * time.Millisecond
	full := os.Getenv("RAGASFS_FULL") != ""
	if !full {
		t.Parallel()
		latency = 5 * time.Millisecond
	}
	m, e := prepareRagas(t, "--max-page", "100")
	r := newRelay(t, e.Address)
	m.options = append(m.options, "api_url=http://"+r.address)
	other := newPeer(t, e)
	path := other.table(other.project("p"), "datasets", "qa", bigColumns)
	other.rows(path, rows, bigRow)
	m.Mount()
	e.faults(t, fault{Action: "stall", Delay: latency.String()}) // goes on after it
	cold := e.timed(t, func() {
		if got := strings.Count(m.Read(qa), "\n"); got != rows+1 {
			t.Errorf("%d lines", got)
		}
	})
	t.Logf("a cold load: %d calls in %s, %.1f round trips, at most %d connections", len(cold.calls), cold.took, float64(cold.took)/float64(latency), r.mostOpen())
	if len(cold.calls) > pages+2 {
		t.Errorf("a cold load took %d calls, want at most %d%s", len(cold.calls), pages+2, summary(cold.calls))
	}
	if most := r.mostOpen(); most > 16 {
		t.Errorf("%d connections", most)
	}
	start := time.Now()
	for i := range sample {
		other.set(path, rowName(i), fmt.Sprintf(`{"c-n": %d}`, i))
	}
	sequential := time.Since(start) / sample * changed
	m.must("refresh", m.Path(qa))
	records := m.records(qa)
	for i := range changed {
		records[1+i*(rows/changed)][1] = fmt.Sprint("edit ", i)
	}
	push := e.timed(t, func() { m.save(qa, records) })
	t.Logf("%d changed rows: %d calls in %s, %.2f of the %s of a sequential client", changed, len(push.calls), push.took, float64(push.took)/float64(sequential), sequential)
	if most := changed + pages + 2; len(push.calls) > most {
		t.Errorf("%d changed rows took %d calls, want at most %d%s", changed, len(push.calls), most, summary(push.calls))
	}
	if !full {
		return
	}
	if cold.took > 12*latency {
		t.Errorf("a cold load took %s, want at most 12 round trips", cold.took)
	}
	if push.took > sequential/6 {
		t.Errorf("%d changed rows took %s, want at most a sixth of %s", changed, push.took, sequential)
	}
}

// timing is what something took.
type timing struct {
	calls []ragasCall
	took  time.Duration
}

func (e *emulator) timed(t testing.TB, f func()) (x timing) {
	t.Helper()
	x.calls = e.callsOf(t, func() {
		start := time.Now()
		f()
		x.took = time.Since(start)
	})
	return x
}
