package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// recognition finds out, once per mount, whether the store is the one that was
// mounted before, where nothing but its content can tell: a key may open another
// workspace at the same address. One known project among those listed is enough.
// Until then nothing is sent, and a list without any of them is not believed.
type recognition struct {
	c *Cache

	mu      sync.Mutex
	done    bool      // guarded by mu
	strange time.Time // guarded by mu: since when all that was known is missing
}

// strangeFor is how long all known projects must be missing until that is
// believed, if nothing is pending.
const strangeFor = time.Minute

// ensure asks the store for its projects unless it is recognised already.
func (r *recognition) ensure(ctx context.Context) error {
	r.mu.Lock()
	done := r.done
	r.mu.Unlock()
	if done {
		return nil
	}
	if known, _ := r.count(nil); known == 0 {
		return r.look(nil)
	}
	entries, err := r.c.store.List(ctx, backends.Ref{})
	if err != nil {
		return fmt.Errorf("looking whether it is the same store: %w", err)
	}
	return r.look(entries)
}

// look takes a complete list of projects. The error wraps ErrOtherStore.
func (r *recognition) look(entries []backends.Entry) error {
	known, found := r.count(entries)
	pending := r.c.anythingPending()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.done:
		return nil
	case known == 0 || found > 0:
		r.done, r.strange = true, time.Time{}
		return nil
	case r.strange.IsZero():
		r.strange = time.Now()
		r.c.log.Error("none of the known projects is there: another workspace? Nothing is sent, what is cached stays",
			"known", known, "listed", len(entries), "remedy", "mount with the right key, or discard what is pending")
	case !pending && time.Since(r.strange) >= strangeFor:
		r.done, r.strange = true, time.Time{}
		return nil
	}
	return fmt.Errorf("none of the known projects is there: %w: mount with the right key, or discard what is pending", ErrOtherStore)
}

// isStrange reports whether the store seems to be another one.
func (r *recognition) isStrange() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.strange.IsZero()
}

// count counts the projects that were in the store, and those of them that are listed.
func (r *recognition) count(entries []backends.Entry) (known, found int) {
	listed := map[string]bool{}
	for _, e := range entries {
		listed[e.Ref.ProjectID] = true
	}
	c := r.c
	c.names.Lock()
	defer c.names.Unlock()
	for _, p := range c.projects {
		if !p.rec.InStore || p.rec.Ref.ProjectID == "" {
			continue
		}
		known++
		if listed[p.rec.Ref.ProjectID] {
			found++
		}
	}
	return known, found
}
