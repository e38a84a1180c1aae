package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// gate stands between the cache and a store. It lets calls take time or fail,
// holds them up, and remembers them.
type gate struct {
	backends.Backend

	mu      sync.Mutex
	latency time.Duration                             // guarded by mu: of every call
	before  func(verb string, ref backends.Ref) error // guarded by mu: an error is the answer, nothing happens
	after   func(verb string, ref backends.Ref) error // guarded by mu: it has happened, the answer is this
	tries   []gateCall                                // guarded by mu: all calls
	calls   []gateCall                                // guarded by mu: all that reached the store
}

type gateCall struct {
	verb  string
	ref   backends.Ref
	when  time.Time
	batch backends.Batch
}

// errAway and its like are what a store that can't be used answers.
var (
	errAway       = fmt.Errorf("no route to host: %w", backends.ErrUnavailable)
	errLostAnswer = fmt.Errorf("connection reset: %w", backends.ErrUnknown)
)

// set changes how the gate behaves.
func (g *gate) set(change func(g *gate)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// fail lets calls of these verbs (none: all) fail with err until heal.
func (g *gate) fail(err error, verbs ...string) {
	g.set(func(g *gate) {
		g.before = func(verb string, _ backends.Ref) error {
			if len(verbs) == 0 || slices.Contains(verbs, verb) {
				return err
			}
			return nil
		}
	})
}

// failTimes lets the next n calls of the verb fail.
func (g *gate) failTimes(n int, verb string, err error) {
	g.set(func(g *gate) {
		g.before = func(v string, _ backends.Ref) error {
			if v != verb || n == 0 {
				return nil
			}
			n--
			return err
		}
	})
}

// loseAnswers lets the answers of the next n calls of the verb be lost.
func (g *gate) loseAnswers(n int, verb string) {
	g.set(func(g *gate) {
		g.after = func(v string, _ backends.Ref) error {
			if v != verb || n == 0 {
				return nil
			}
			n--
			return errLostAnswer
		}
	})
}

// heal takes back all of that.
func (g *gate) heal() { g.set(func(g *gate) { g.before, g.after = nil, nil }) }

// during runs f once, between the cache's decision and the store's answer: when
// the next call of the verb has been made and has not reached the store.
func (g *gate) during(verb string, f func()) {
	done := false
	g.set(func(g *gate) {
		g.before = func(v string, _ backends.Ref) error {
			g.mu.Lock()
			mine := v == verb && !done
			done = done || mine
			g.mu.Unlock()
			if mine {
				f()
			}
			return nil
		}
	})
}

// made are the calls of these verbs that have reached the store.
func (g *gate) made(verbs ...string) []gateCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	return ofVerbs(g.calls, verbs)
}

// tried are the calls of these verbs that were made, whatever became of them.
func (g *gate) tried(verbs ...string) []gateCall {
	g.mu.Lock()
	defer g.mu.Unlock()
	return ofVerbs(g.tries, verbs)
}

func ofVerbs(calls []gateCall, verbs []string) []gateCall {
	var list []gateCall
	for _, c := range calls {
		if slices.Contains(verbs, c.verb) {
			list = append(list, c)
		}
	}
	return list
}

// pass is the way of one call.
func (g *gate) pass(ctx context.Context, call gateCall, do func() error) error {
	g.mu.Lock()
	latency, before, after := g.latency, g.before, g.after
	call.when = time.Now()
	g.tries = append(g.tries, call)
	g.mu.Unlock()
	if latency > 0 {
		wait := time.NewTimer(latency)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), backends.ErrUnavailable)
		}
	}
	if before != nil {
		if err := before(call.verb, call.ref); err != nil {
			return err
		}
	}
	call.when = time.Now()
	g.set(func(g *gate) { g.calls = append(g.calls, call) })
	if err := do(); err != nil {
		return err
	}
	if after != nil {
		return after(call.verb, call.ref)
	}
	return nil
}

func (g *gate) List(ctx context.Context, scope backends.Ref) (list []backends.Entry, err error) {
	err = g.pass(ctx, gateCall{verb: "list", ref: scope}, func() (err error) {
		list, err = g.Backend.List(ctx, scope)
		return err
	})
	return list, err
}

func (g *gate) Create(ctx context.Context, request backends.Create) (entry backends.Entry, err error) {
	err = g.pass(ctx, gateCall{verb: "create", ref: request.Ref}, func() (err error) {
		entry, err = g.Backend.Create(ctx, request)
		return err
	})
	return entry, err
}

func (g *gate) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	return g.pass(ctx, gateCall{verb: "delete", ref: ref}, func() error { return g.Backend.Delete(ctx, ref, base) })
}

func (g *gate) Load(ctx context.Context, ref backends.Ref) (loaded *backends.Loaded, err error) {
	err = g.pass(ctx, gateCall{verb: "load", ref: ref}, func() (err error) {
		loaded, err = g.Backend.Load(ctx, ref)
		return err
	})
	return loaded, err
}

func (g *gate) Apply(ctx context.Context, batch backends.Batch) (result backends.Result, err error) {
	err = g.pass(ctx, gateCall{verb: "apply", ref: batch.Ref, batch: batch}, func() (err error) {
		result, err = g.Backend.Apply(ctx, batch)
		return err
	})
	if err != nil {
		return backends.UnknownResult(batch, err), err
	}
	return result, nil
}

// Rename implements backends.Renamer.
func (g *gate) Rename(ctx context.Context, ref backends.Ref, name string) (entry backends.Entry, err error) {
	err = g.pass(ctx, gateCall{verb: "rename", ref: ref}, func() (err error) {
		entry, err = g.Backend.(backends.Renamer).Rename(ctx, ref, name)
		return err
	})
	return entry, err
}

// Probe implements backends.Prober.
func (g *gate) Probe(ctx context.Context, ref backends.Ref) (entry backends.Entry, err error) {
	err = g.pass(ctx, gateCall{verb: "probe", ref: ref}, func() (err error) {
		entry, err = g.Backend.(backends.Prober).Probe(ctx, ref)
		return err
	})
	return entry, err
}
