package memory_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

var qa = backends.Ref{Project: "demo", Kind: backends.Datasets, Name: "qa"}

// batch is one that asks for one new row.
var batch = backends.Batch{Ref: qa, Grows: -1, Changes: table.Changes{
	NewHeader: []string{"q"}, Rows: []table.Change{{Op: table.Append, Key: "r1", After: []string{"hi"}}},
}}

// clientOf returns a client of a server that answers everything with handler.
func clientOf(t *testing.T, handler http.HandlerFunc, options memory.ClientOptions) *memory.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client, err := memory.Dial(strings.TrimPrefix(server.URL, "http://"), options)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// reads are all calls that change nothing.
func reads(ctx context.Context, c *memory.Client) map[string]error {
	_, list := c.List(ctx, backends.Ref{})
	_, probe := c.Probe(ctx, qa)
	_, get := c.GetRows(ctx, qa, nil, []string{"r1"})
	_, _, find := c.Find(ctx, qa, "q", "hi")
	loaded, load := c.Load(ctx, qa)
	if load == nil {
		for _, err := range loaded.Rows {
			load = err
		}
		load = errors.Join(load, loaded.Close())
	}
	return map[string]error{"List": list, "Probe": probe, "GetRows": get, "Find": find, "Load": load}
}

// writes are all calls that may change something.
func writes(ctx context.Context, c *memory.Client) map[string]error {
	_, create := c.Create(ctx, backends.Create{Ref: qa})
	_, rename := c.Rename(ctx, qa, "other")
	_, apply := c.Apply(ctx, batch)
	return map[string]error{"Create": create, "Rename": rename, "Delete": c.Delete(ctx, qa, ""), "Apply": apply}
}

func demandErrors(t *testing.T, errs map[string]error, want error) {
	t.Helper()
	for call, err := range errs {
		if !errors.Is(err, want) {
			t.Errorf("%s: error %v; want one that is %q", call, err, want)
		}
	}
}

func TestStatusesBecomeSentinels(t *testing.T) {
	for status, want := range map[int]struct{ read, write error }{
		400: {backends.ErrRefused, backends.ErrRefused},
		401: {backends.ErrAuth, backends.ErrAuth},
		403: {backends.ErrAuth, backends.ErrAuth},
		404: {backends.ErrNotFound, backends.ErrNotFound},
		408: {backends.ErrUnavailable, backends.ErrUnavailable},
		409: {backends.ErrConflict, backends.ErrConflict},
		412: {backends.ErrConflict, backends.ErrConflict},
		422: {backends.ErrRefused, backends.ErrRefused},
		429: {backends.ErrUnavailable, backends.ErrUnavailable},
		500: {backends.ErrUnavailable, backends.ErrUnknown},
		502: {backends.ErrUnavailable, backends.ErrUnknown},
		503: {backends.ErrUnavailable, backends.ErrUnknown},
		504: {backends.ErrUnavailable, backends.ErrUnknown},
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, memory.ClientOptions{})
			demandErrors(t, reads(t.Context(), client), want.read)
			demandErrors(t, writes(t.Context(), client), want.write)
		})
	}
}

func TestRetryAfterIsPassedOn(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTooManyRequests)
	}, memory.ClientOptions{})
	for call, err := range writes(t.Context(), client) {
		var retry *backends.RetryAfter
		if !errors.As(err, &retry) || retry.Wait != 7*time.Second || !errors.Is(err, backends.ErrUnavailable) {
			t.Errorf("%s: error %v does not say to wait 7s", call, err)
		}
	}
}

// What is no answer of such a store is never taken for an empty one.
func TestForeignAnswersAreIncomplete(t *testing.T) {
	for _, body := range []string{"", "<html>login</html>", "null", "[", `[{"name":"x"`, "42", "{}x"} {
		t.Run(body, func(t *testing.T) {
			client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, body)
			}, memory.ClientOptions{})
			_, err := client.List(t.Context(), backends.Ref{})
			demandErrors(t, map[string]error{"List": err}, backends.ErrIncomplete)
			loaded, err := client.Load(t.Context(), qa)
			if err == nil {
				for _, rowErr := range loaded.Rows {
					err = rowErr
				}
				err = errors.Join(err, loaded.Close())
			}
			demandErrors(t, map[string]error{"Load": err}, backends.ErrIncomplete)
			result, err := client.Apply(t.Context(), batch)
			demandErrors(t, map[string]error{"Apply": err}, backends.ErrUnknown)
			if len(result.Outcomes) != 1 || result.Outcomes[0].Verdict != backends.Unknown {
				t.Errorf("outcomes are %+v, want one that is unknown", result.Outcomes)
			}
		})
	}
}

// A load that ends between two rows is not whole.
func TestLoadNeedsItsEnd(t *testing.T) {
	const head = `{"columns":[{"name":"q","type":"text"}],"total":2}` + "\n" + `{"id":"a","cells":["1"]}` + "\n"
	for name, rest := range map[string]string{
		"no end":     "",
		"half a row": `{"id":"b","ce`,
		"a row less": `{"end":{"rows":2}}`,
		"a failure":  `{"end":{"rows":1,"error":{"message":"disk"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			client := clientOf(t, func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, head+rest)
			}, memory.ClientOptions{})
			demandErrors(t, map[string]error{"Load": reads(t.Context(), client)["Load"]}, backends.ErrIncomplete)
		})
	}
}

// Nobody listens: nothing can have happened.
func TestNobodyThere(t *testing.T) {
	client, err := memory.Dial("unix:"+filepath.Join(t.TempDir(), "none"), memory.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	demandErrors(t, reads(t.Context(), client), backends.ErrUnavailable)
	demandErrors(t, writes(t.Context(), client), backends.ErrUnavailable)
	result, _ := client.Apply(t.Context(), batch)
	if len(result.Outcomes) != 0 {
		t.Errorf("outcomes %+v of a batch that was never sent", result.Outcomes)
	}
}

// A store that takes the request and says nothing: bounded, and in doubt.
func TestSilence(t *testing.T) {
	client := clientOf(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}, memory.ClientOptions{Timeout: 150 * time.Millisecond})
	demandErrors(t, reads(t.Context(), client), backends.ErrUnavailable)
	demandErrors(t, writes(t.Context(), client), backends.ErrUnknown)
}

// A load may take longer than the timeout while rows come, and fails when they stop.
func TestSilenceInTheMiddleOfALoad(t *testing.T) {
	client := clientOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"columns":[],"total":2}`+"\n"+`{"id":"a","cells":[]}`+"\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, memory.ClientOptions{Timeout: 150 * time.Millisecond})
	err := reads(t.Context(), client)["Load"]
	if !errors.Is(err, backends.ErrIncomplete) && !errors.Is(err, backends.ErrUnavailable) {
		t.Errorf("error %v; want incomplete or unavailable", err)
	}
}

func TestBadOptions(t *testing.T) {
	for _, options := range []map[string]string{
		{"address": "nonsense"}, {"address": "host:1:2"}, {"versions": "maybe"},
	} {
		_, err := memory.Factory().Open(t.Context(), backends.Config{Options: options})
		demandErrors(t, map[string]error{fmt.Sprint(options): err}, backends.ErrOption)
	}
}

// Opening needs nobody at the other end, and the identity tells stores apart.
func TestOpenNeedsNoStore(t *testing.T) {
	identities := map[string]bool{}
	for _, address := range []string{"", "unix:/nowhere/a", "unix:/nowhere/b", "127.0.0.1:1"} {
		opened, err := memory.Factory().Open(t.Context(), backends.Config{Options: map[string]string{"address": address}})
		if err != nil {
			t.Fatal(err)
		}
		if opened.Properties.Form != backends.Rows || opened.Properties.Identity == "" {
			t.Errorf("properties of %q: %+v", address, opened.Properties)
		}
		identities[opened.Properties.Identity] = true
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	}
	if len(identities) != 4 {
		t.Errorf("4 stores have the identities %v", identities)
	}
}
