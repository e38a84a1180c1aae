package boxcsv

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// recorded is a server that keeps what it was sent and answers as it is told.
func recorded(t *testing.T, answer http.HandlerFunc) (*Backend, *[]string) {
	t.Helper()
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies = append(bodies, string(body))
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	b := newBackend(quick(server.URL), "")
	b.client.tokens = fixedToken(testToken)
	return b, &bodies
}

// resty drops the body of OPTIONS.
func TestOptionsHasItsBody(t *testing.T) {
	b, bodies := recorded(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) })
	if _, err := b.client.occupant(t.Context(), "7", "qa.csv"); err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"qa.csv","parent":{"id":"7"}}`; (*bodies)[0] != want {
		t.Errorf("body %q, want %q", (*bodies)[0], want)
	}
}

// resty writes files before fields, and a repeated multipart body is empty.
func TestMultipartIsWholeEachTime(t *testing.T) {
	calls := 0
	b, bodies := recorded(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"entries":[]}`))
	})
	b.client.tokens = &changing{}
	_, err := b.client.uploadBytes(t.Context(), target{name: "qa.csv", file: "1", etag: "3"}, []byte("content"), "sum")
	if !errors.Is(err, backends.ErrUnknown) {
		t.Errorf("error %v, want unknown: the answer names no file", err)
	}
	if len(*bodies) != 2 {
		t.Fatalf("%d requests, want 2", len(*bodies))
	}
	for i, body := range *bodies {
		attributes, file := strings.Index(body, `{"name":"qa.csv"}`), strings.Index(body, "content\r\n")
		if attributes < 0 || file < attributes {
			t.Errorf("request %d is %q: attributes, then the file", i, body)
		}
	}
}

// changing gives another token each time.
type changing struct{ n int }

func (c *changing) Token(context.Context) (string, error) {
	return "token" + string(rune('0'+c.n)), nil
}
func (c *changing) Refused(context.Context, string) bool { c.n++; return true }

// resty ignores Retry-After.
func TestRetryAfterIsHeard(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"7": 7 * time.Second, "0": 0, time.Now().Add(time.Hour).UTC().Format(http.TimeFormat): 50 * time.Minute,
	} {
		wait, given := retryAfter(http.Header{"Retry-After": {header}}, time.Now())
		if !given || wait < want {
			t.Errorf("Retry-After %q: %s, %t", header, wait, given)
		}
	}
	box := openBox(t)
	entry := box.table(t)
	box.fault(t, faults.Rule{Method: http.MethodPost, Path: "/content$", Times: 1, Action: faults.Status, Status: 429, RetryAfter: "100"})
	var later *backends.RetryAfter
	if err := box.push(t, entry, "new"); !errors.As(err, &later) || later.Wait != 100*time.Second || !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("error %v does not say to come back in 100 s", err)
	}
}

// Go takes As-User along to another host, and Authorization to another port.
func TestCredentialsStayAtTheAPI(t *testing.T) {
	box := openBoxWith(t, boxservice.Options{}, func(o *Options) { o.AsUser = "2" })
	entry := box.table(t)
	if text, err := box.load(t, entry.Ref); err != nil || text != "old" {
		t.Errorf("%q, error %v", text, err)
	}
	if seen := box.service.CredentialsAtDownloads(); len(seen) > 0 {
		t.Errorf("the download host got %v", seen)
	}
}

// The address of a download is a secret.
func TestAddressesAreInNoError(t *testing.T) {
	b, _ := recorded(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/d/1/very-secret/download")
		w.WriteHeader(http.StatusFound)
	})
	_, err := b.client.openContent(t.Context(), item{ID: "1", FileVersion: &fileVersion{ID: "2"}}, true)
	if err == nil || strings.Contains(err.Error(), "very-secret") || strings.Contains(err.Error(), testToken) {
		t.Errorf("error %v", err)
	}
}
