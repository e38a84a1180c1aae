package boxcsv

import (
	"net/http"
	"testing"

	"github.com/ragasfs/ragasfs/backends/backendtest"
	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

func TestContract(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(t *testing.T) backendtest.Store {
		box := openBox(t)
		return backendtest.Store{Opened: box.Opened(), Inject: inject(box)}
	}})
}

// With small parts, a listing that is hard to read, and events that come twice.
func TestContractInParts(t *testing.T) {
	skip := map[string]string{"EmptyProjectIsDeleted": "in this store every folder holds a link, which is not ours to delete"}
	backendtest.Run(t, backendtest.Harness{Skip: skip, New: func(t *testing.T) backendtest.Store {
		const smallPart, smallFile = 1 << 16, 30
		box := openBoxWith(t, boxservice.Options{PartSize: smallPart, MinChunked: smallFile}, func(o *Options) { o.Direct = smallFile })
		box.service.SetKnobs(func(k *boxservice.Knobs) {
			k.StrangeListing, k.MarkerEnd, k.DuplicateEvents = true, "null", true
			k.VersionRing, k.KeepEtag = 1, true
		})
		return backendtest.Store{Opened: box.Opened()}
	}})
}

var faultRules = map[backendtest.Fault]faults.Rule{
	backendtest.Lost:         {Action: faults.Drop},
	backendtest.AnswerLost:   {Action: faults.ApplyThenDrop},
	backendtest.Overloaded:   {Action: faults.Status, Status: http.StatusServiceUnavailable, RetryAfter: "1"},
	backendtest.Unauthorised: {Action: faults.Status, Status: http.StatusUnauthorized},
	backendtest.Cut:          {Action: faults.ApplyThenCut},
	backendtest.Silent:       {Action: faults.Stall},
}

// inject makes calls fail. After a lost answer to a write the reads that would
// settle it are lost, too: that they settle it has tests of its own.
func inject(box *emulated) func(*testing.T, backendtest.Verb, backendtest.Fault) {
	return func(t *testing.T, verb backendtest.Verb, fault backendtest.Fault) {
		t.Helper()
		rule := faultRules[fault]
		rule.Times = 1
		rule.Method, rule.Path = requestOf(verb, fault)
		box.fault(t, rule)
		if fault != backendtest.AnswerLost {
			return
		}
		settling := faults.Rule{Action: faults.Drop, Times: box.client.attempts}
		switch verb {
		case backendtest.Apply, backendtest.Delete:
			settling.Method, settling.Path = http.MethodGet, `/files/\d+$`
		case backendtest.Create:
			settling.Method, settling.Path = http.MethodOptions, `/files/content$`
		default:
			return
		}
		box.fault(t, settling)
	}
}

func requestOf(verb backendtest.Verb, fault backendtest.Fault) (method, path string) {
	switch verb {
	case backendtest.List:
		return http.MethodGet, `/folders/\d+/items$`
	case backendtest.Create:
		return http.MethodPost, `/files/content$`
	case backendtest.Delete:
		return http.MethodDelete, ``
	case backendtest.Load:
		if fault == backendtest.Cut {
			return http.MethodGet, `^/d/1/`
		}
		return http.MethodGet, `/files/\d+/content$`
	}
	return http.MethodPost, `/files/\d+/content$`
}
