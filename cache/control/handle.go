package control

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/ragasfs/ragasfs/cache"
)

// handle does what a request asks and returns the last line of the answer.
func (s *Server) handle(ctx context.Context, r Request, out *answer) message {
	var m message
	var err error
	switch r.Op {
	case OpInfo:
		info := s.host.Info()
		m.Info = &info
	case OpStatus:
		var status cache.Status
		if status, err = s.store.Status(r.Path); err == nil {
			m.Status = &status
		}
	case OpFlush:
		err = s.store.Flush(ctx, r.Paths, r.Retry, out.progress)
	case OpDrain:
		err = s.store.Drain(ctx, out.progress)
	case OpConfirm:
		err = s.store.Confirm(ctx, r.Path)
	case OpDiscard:
		err = s.store.Discard(ctx, r.Path)
	case OpRefresh:
		err = s.store.Refresh(ctx, r.Path)
	case OpDiff:
		err = s.store.Diff(ctx, r.Path, out)
	case OpFind:
		m.Count, err = s.store.Find(ctx, r.Path, r.Column, r.Value, out)
	case OpEnd:
		s.host.End(r.Wait)
	default:
		err = fmt.Errorf("%w: request %q; is the mount of another version? unmount and mount again", ErrProtocol, r.Op)
	}
	m.Error = encodeError(err)
	return m
}

// answer writes the lines of one answer. Its methods may be called from any
// goroutine. A client that can't be written to is gone: the request is cancelled.
type answer struct {
	cancel context.CancelFunc

	mu      sync.Mutex // guards the rest
	encoder *json.Encoder
	ended   bool
	err     error
}

func (a *answer) send(m message) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err == nil && !a.ended {
		a.ended = m.Done
		if a.err = a.encoder.Encode(m); a.err != nil {
			a.cancel()
		}
	}
	return a.err
}

func (a *answer) progress(p cache.Progress) {
	_ = a.send(message{Progress: &p}) // kept in a.err; the request is cancelled
}

func (a *answer) last(m message) {
	m.Done = true
	_ = a.send(m) // nobody is left to tell
}

// Write sends p as output.
func (a *answer) Write(p []byte) (int, error) {
	if err := a.send(message{Output: p}); err != nil {
		return 0, err
	}
	return len(p), nil
}
