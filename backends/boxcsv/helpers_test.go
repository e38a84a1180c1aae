package boxcsv

import (
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

const testToken = "test-token"

// emulated is an emulated Box and a backend that uses it.
type emulated struct {
	*Backend
	service *boxservice.Service
	url     string
}

// quick are options with which nothing waits for long.
func quick(address string) Options {
	return Options{
		APIURL: address, Attempts: 2, Backoff: time.Millisecond, Timeout: 5 * time.Second,
		CallRate: rate.Inf, UploadRate: rate.Inf,
	}
}

func startBox(t *testing.T, options boxservice.Options) (*boxservice.Service, string) {
	t.Helper()
	if options.Tokens == nil {
		options.Tokens = []string{testToken}
	}
	if options.LongPoll == 0 {
		options.LongPoll = time.Second
	}
	service := boxservice.New(options)
	server := httptest.NewServer(validated(t, service))
	t.Cleanup(server.Close)
	return service, server.URL
}

func openBox(t *testing.T) *emulated { return openBoxWith(t, boxservice.Options{}, nil) }

func openBoxWith(t *testing.T, options boxservice.Options, change func(*Options)) *emulated {
	t.Helper()
	service, address := startBox(t, options)
	o := quick(address)
	if change != nil {
		change(&o)
	}
	b := newBackend(o, "")
	b.client.tokens = fixedToken(testToken)
	return &emulated{Backend: b, service: service, url: address}
}

func (e *emulated) fault(t *testing.T, rules ...faults.Rule) {
	t.Helper()
	if err := e.service.Add(rules...); err != nil {
		t.Fatal(err)
	}
}
