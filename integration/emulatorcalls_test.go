package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
)

// fault is a rule of /_emulator/faults.
type fault struct {
	Method     string  `json:"method,omitempty"`
	Path       string  `json:"path"` // regular expression
	Skip       int     `json:"skip,omitempty"`
	Times      int     `json:"times,omitempty"` // 0: for ever
	Action     string  `json:"action"`
	Status     int     `json:"status,omitempty"`
	RetryAfter string  `json:"retry_after,omitempty"`
	Body       *string `json:"body,omitempty"` // of the answer; nil: the service's own words
	Delay      string  `json:"delay,omitempty"`
}

// faults adds rules to those there are.
func (e *emulator) faults(t testing.TB, rules ...fault) {
	t.Helper()
	e.call(t, "POST", "/_emulator/faults", rules, nil)
}

// call makes an out-of-band call; body and answer are JSON, nil is none.
func (e *emulator) call(t testing.TB, method, path string, body, answer any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	client, base := http.DefaultClient, "http://"+e.Address
	if socket, ok := strings.CutPrefix(e.Address, "unix:"); ok {
		base = "http://emulator"
		client = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", socket)
			},
		}}
	}
	request, err := http.NewRequest(method, base+path, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read from
	if response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, response.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
}
