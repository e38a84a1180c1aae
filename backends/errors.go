package backends

import (
	"errors"
	"time"
)

// The sentinel errors of the contract. Test with errors.Is. The text of the
// error that wraps them says what happened to which object.
var (
	// ErrNotFound: the object is certainly not there (a complete answer said so).
	ErrNotFound = errors.New("not found in the store")
	// ErrExists: the name or id is taken.
	ErrExists = errors.New("already exists in the store")
	// ErrConflict: the object is not at the expected version; nothing changed.
	ErrConflict = errors.New("changed in the store meanwhile")
	// ErrRefused: the store does not take it and never will as it is.
	ErrRefused = errors.New("refused by the store")
	// ErrUnavailable: network, timeouts, overload. Nothing changed; try again later.
	ErrUnavailable = errors.New("store not reachable")
	// ErrUnknown: it may have happened. Read before repeating.
	ErrUnknown = errors.New("outcome not known")
	// ErrAuth: the credentials are missing, wrong or expired.
	ErrAuth = errors.New("not authorised")
	// ErrIncomplete: an answer was short, garbled or contradicted itself.
	ErrIncomplete = errors.New("incomplete answer from the store")
	// ErrNotEmpty: a project that still holds something.
	ErrNotEmpty = errors.New("not empty")
	// ErrUnsupported: this store can't do that.
	ErrUnsupported = errors.New("not supported by this backend")
	// ErrBackendNotFound: no backend of that name is registered.
	ErrBackendNotFound = errors.New("backend not found")
	// ErrOption: an option is unknown, missing or has a bad value.
	ErrOption = errors.New("bad option")
)

// RetryAfter wraps an ErrUnavailable (or an ErrUnknown, after a write) for which
// the store said when to come back. Find it with errors.As.
type RetryAfter struct {
	Err  error
	Wait time.Duration // not negative
}

func (e *RetryAfter) Error() string { return e.Err.Error() }

// Unwrap returns the wrapped error.
func (e *RetryAfter) Unwrap() error { return e.Err }
