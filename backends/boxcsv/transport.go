package boxcsv

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
	"sync/atomic"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/ragasfs/ragasfs/backends"
)

// call is one request to Box.
type call struct {
	method, url string
	query       url.Values
	header      map[string]string
	json        any                            // body; nil: none
	raw         []byte                         // body; nil: none
	multipart   func() []*resty.MultipartField // makes the body, in this order; nil: none
	writes      bool                           // it may change the store: a lost answer is a doubt
	uploads     bool                           // it counts as an upload
	foreign     bool                           // another host than Box's API: no credentials go there
	patience    time.Duration                  // how long it may be silent; 0: the client's timeout
}

// answer is a good answer. The caller closes it.
type answer struct {
	status int
	header http.Header
	body   io.Reader
	size   int64 // as announced; -1: not known
	close  func()
}

var errSilent = errors.New("no sign of life")

// bodyKey is where the body of an OPTIONS request travels: resty drops it.
type bodyKey struct{}

// watchKey is where the watch over an exchange travels, so that a body that goes
// up slowly is no silence.
type watchKey struct{}

// newResty makes the HTTP client. It repeats nothing and follows nothing: both
// need to know what the request means.
func newResty(transport http.RoundTripper) *resty.Client {
	client := resty.NewWithClient(&http.Client{Transport: transport})
	client.SetRetryCount(0)
	client.SetRedirectPolicy(resty.RedirectPolicyFunc(func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}))
	client.SetLogger(silent{}) // its warnings may hold addresses that are secrets
	client.SetPreRequestHook(func(_ *resty.Client, r *http.Request) error {
		body, ok := r.Context().Value(bodyKey{}).([]byte)
		if ok {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		}
		watch, ok := r.Context().Value(watchKey{}).(*idleWatch)
		if ok && r.Body != nil && r.Body != http.NoBody {
			r.Body = struct {
				io.Reader
				io.Closer
			}{watch.over(r.Body), r.Body}
		}
		return nil
	})
	return client
}

func newTransport(timeout time.Duration) *http.Transport {
	const idleConnections = 8
	dialer := &net.Dialer{Timeout: timeout}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
		TLSHandshakeTimeout: timeout, MaxIdleConnsPerHost: idleConnections, ForceAttemptHTTP2: true,
	}
}

// silent is a logger that says nothing.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

// send sends a call once. Any status below 400 is an answer.
func (c *client) send(ctx context.Context, k call, accessToken string) (*answer, error) {
	patience := k.patience
	if patience == 0 {
		patience = c.timeout
	}
	exchange, cancel := context.WithCancelCause(ctx)
	watch := newIdleWatch(patience, func() { cancel(errSilent) })
	stop := func() { watch.stop(); cancel(nil) }

	var connected atomic.Bool // the request may have reached Box
	traced := httptrace.WithClientTrace(context.WithValue(exchange, watchKey{}, watch), &httptrace.ClientTrace{
		GotConn:      func(httptrace.GotConnInfo) { connected.Store(true) },
		WroteHeaders: watch.again,
		WroteRequest: func(httptrace.WroteRequestInfo) { watch.again() },
	})
	request, err := c.build(traced, k, accessToken)
	if err != nil {
		stop()
		return nil, err
	}
	response, err := request.Execute(k.method, k.url)
	if err != nil {
		stop()
		return nil, lost(ctx, exchange, withoutAddress(err), k.writes && connected.Load())
	}
	body := response.RawBody()
	closeAll := func() { _ = body.Close(); stop() } // only read from: nothing can be lost
	watch.again()
	reader := watch.over(body)
	if response.StatusCode() >= http.StatusBadRequest {
		defer closeAll()
		const most = 64 << 10
		words, err := io.ReadAll(io.LimitReader(reader, most))
		if err != nil {
			words = nil // the status says enough
		}
		return nil, failureOf(response.StatusCode(), response.Header(), words, k.writes)
	}
	return &answer{
		status: response.StatusCode(), header: response.Header(), body: reader,
		size: response.RawResponse.ContentLength, close: closeAll,
	}, nil
}

func (c *client) build(ctx context.Context, k call, accessToken string) (*resty.Request, error) {
	body := k.raw
	if k.json != nil {
		encoded, err := json.Marshal(k.json)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", backends.ErrRefused, err)
		}
		body = encoded
	}
	if body != nil && k.method == http.MethodOptions {
		ctx = context.WithValue(ctx, bodyKey{}, body)
		body = nil
	}
	request := c.resty.R().SetContext(ctx).SetDoNotParseResponse(true)
	if k.query != nil {
		request.SetQueryParamsFromValues(k.query)
	}
	if k.json != nil {
		request.SetHeader("Content-Type", "application/json")
	}
	if body != nil {
		request.SetBody(body)
	}
	if k.multipart != nil {
		request.SetMultipartFields(k.multipart()...)
	}
	if accessToken != "" {
		request.SetAuthToken(accessToken)
		if c.asUser != "" {
			request.SetHeader("As-User", c.asUser)
		}
	}
	return request.SetHeaders(k.header), nil
}

// lost says what it means that no answer came.
func lost(ctx, exchange context.Context, err error, doubt bool) error {
	if errors.Is(context.Cause(exchange), errSilent) {
		err = errSilent
	}
	switch {
	case doubt:
		return fmt.Errorf("%w: %w", backends.ErrUnknown, err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return fmt.Errorf("%w: %w", backends.ErrUnavailable, err)
}

// withoutAddress takes the address out of an error of net/http: that of a
// download is a secret.
func withoutAddress(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}
