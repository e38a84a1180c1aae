package boxcsv

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/time/rate"

	"github.com/ragasfs/ragasfs/backends"
)

// budget is one of the limits that Box documents.
type budget struct {
	name    string
	limiter *rate.Limiter
	waiting atomic.Int64
}

func newBudget(name string, perSecond rate.Limit, burst int) *budget {
	return &budget{name: name, limiter: rate.NewLimiter(perSecond, burst)}
}

// wait returns when the limit allows a call.
func (b *budget) wait(ctx context.Context) error {
	b.waiting.Add(1)
	defer b.waiting.Add(-1)
	err := b.limiter.Wait(ctx)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%w: the %s that Box allows are used up: %w", backends.ErrUnavailable, b.name, err)
}

func (b *budget) limit() backends.Limit {
	const minute = 60
	return backends.Limit{
		Name: b.name, PerMinute: int(float64(b.limiter.Limit()) * minute), Burst: b.limiter.Burst(),
		Left: max(0, int(b.limiter.Tokens())), Waiting: int(b.waiting.Load()),
	}
}

// Limits implements backends.Limited.
func (b *Backend) Limits() []backends.Limit {
	return []backends.Limit{b.client.calls.limit(), b.client.uploads.limit()}
}
