package control

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
)

// ErrNoDaemon: nobody listens on the socket.
var ErrNoDaemon = errors.New("no ragasfs process answers")

// ErrProtocol: the other side speaks something else (another version).
var ErrProtocol = errors.New("unexpected message on the control socket")

// sentinel is an error that keeps its identity on the wire, under a code that
// never changes.
type sentinel struct {
	code string
	err  error
}

// sentinels returns all of them. TestEverySentinelIsKnown compares the list with
// the source of the packages.
func sentinels() []sentinel {
	return []sentinel{
		{"invalid", cache.ErrInvalid},
		{"stale", cache.ErrStale},
		{"cross-kind", cache.ErrCrossKind},
		{"directory-not-empty", cache.ErrNotEmpty},
		{"name", cache.ErrName},
		{"read-only", cache.ErrReadOnly},
		{"not-permitted", cache.ErrNotPermitted},
		{"unsupported", cache.ErrUnsupported},
		{"is-dir", cache.ErrIsDir},
		{"not-dir", cache.ErrNotDir},
		{"pending", cache.ErrPending},
		{"in-use", cache.ErrInUse},
		{"other-store", cache.ErrOtherStore},
		{"newer-state", cache.ErrNewerState},

		{"store-not-found", backends.ErrNotFound},
		{"store-exists", backends.ErrExists},
		{"store-conflict", backends.ErrConflict},
		{"store-refused", backends.ErrRefused},
		{"store-unavailable", backends.ErrUnavailable},
		{"store-unknown", backends.ErrUnknown},
		{"store-auth", backends.ErrAuth},
		{"store-incomplete", backends.ErrIncomplete},
		{"store-not-empty", backends.ErrNotEmpty},
		{"store-unsupported", backends.ErrUnsupported},
		{"backend-not-found", backends.ErrBackendNotFound},
		{"option", backends.ErrOption},

		{"not-exist", fs.ErrNotExist},
		{"exist", fs.ErrExist},
		{"permission", fs.ErrPermission},
		{"no-space", syscall.ENOSPC},
		{"canceled", context.Canceled},
		{"deadline", context.DeadlineExceeded},
		{"protocol", ErrProtocol},
		{"no-daemon", ErrNoDaemon},
	}
}

// wireError is an error on the wire.
type wireError struct {
	Text string `json:"text"`
	// Kinds are the codes of all sentinels that the error is. Codes that the
	// client does not know (an older one) are ignored.
	Kinds []string `json:"kinds,omitempty"`
}

func encodeError(err error) *wireError {
	if err == nil {
		return nil
	}
	wire := &wireError{Text: err.Error()}
	for _, s := range sentinels() {
		if errors.Is(err, s.err) {
			wire.Kinds = append(wire.Kinds, s.code)
		}
	}
	return wire
}

// decodeError returns an error with the text of the one that was encoded, that
// is each of its sentinels.
func decodeError(wire *wireError) error {
	if wire == nil {
		return nil
	}
	remote := &remoteError{text: wire.Text}
	for _, s := range sentinels() {
		for _, kind := range wire.Kinds {
			if s.code == kind {
				remote.kinds = append(remote.kinds, s.err)
			}
		}
	}
	return remote
}

type remoteError struct {
	text  string
	kinds []error
}

func (e *remoteError) Error() string { return e.text }

// Unwrap lets errors.Is find the sentinels.
func (e *remoteError) Unwrap() []error { return e.kinds }
