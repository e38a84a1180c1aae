package ragasapp

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// gate is what all requests to one server pass: so many at a time, and none
// before the moment that the server named in a Retry-After.
type gate struct {
	places chan struct{}

	mu    sync.Mutex
	opens time.Time
}

func newGate(places int) *gate { return &gate{places: make(chan struct{}, places)} }

// enter waits for a place. It waits at most longest for the server's moment:
// if that is later, it answers at once when to come back. leave must follow
// unless there is an error.
func (g *gate) enter(ctx context.Context, longest time.Duration) error {
	select {
	case g.places <- struct{}{}:
	case <-ctx.Done():
		return cancelled(ctx.Err(), ctx.Err())
	}
	for {
		wait := g.closedFor()
		if wait <= 0 {
			return nil
		}
		if wait > longest {
			g.leave()
			return &backends.RetryAfter{Wait: wait, Err: fmt.Errorf("the server asked to wait another %s: %w", wait.Round(time.Second), backends.ErrUnavailable)}
		}
		if err := sleep(ctx, wait); err != nil {
			g.leave()
			return cancelled(err, err)
		}
	}
}

func (g *gate) leave() { <-g.places }

// closeFor keeps the gate closed for a while from now.
func (g *gate) closeFor(wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if opens := time.Now().Add(wait); opens.After(g.opens) {
		g.opens = opens
	}
}

func (g *gate) closedFor() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.opens)
}
