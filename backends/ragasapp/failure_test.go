package ragasapp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// scripted is a client of a server that answers as answer says.
func scripted(t *testing.T, retries int, answer http.HandlerFunc) *client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return newClient(clientOptions{
		base: server.URL, keys: &keySource{fixed: "secret-key"}, log: slog.New(slog.DiscardHandler), timeout: 2 * time.Second, retries: retries,
	})
}

var (
	aRead  = request{method: http.MethodGet, path: []string{"projects", "p"}}
	aWrite = request{method: http.MethodPost, path: []string{"projects"}, body: newProject{Title: "x"}}
)

// Every shape of answer is one of the sentinels, in the server's own words.
func TestBadAnswers(t *testing.T) {
	for _, test := range []struct {
		status      int
		body        string
		read, write error
		words       string
	}{
		{500, `{"status":"error","status_code":500,"message":"An internal server error"}`, backends.ErrUnavailable, backends.ErrUnknown, "internal"},
		{200, `{"status":"error","message":"no"}`, backends.ErrUnavailable, backends.ErrUnknown, "no"},
		{200, `{"status":"error","status_code":422,"message":"bad"}`, backends.ErrRefused, backends.ErrRefused, "bad"},
		{403, `{"message":"Invalid token"}`, backends.ErrAuth, backends.ErrAuth, "Invalid token"},
		{401, ``, backends.ErrAuth, backends.ErrAuth, "API key"},
		{404, `{"detail":"Not Found"}`, backends.ErrNotFound, backends.ErrNotFound, "Not Found"},
		{404, `<html>nginx</html>`, backends.ErrUnavailable, backends.ErrUnavailable, "HTML"},
		{404, ``, backends.ErrUnavailable, backends.ErrUnavailable, "empty"},
		{409, `{"message":"taken"}`, backends.ErrExists, backends.ErrExists, "taken"},
		{413, `<html>too large</html>`, backends.ErrRefused, backends.ErrRefused, "413"},
		{422, `{"detail":[{"msg":"field required"}]}`, backends.ErrRefused, backends.ErrRefused, "field required"},
		{429, ``, backends.ErrUnavailable, backends.ErrUnavailable, "429"},
		{502, `<html>Bad Gateway</html>`, backends.ErrUnavailable, backends.ErrUnknown, "502"},
		{302, ``, backends.ErrUnavailable, backends.ErrUnavailable, "302"},
		{200, `<html>Sign in to the hotel network</html>`, backends.ErrIncomplete, backends.ErrUnknown, "HTML"},
		{200, ``, backends.ErrIncomplete, backends.ErrUnknown, "no data"},
		{200, `{"status":"success","data":[1]}`, backends.ErrIncomplete, backends.ErrUnknown, "shape"},
	} {
		c := scripted(t, 0, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		for r, want := range map[*request]error{&aRead: test.read, &aWrite: test.write} {
			_, err := ask[wireProject](t.Context(), c, *r)
			if !errors.Is(err, want) || !strings.Contains(err.Error(), test.words) {
				t.Errorf("%s, answered %d %q: error %v; want %v with %q", r.method, test.status, test.body, err, want, test.words)
			}
		}
	}
}

// A redirect is not followed: it would carry the key away.
func TestRedirectGetsNoKey(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer other.Close()
	c := scripted(t, 0, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if _, err := ask[wireProject](t.Context(), c, aRead); !errors.Is(err, backends.ErrUnavailable) || leaked.Load() {
		t.Errorf("error %v, the other server was asked: %v", err, leaked.Load())
	}
}

func TestKeyIsNotRepeated(t *testing.T) {
	c := scripted(t, 0, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, `{"message":"bad key `+r.Header.Get(tokenHeader)+`"}`, http.StatusForbidden)
	})
	_, err := ask[wireProject](t.Context(), c, aRead)
	if strings.Contains(err.Error(), "secret-key") || !errors.Is(err, backends.ErrAuth) {
		t.Errorf("the error is %q", err)
	}
}

func TestKeyFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old")
	var got atomic.Value
	c := scripted(t, 0, func(w http.ResponseWriter, r *http.Request) {
		got.Store(r.Header.Get(tokenHeader))
		_, _ = io.WriteString(w, `{"data":{"id":"p"}}`)
	})
	c.keys = &keySource{file: path}
	for _, key := range []string{"old", "newer key"} {
		write(key)
		if _, err := ask[wireProject](t.Context(), c, aRead); err != nil || got.Load() != key {
			t.Errorf("key %v was sent, error %v; want %q", got.Load(), err, key)
		}
	}
	write("")
	if _, err := ask[wireProject](t.Context(), c, aRead); !errors.Is(err, backends.ErrAuth) {
		t.Errorf("error %v for an empty key file", err)
	}
}

// A read is repeated; a write only if the server has certainly not acted on it.
func TestRepetition(t *testing.T) {
	for _, test := range []struct {
		r      request
		status int
		calls  int64
	}{{aRead, 503, 3}, {aRead, 422, 1}, {aWrite, 503, 1}, {aWrite, 429, 3}} {
		var calls atomic.Int64
		c := scripted(t, 2, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Retry-After", "0.01")
			w.WriteHeader(test.status)
		})
		if _, err := c.do(t.Context(), test.r); err == nil || calls.Load() != test.calls {
			t.Errorf("%s answered %d was sent %d times, want %d", test.r.method, test.status, calls.Load(), test.calls)
		}
	}
}

// A Retry-After holds up every request, and one that is too long is said at once.
func TestRetryAfterClosesTheGate(t *testing.T) {
	var calls atomic.Int64
	c := scripted(t, 0, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	for range 3 {
		_, err := c.do(t.Context(), aRead)
		var after *backends.RetryAfter
		if !errors.As(err, &after) || after.Wait < 59*time.Minute || !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("error %v", err)
		}
	}
	if calls.Load() != 1 {
		t.Errorf("the server was asked %d times, want once", calls.Load())
	}
}

func TestSilentServerEndsWithinTheTimeout(t *testing.T) {
	var calls atomic.Int64
	c := scripted(t, 3, func(_ http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		_, _ = io.ReadAll(r.Body) // else the server does not notice that the client has gone
		<-r.Context().Done()
	})
	c.timeout = 50 * time.Millisecond
	for r, want := range map[*request]error{&aRead: backends.ErrUnavailable, &aWrite: backends.ErrUnknown} {
		if _, err := c.do(t.Context(), *r); !errors.Is(err, want) {
			t.Errorf("%s: error %v, want %v", r.method, err, want)
		}
	}
	if calls.Load() != 2 {
		t.Errorf("a silent server was asked %d times, want once by each call", calls.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.do(ctx, aWrite); !errors.Is(err, context.Canceled) || errors.Is(err, backends.ErrUnknown) {
		t.Errorf("error %v of a call that was never made", err)
	}
}
