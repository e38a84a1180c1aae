package cache

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// health is what is known of the way to the store.
type health struct {
	mu      sync.Mutex
	state   string        // guarded by mu: online, offline, auth
	reason  string        // guarded by mu: of the last failure
	changed chan struct{} // guarded by mu: closed and replaced when the state changes
}

func newHealth() *health { return &health{state: "online", changed: make(chan struct{})} }

// failed notes a failed call and returns how long the store wants to be left alone.
func (h *health) failed(err error) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case errors.Is(err, backends.ErrAuth):
		h.set("auth", err)
	case errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrUnknown),
		errors.Is(err, backends.ErrIncomplete), errors.Is(err, context.DeadlineExceeded):
		h.set("offline", err)
	}
	var after *backends.RetryAfter
	if errors.As(err, &after) {
		return after.Wait
	}
	return 0
}

// set is called with mu held.
func (h *health) set(state string, err error) {
	h.reason = err.Error()
	if h.state != state {
		h.state = state
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

func (h *health) succeeded() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reason = ""
	if h.state != "online" {
		h.state = "online"
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

func (h *health) get() (state, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.state, h.reason
}

// The bounds of the wait between tries. There is no limit to the number of tries.
const (
	minBackoff = 500 * time.Millisecond
	maxBackoff = 30 * time.Second
)

// nextBackoff doubles the wait, with jitter.
func nextBackoff(last time.Duration) time.Duration {
	next := max(2*last, minBackoff)
	next = min(next, maxBackoff)
	return next - time.Duration(rand.Int64N(int64(next/4)+1))
}

// remedy says what a person can do about a failed call.
func remedy(err error) string {
	switch {
	case errors.Is(err, backends.ErrAuth):
		return "renew the credentials; nothing is lost, it goes on by itself"
	case errors.Is(err, backends.ErrUnavailable), errors.Is(err, backends.ErrUnknown), errors.Is(err, backends.ErrIncomplete):
		return "none needed: it is tried again"
	case errors.Is(err, backends.ErrConflict):
		return "none needed: it is merged and tried again"
	case errors.Is(err, backends.ErrRefused):
		return "change what the store refuses, or ragasfs discard"
	}
	return "see the error; it is tried again"
}
