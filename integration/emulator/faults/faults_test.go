package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// emulated is a service that counts what reaches it.
type emulated struct {
	*httptest.Server
	applied atomic.Int64
}

func start(t *testing.T, options faults.Options) *emulated {
	t.Helper()
	e := &emulated{}
	e.Server = httptest.NewServer(faults.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		e.applied.Add(1)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, "got %s", body)
	}), options))
	t.Cleanup(e.Close)
	return e
}

// send sends a request and returns status and body; 0 if the connection broke.
func (e *emulated) send(ctx context.Context, method, path, body string) (int, string, http.Header) {
	request, err := http.NewRequestWithContext(ctx, method, e.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, err.Error(), nil
	}
	response, err := e.Client().Do(request)
	if err != nil {
		return 0, "", nil
	}
	defer response.Body.Close() //nolint:errcheck // read to the end
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, string(answer), response.Header
	}
	return response.StatusCode, string(answer), response.Header
}

func (e *emulated) fault(t *testing.T, rules string) {
	t.Helper()
	if status, body, _ := e.send(t.Context(), http.MethodPost, "/_emulator/faults", rules); status != http.StatusNoContent {
		t.Fatalf("POST faults: %d %s", status, body)
	}
}

func TestActions(t *testing.T) {
	for _, test := range []struct {
		rule    string
		status  int // 0: the connection breaks
		applied int64
	}{
		{`{"action":"status","status":429,"retry_after":"3"}`, 429, 0},
		{`{"action":"status"}`, 503, 0},
		{`{"action":"drop"}`, 0, 0},
		{`{"action":"apply_then_drop"}`, 0, 1},
		{`{"action":"apply_then_status","status":500}`, 500, 1},
		{`{"action":"apply_then_cut"}`, 0, 1},
		{`{"action":"stall","delay":"1ms"}`, 201, 1},
		{`{"action":"status","status":418,"delay":"1ms"}`, 418, 0},
	} {
		t.Run(test.rule, func(t *testing.T) {
			e := start(t, faults.Options{})
			e.fault(t, "["+test.rule+"]")
			status, _, header := e.send(t.Context(), http.MethodPut, "/things/1", "x")
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if test.status == 429 && header.Get("Retry-After") != "3" {
				t.Errorf("Retry-After is %q, want 3", header.Get("Retry-After"))
			}
			if got := e.applied.Load(); got != test.applied {
				t.Errorf("the service saw %d requests, want %d", got, test.applied)
			}
		})
	}
}

func TestCutSendsHalf(t *testing.T) {
	e := start(t, faults.Options{})
	e.fault(t, `[{"action":"apply_then_cut"}]`)
	_, body, _ := e.send(t.Context(), http.MethodPut, "/x", "0123456789")
	if body != "got 012" {
		t.Errorf("%q came, want the first half", body)
	}
}

// A stalled request holds until its client gives up, and is then as if it had
// never been.
func TestStall(t *testing.T) {
	e := start(t, faults.Options{})
	e.fault(t, `[{"action":"stall"}]`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if status, _, _ := e.send(ctx, http.MethodPost, "/x", "body"); status != 0 {
		t.Errorf("status %d, want none", status)
	}
	e.Close() // waits for the request
	if got := e.applied.Load(); got != 0 {
		t.Errorf("the service saw %d requests, want 0", got)
	}
}

func TestSkipAndTimes(t *testing.T) {
	e := start(t, faults.Options{})
	e.fault(t, `[{"method":"PUT","path":"^/things/","skip":2,"times":2,"action":"status","status":500}]`)
	for i, want := range []int{201, 201, 500, 500, 201, 201} {
		if status, _, _ := e.send(t.Context(), http.MethodGet, "/things/1", ""); status != 201 {
			t.Errorf("another method: status %d, want 201", status)
		}
		if status, _, _ := e.send(t.Context(), http.MethodPut, "/others/1", ""); status != 201 {
			t.Errorf("another path: status %d, want 201", status)
		}
		if status, _, _ := e.send(t.Context(), http.MethodPut, "/things/1", ""); status != want {
			t.Errorf("request %d: status %d, want %d", i, status, want)
		}
	}
}

// Without times a fault lasts until it is deleted; rules that come later stand
// behind; a pattern may also mean the query.
func TestRulesAddUp(t *testing.T) {
	e := start(t, faults.Options{})
	e.fault(t, `[{"path":"/a","action":"status","status":501}]`)
	e.fault(t, `[{"path":"/a","action":"status","status":502},{"path":"offset=50","action":"status","status":503}]`)
	for path, want := range map[string]int{"/a": 501, "/b?offset=50": 503, "/b?offset=0": 201, "/b": 201} {
		for range 3 {
			if status, _, _ := e.send(t.Context(), http.MethodGet, path, ""); status != want {
				t.Errorf("%s: status %d, want %d", path, status, want)
			}
		}
	}
	if status, _, _ := e.send(t.Context(), http.MethodDelete, "/_emulator/faults", ""); status != http.StatusNoContent {
		t.Errorf("DELETE faults: status %d", status)
	}
	if status, _, _ := e.send(t.Context(), http.MethodGet, "/a", ""); status != 201 {
		t.Errorf("after DELETE: status %d, want 201", status)
	}
}

func TestBadRulesAreRefusedWhole(t *testing.T) {
	for _, rules := range []string{
		`[{"action":"explode"}]`, `[{"action":"drop","path":"("}]`, `[{"action":"drop","skip":-1}]`,
		`[{"action":"drop","delay":"soon"}]`, `[{"action":"drop","typo":1}]`, `{}`, `nonsense`,
		`[{"action":"drop"},{"action":"explode"}]`, `[{"action":"status","status":7}]`,
	} {
		t.Run(rules, func(t *testing.T) {
			e := start(t, faults.Options{})
			if status, _, _ := e.send(t.Context(), http.MethodPost, "/_emulator/faults", rules); status != http.StatusBadRequest {
				t.Errorf("status %d, want 400", status)
			}
			if status, _, _ := e.send(t.Context(), http.MethodGet, "/x", ""); status != 201 {
				t.Errorf("a rule is in force all the same: status %d", status)
			}
		})
	}
}

func TestJournal(t *testing.T) {
	e := start(t, faults.Options{})
	demandCalls := func(want string) {
		t.Helper()
		_, body, _ := e.send(t.Context(), http.MethodGet, "/_emulator/calls", "")
		if got := strings.TrimSpace(body); got != want {
			t.Errorf("calls are %s, want %s", got, want)
		}
	}
	demandCalls("[]")
	e.send(t.Context(), http.MethodPut, "/a%2Fb/c?limit=50", "12345")
	e.fault(t, `[{"action":"apply_then_drop","times":1},{"action":"status","status":503}]`)
	e.send(t.Context(), http.MethodPost, "/d", "1")
	e.send(t.Context(), http.MethodPost, "/e", "")
	e.send(t.Context(), http.MethodDelete, "/_emulator/faults", "")
	demandCalls(`[{"method":"PUT","path":"/a%2Fb/c","query":"limit=50","status":201,"request_bytes":5,"response_bytes":9},` +
		`{"method":"POST","path":"/d","status":0,"request_bytes":1,"response_bytes":0},` +
		`{"method":"POST","path":"/e","status":503,"request_bytes":0,"response_bytes":51}]`)
	if status, _, _ := e.send(t.Context(), http.MethodDelete, "/_emulator/calls", ""); status != http.StatusNoContent {
		t.Errorf("DELETE calls: status %d", status)
	}
	demandCalls("[]")
}

func TestStateAndErrorBody(t *testing.T) {
	e := start(t, faults.Options{
		State:     func() any { return map[string]int{"things": 3} },
		ErrorBody: func(status int) any { return map[string]int{"code": status} },
	})
	if _, body, _ := e.send(t.Context(), http.MethodGet, "/_emulator/state", ""); strings.TrimSpace(body) != `{"things":3}` {
		t.Errorf("state is %s", body)
	}
	e.fault(t, `[{"action":"status","status":507}]`)
	if _, body, _ := e.send(t.Context(), http.MethodGet, "/x", ""); strings.TrimSpace(body) != `{"code":507}` {
		t.Errorf("error body is %s", body)
	}
}

func TestLatency(t *testing.T) {
	const latency = 30 * time.Millisecond
	e := start(t, faults.Options{Latency: latency})
	begin := time.Now()
	e.send(t.Context(), http.MethodGet, "/x", "")
	if took := time.Since(begin); took < latency {
		t.Errorf("the answer took %s, want at least %s", took, latency)
	}
}

func TestRuleAsJSON(t *testing.T) {
	want := faults.Rule{Method: "GET", Path: "/x", Skip: 1, Times: 2, Action: faults.Stall, Delay: faults.Duration(1500 * time.Millisecond)}
	encoded, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got faults.Rule
	if err := json.Unmarshal(encoded, &got); err != nil || got != want {
		t.Errorf("%s became %+v, error %v", encoded, got, err)
	}
}

// A request that stalls goes on when the rules are deleted.
func TestStallEndsWithTheRules(t *testing.T) {
	e := start(t, faults.Options{})
	e.fault(t, `[{"path":"/x","action":"stall","delay":"1h"}]`)
	done := make(chan int)
	go func() {
		status, _, _ := e.send(context.Background(), http.MethodPost, "/x", "body")
		done <- status
	}()
	for {
		// Before the request has come to the rule there is nothing to end.
		if status, _, _ := e.send(t.Context(), http.MethodDelete, "/_emulator/faults", ""); status != http.StatusNoContent {
			t.Fatalf("status %d", status)
		}
		select {
		case status := <-done:
			if status != http.StatusCreated || e.applied.Load() != 1 {
				t.Errorf("status %d, applied %d times", status, e.applied.Load())
			}
			return
		case <-time.After(time.Millisecond):
		}
	}
}
