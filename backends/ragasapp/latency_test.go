package ragasapp_test

import (
	"os"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasservice"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// A cold table of 100 pages takes few round trips: RAGASFS_FULL=1, for it
// measures time, which a busy machine has not.
func TestColdLoadTakesFewRoundTrips(t *testing.T) {
	if os.Getenv("RAGASFS_FULL") == "" {
		t.Skip("measures time; set RAGASFS_FULL=1")
	}
	const latency, trips = 50 * time.Millisecond, 12
	b := newBench(t, ragasstore.Switches{MaxPage: 100}, 10_000, nil)
	b.service = ragasservice.New(ragasservice.Workspaces{token: b.store}, ragasservice.Options{Latency: latency})
	start := time.Now()
	made := b.calls(func() {
		if rows, _, err := b.load(t); err != nil || len(rows) != 10_000 {
			t.Errorf("%d rows, error %v", len(rows), err)
		}
	})
	took := time.Since(start)
	t.Logf("%d calls in %s: %.1f round trips", len(made), took, float64(took)/float64(latency))
	if len(made) > 102 || took > trips*latency {
		t.Errorf("%d calls in %s, want at most 102 in %s", len(made), took, trips*latency)
	}
}
