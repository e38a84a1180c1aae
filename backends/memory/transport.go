package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
)

// transport sends requests and turns every failure into one of the sentinels.
// It repeats nothing.
type transport struct {
	client  *http.Client
	base    string
	timeout time.Duration
}

// request is one call to the store.
type request struct {
	method, path string
	query        url.Values
	body         any  // sent as JSON; nil: none
	writes       bool // it may change the store: a lost answer is ErrUnknown
}

func newTransport(address string, timeout time.Duration) (transport, error) {
	dialer := net.Dialer{Timeout: timeout}
	network, target, base := "tcp", address, "http://"+address
	if path, unix := strings.CutPrefix(address, "unix:"); unix {
		network, target, base = "unix", path, "http://memory"
	} else if _, _, err := net.SplitHostPort(address); err != nil {
		return transport{}, fmt.Errorf("address=%s: unix:PATH or HOST:PORT is needed: %w", address, backends.ErrOption)
	}
	return transport{
		client: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, target)
			},
			MaxIdleConnsPerHost: 8,
		}},
		base:    base,
		timeout: timeout,
	}, nil
}

// call sends r and decodes the whole answer into answer, which may be nil.
func (t transport) call(ctx context.Context, r request, answer any) error {
	response, err := t.send(ctx, r)
	if err != nil {
		return err
	}
	defer response.close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(response.body).Decode(answer); err != nil {
		return response.lost(fmt.Errorf("answer: %w", err))
	}
	return nil
}

// answer is a good answer whose body is still to be read.
type answer struct {
	body   io.Reader // fails when the store is silent for too long
	close  func()
	ctx    context.Context
	writes bool
}

// lost says what it means that the rest of an answer did not come.
func (a *answer) lost(err error) error {
	if a.writes {
		return unknown(err)
	}
	if ctxErr := a.ctx.Err(); ctxErr != nil {
		return fmt.Errorf("%w: %w", ctxErr, err)
	}
	return fmt.Errorf("%w: %w", backends.ErrIncomplete, err)
}

// send sends r. The caller closes the answer.
func (t transport) send(ctx context.Context, r request) (*answer, error) {
	// The context of the exchange ends when nothing has come for the timeout.
	exchange, cancel := context.WithCancelCause(ctx)
	idle := time.AfterFunc(t.timeout, func() { cancel(errSilent) })
	stop := func() { idle.Stop(); cancel(nil) }

	var connected atomic.Bool // the request may have reached the store
	traced := httptrace.WithClientTrace(exchange, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	httpRequest, err := t.newRequest(traced, r)
	if err != nil {
		stop()
		return nil, err
	}
	response, err := t.client.Do(httpRequest)
	if err != nil {
		defer stop()
		if cause := context.Cause(exchange); errors.Is(cause, errSilent) {
			err = fmt.Errorf("%w within %s", errSilent, t.timeout)
		}
		switch {
		case connected.Load() && r.writes:
			return nil, unknown(err)
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		return nil, fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
	}
	closeAll := func() { _ = response.Body.Close(); stop() } // only read from: nothing can be lost
	if response.StatusCode >= http.StatusBadRequest {
		defer closeAll()
		return nil, failure(response, r.writes)
	}
	return &answer{
		body:   &idleReader{r: response.Body, idle: idle, timeout: t.timeout},
		close:  closeAll,
		ctx:    ctx,
		writes: r.writes,
	}, nil
}

var errSilent = errors.New("the store gave no sign")

func (t transport) newRequest(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", backends.ErrRefused, err)
		}
		body = bytes.NewReader(encoded)
	}
	target := t.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	httpRequest, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", backends.ErrRefused, err)
	}
	if body != nil {
		httpRequest.Header.Set("Content-Type", "application/json")
	}
	return httpRequest, nil
}

// unknown marks the failure of a request that the store may have carried out.
func unknown(err error) error { return fmt.Errorf("%w: %w", backends.ErrUnknown, err) }

// failure turns an answer with a bad status into an error. What a status means
// for a write is chosen so that no doubt is lost: after a 5xx it may have
// happened, whoever sent it.
func failure(response *http.Response, writes bool) error {
	const most = 64 << 10
	body, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		body = nil // the status says enough
	}
	var wire memoryapi.Error
	if json.Unmarshal(body, &wire) != nil || wire.Message == "" {
		wire = memoryapi.Error{Message: "the store answered " + response.Status}
	}
	sentinel := sentinelOf(response.StatusCode, writes)
	failed := errorFromWire(&wire, sentinel)
	if wait, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && wait >= 0 {
		return &backends.RetryAfter{Err: failed, Wait: time.Duration(wait) * time.Second}
	}
	return failed
}

func sentinelOf(status int, writes bool) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return backends.ErrAuth
	case http.StatusNotFound:
		return backends.ErrNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return backends.ErrConflict
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusLocked:
		return backends.ErrUnavailable
	}
	if status < http.StatusInternalServerError {
		return backends.ErrRefused
	}
	if writes {
		return backends.ErrUnknown
	}
	return backends.ErrUnavailable
}

// idleReader puts off the end of the exchange while bytes come.
type idleReader struct {
	r       io.Reader
	idle    *time.Timer
	timeout time.Duration
}

func (r *idleReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.idle.Reset(r.timeout)
	}
	return n, err
}
