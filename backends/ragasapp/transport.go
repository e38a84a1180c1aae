package ragasapp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/ragasfs/ragasfs/backends"
)

const (
	tokenHeader = "X-App-Token"
	apiBase     = "/api/v1"
	// connections is how many requests are under way at most.
	connections = 16
	firstPause  = 100 * time.Millisecond // before a repetition; doubled each time
	longestWait = 2 * time.Second
)

// client sends requests and turns every failure into one of the sentinels. It
// repeats reads, and writes of which it knows that the server has not acted on
// them.
type client struct {
	resty   *resty.Client
	keys    *keySource
	log     *slog.Logger
	timeout time.Duration // of one request, whole
	retries int           // repetitions of a request
	gate    *gate
	page    atomic.Int64 // rows in a page, as far as the server has shown

	workspace workspace
}

// request is one call of the API.
type request struct {
	method string
	path   []string // below the base, unescaped
	query  url.Values
	body   any // sent as JSON; nil: none
}

func (r request) writes() bool { return r.method != http.MethodGet }

func (r request) escaped() string {
	var b strings.Builder
	b.WriteString(apiBase)
	for _, segment := range r.path {
		b.WriteByte('/')
		b.WriteString(escape(segment))
	}
	return b.String()
}

// escape escapes a path segment, also one that routers would take for a step up.
func escape(segment string) string {
	if segment == "." || segment == ".." {
		return strings.ReplaceAll(segment, ".", "%2E")
	}
	return url.PathEscape(segment)
}

type clientOptions struct {
	base    string
	keys    *keySource
	log     *slog.Logger
	timeout time.Duration
	retries int
}

func newClient(o clientOptions) *client {
	const idle = 90 * time.Second
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: o.timeout, KeepAlive: idle / 3}).DialContext,
		TLSHandshakeTimeout: o.timeout,
		MaxIdleConnsPerHost: connections,
		MaxConnsPerHost:     connections, // or one is dialled beside one that is just getting free
		IdleConnTimeout:     idle,
		ForceAttemptHTTP2:   true,
	}
	r := resty.NewWithClient(&http.Client{Transport: transport})
	r.SetBaseURL(strings.TrimRight(o.base, "/"))
	// A redirect would carry the key to another place.
	r.SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }))
	r.SetLogger(quiet{})
	return &client{resty: r, keys: o.keys, log: o.log, timeout: o.timeout, retries: o.retries, gate: newGate(connections)}
}

// quiet drops what resty would print: errors are returned.
type quiet struct{}

func (quiet) Errorf(string, ...any) {}
func (quiet) Warnf(string, ...any)  {}
func (quiet) Debugf(string, ...any) {}

func (c *client) close() { c.resty.GetClient().CloseIdleConnections() }

// ask sends a request and decodes the data of its answer.
func ask[T any](ctx context.Context, c *client, r request) (T, error) {
	var answer T
	data, err := c.do(ctx, r)
	if err != nil {
		return answer, err
	}
	if len(data) == 0 {
		return answer, r.said(doubt(r.writes(), backends.ErrIncomplete, "the answer has no data"))
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return answer, r.said(doubt(r.writes(), backends.ErrIncomplete, "the answer has another shape: "+err.Error()))
	}
	return answer, nil
}

// said wraps an error with the request that it is about.
func (r request) said(err error) error {
	return fmt.Errorf("%s %s: %w", r.method, r.escaped(), err)
}

// do sends a request, again where that does no harm, and returns the data. No
// repetition begins after the timeout, so that a call ends within twice of it.
func (c *client) do(ctx context.Context, r request) (json.RawMessage, error) {
	pause, start := firstPause, time.Now()
	for attempt := 0; ; attempt++ {
		data, err := c.attempt(ctx, r)
		if err == nil {
			return data, nil
		}
		err = r.said(err)
		if !repeatable(err, r.writes()) || attempt >= c.retries || ctx.Err() != nil {
			return nil, err
		}
		wait := pause/2 + rand.N(pause) // jitter: callers that failed together come back apart
		var after *backends.RetryAfter
		if errors.As(err, &after) {
			wait = after.Wait
		}
		if time.Since(start)+wait > c.timeout {
			return nil, err
		}
		c.log.Debug("request repeated", "error", err, "in", wait)
		if sleep(ctx, wait) != nil {
			return nil, err
		}
		pause = min(2*pause, longestWait)
	}
}

// repeatable reports whether a request may be sent again: it is a read, or the
// server has certainly not acted on it (where a write may have happened, the
// error is ErrUnknown).
func repeatable(err error, writes bool) bool {
	return errors.Is(err, backends.ErrUnavailable) || !writes && errors.Is(err, backends.ErrIncomplete)
}

// attempt sends a request once.
func (c *client) attempt(ctx context.Context, r request) (json.RawMessage, error) {
	if err := ctx.Err(); err != nil {
		return nil, cancelled(err, err)
	}
	if err := c.gate.enter(ctx, c.timeout); err != nil {
		return nil, err
	}
	defer c.gate.leave()
	key, err := c.keys.get()
	if err != nil {
		return nil, err
	}
	if err := c.admit(ctx, key); err != nil {
		return nil, redact(err, key)
	}
	answer, err := c.exchange(ctx, r, key)
	if err != nil {
		return nil, redact(err, key)
	}
	data, err := answer.decode(r.writes())
	if err == nil {
		return data, nil
	}
	var after *backends.RetryAfter
	if errors.As(err, &after) {
		c.gate.closeFor(after.Wait)
	}
	if errors.Is(err, backends.ErrAuth) {
		err = fmt.Errorf("%w (check the API key: %s)", err, c.keys.where())
	}
	return nil, redact(err, key)
}

// exchange sends a request and takes in its whole answer.
func (c *client) exchange(ctx context.Context, r request, key string) (reply, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(limited, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }})
	request := c.resty.R().SetContext(traced).SetHeader(tokenHeader, key).SetHeader("Accept", "application/json")
	if len(r.query) > 0 {
		request.SetQueryParamsFromValues(r.query)
	}
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, fmt.Errorf("the request can't be encoded: %w: %w", backends.ErrRefused, err)
		}
		request.SetHeader("Content-Type", "application/json").SetBody(encoded)
	}
	response, err := request.Execute(r.method, r.escaped())
	if err != nil {
		return reply{}, c.broken(ctx, limited, err, sent.Load() && r.writes())
	}
	return reply{status: response.StatusCode(), header: response.Header(), body: response.Body()}, nil
}

// broken says what it means that no answer came.
func (c *client) broken(ctx, limited context.Context, err error, doubtful bool) error {
	var wrapped *url.Error // it repeats the request
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ctx.Err() == nil && limited.Err() != nil {
		err = fmt.Errorf("no answer within %s", c.timeout)
	}
	switch {
	case doubtful:
		return fmt.Errorf("%w: %w", backends.ErrUnknown, err)
	case ctx.Err() != nil:
		return cancelled(ctx.Err(), err)
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}

// cancelled is the error of a call that the caller gave up.
func cancelled(ctxErr, err error) error {
	if errors.Is(err, ctxErr) {
		return err
	}
	return fmt.Errorf("%w: %w", ctxErr, err)
}

// redact takes the key out of an error, should the server have repeated it.
func redact(err error, key string) error {
	if err == nil || !strings.Contains(err.Error(), key) {
		return err
	}
	return &redacted{err: err, text: strings.ReplaceAll(err.Error(), key, "[API key]")}
}

type redacted struct {
	err  error
	text string
}

func (e *redacted) Error() string { return e.text }

// Is and As look at the error that must not be shown.
func (e *redacted) Is(target error) bool { return errors.Is(e.err, target) }

// As implements what errors.As asks for.
func (e *redacted) As(target any) bool {
	after, wanted := target.(**backends.RetryAfter)
	if !wanted {
		return false
	}
	var found *backends.RetryAfter
	if !errors.As(e.err, &found) {
		return false
	}
	*after = &backends.RetryAfter{Err: e, Wait: found.Wait}
	return true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
