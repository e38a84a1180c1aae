package backendtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

func cancelRules() []rule {
	return []rule{
		{name: "CancelledBeforeDoesNothing", check: cancelledBefore},
		{name: "CancelledLoadFails", check: cancelledLoad},
		{name: "CancelledApplyIsUnknown", check: cancelledApply, needs: (*suite).injects},
	}
}

// patience is how long a cancelled call may take at most.
const patience = 10 * time.Second

// demandCancelled demands an error that says why: the context, or a sentinel.
func demandCancelled(t *testing.T, what string, ctx context.Context, err error) { //nolint:revive // t comes first in tests
	t.Helper()
	if err == nil {
		t.Errorf("%s succeeded although it was cancelled", what)
		return
	}
	if !errors.Is(err, ctx.Err()) && !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, backends.ErrUnknown) {
		t.Errorf("%s: error %v is neither the context's nor of the contract", what, err)
	}
}

func cancelledBefore(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Backend.List(ctx, s.project)
	demandCancelled(t, "List", ctx, err)
	_, err = s.Backend.Create(ctx, s.creation("other", qa.content))
	demandCancelled(t, "Create", ctx, err)
	demandCancelled(t, "Delete", ctx, s.Backend.Delete(ctx, qa.ref, ""))
	_, _, err = s.load(ctx, qa.ref)
	demandCancelled(t, "Load", ctx, err)
	_, err = s.Backend.Apply(ctx, qa.batch(qa.content.without(1)))
	demandCancelled(t, "Apply", ctx, err)
	demandNames(t, s.names(t, s.project), "datasets/qa")
	qa.check(t)
}

// cancelledLoad: a load that was cancelled half-way never looks like a whole one.
func cancelledLoad(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(5000))
	ctx, cancel := context.WithCancel(t.Context())
	loaded, err := s.Backend.Load(ctx, qa.ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	defer loaded.Close() //nolint:errcheck // it fails below
	cancel()
	got, err := s.drain(loaded)
	if err == nil && got == s.canonical(qa.content) {
		return // all of it was there already
	}
	if err == nil {
		t.Fatalf("a cancelled load ends without an error: %s", difference(got, s.canonical(qa.content)))
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, backends.ErrIncomplete) {
		t.Errorf("error %v is neither the context's nor of the contract", err)
	}
}

// cancelledApply: nobody knows what became of a request without an answer. On a
// busy machine the end comes before there is a request: then it comes later.
func cancelledApply(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	batch := qa.batch(qa.content.without(1))
	var result backends.Result
	var err error
	for limit := patience / 100; ; limit *= 4 {
		s.Inject(t, Apply, Silent)
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		start := time.Now()
		result, err = s.Backend.Apply(ctx, batch)
		cancel()
		if took := time.Since(start); took > limit+patience {
			t.Errorf("Apply took %s after it was cancelled", took-limit)
		}
		early := errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, backends.ErrUnknown) && len(result.Outcomes) == 0
		if !early || limit > patience {
			break
		}
	}
	demandError(t, "a cancelled Apply", err, backends.ErrUnknown)
	demandUnknown(t, batch, result)
}

// demandUnknown demands that nothing is claimed about any change.
func demandUnknown(t *testing.T, batch backends.Batch, result backends.Result) {
	t.Helper()
	if len(result.Outcomes) != len(batch.Changes.Rows) {
		t.Fatalf("%d outcomes for %d changes", len(result.Outcomes), len(batch.Changes.Rows))
	}
	for i, o := range result.Outcomes {
		if o.Verdict != backends.Unknown || o.Err == nil {
			t.Errorf("change %d: verdict %d, error %v; want unknown and why", i, o.Verdict, o.Err)
		}
	}
}
