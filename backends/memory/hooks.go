package memory

import (
	"context"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// Verb is what a call to a Store does.
type Verb string

// The verbs.
const (
	VerbList   Verb = "list"
	VerbCreate Verb = "create"
	VerbDelete Verb = "delete"
	VerbLoad   Verb = "load"
	VerbApply  Verb = "apply"
	VerbRename Verb = "rename"
	VerbProbe  Verb = "probe"
	VerbGet    Verb = "get"
	VerbFind   Verb = "find"
)

// Call is one call to a Store, as hooks see it.
type Call struct {
	Verb  Verb
	Ref   backends.Ref
	Batch *backends.Batch // VerbApply only
}

// Hooks let a test stand between a Store and its caller. Each may be nil. They
// run without the store's lock, so they may block and may use the store.
type Hooks struct {
	// Before runs before anything has happened. An error is the answer, and
	// nothing happens.
	Before func(ctx context.Context, call Call) error
	// After runs when everything has happened. An error replaces the answer: an
	// answer that was lost on its way.
	After func(ctx context.Context, call Call) error
	// Row is asked about every row change. An error refuses that row.
	// It runs under the store's lock and must not use the store.
	Row func(ref backends.Ref, change table.Change) error
}

// SetHooks replaces the hooks of the store.
func (s *Store) SetHooks(hooks Hooks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = hooks
}

// during runs work under the store's lock, with the hooks around it.
func during[T any](ctx context.Context, s *Store, call Call, work func() (T, error)) (T, error) {
	var none T
	s.mu.Lock()
	hooks := s.hooks
	s.mu.Unlock()
	if hooks.Before != nil {
		if err := hooks.Before(ctx, call); err != nil {
			return none, err
		}
	}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	s.mu.Lock()
	result, err := work()
	s.mu.Unlock()
	if hooks.After != nil {
		if err := hooks.After(ctx, call); err != nil {
			return none, err
		}
	}
	return result, err
}
