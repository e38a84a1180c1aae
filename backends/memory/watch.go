package memory

import (
	"context"

	"github.com/ragasfs/ragasfs/backends"
)

// watchBacklog is how many changes a slow watcher may be behind before it is
// told "anything" instead.
const watchBacklog = 256

// Watch implements backends.Watcher. It reports every change, also the
// caller's own.
func (s *Store) Watch(ctx context.Context, changed func(backends.Ref)) error {
	changes := make(chan backends.Ref, watchBacklog)
	s.mu.Lock()
	s.watchers[changes] = struct{}{}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, changes)
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ref := <-changes:
			if len(changes) >= cap(changes)-1 {
				ref = backends.Ref{} // the next ones may have been dropped
			}
			changed(ref)
		}
	}
}

// changed tells all watchers. It never waits: what does not fit is dropped,
// and Watch, which then finds its backlog full, reports "anything".
func (s *Store) changed(ref backends.Ref) {
	for changes := range s.watchers {
		select {
		case changes <- ref:
		default:
		}
	}
}
