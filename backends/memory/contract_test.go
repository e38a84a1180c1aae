package memory_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/backendtest"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
	"github.com/ragasfs/ragasfs/integration/emulator/memoryservice"
)

func TestContractInProcess(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(*testing.T) backendtest.Store {
		return inProcess(memory.Options{})
	}})
}

func TestContractWithoutVersions(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(*testing.T) backendtest.Store {
		return inProcess(memory.Options{Versionless: true})
	}})
}

func TestContractOverSocket(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(t *testing.T) backendtest.Store {
		return overSocket(t, memory.ClientOptions{})
	}})
}

func TestContractOverSocketWithoutVersions(t *testing.T) {
	backendtest.Run(t, backendtest.Harness{New: func(t *testing.T) backendtest.Store {
		return overSocket(t, memory.ClientOptions{Versionless: true})
	}})
}

func inProcess(options memory.Options) backendtest.Store {
	store := memory.NewStore(options)
	return backendtest.Store{Opened: store.Opened(), PutRow: putRow(store), Inject: injectHook(store)}
}

func putRow(store *memory.Store) func(*testing.T, backends.Ref, string, map[string]backends.Cell) {
	return func(t *testing.T, ref backends.Ref, id string, cells map[string]backends.Cell) {
		t.Helper()
		if err := store.PutRow(ref, id, cells); err != nil {
			t.Fatalf("PutRow: %v", err)
		}
	}
}

// injectHook makes the store itself fail.
func injectHook(store *memory.Store) func(*testing.T, backendtest.Verb, backendtest.Fault) {
	return func(_ *testing.T, verb backendtest.Verb, fault backendtest.Fault) {
		before := map[backendtest.Fault]error{
			backendtest.Lost:         backends.ErrUnavailable,
			backendtest.Overloaded:   &backends.RetryAfter{Err: backends.ErrUnavailable, Wait: time.Second},
			backendtest.Unauthorised: backends.ErrAuth,
		}
		after := map[backendtest.Fault]error{
			backendtest.AnswerLost: backends.ErrUnknown,
			backendtest.Cut:        backends.ErrIncomplete,
		}
		disarm := func() { store.SetHooks(memory.Hooks{}) }
		store.SetHooks(memory.Hooks{
			Before: func(ctx context.Context, call memory.Call) error {
				if string(call.Verb) != string(verb) {
					return nil
				}
				if fault == backendtest.Silent {
					disarm()
					<-ctx.Done()
					return errors.Join(backends.ErrUnknown, ctx.Err())
				}
				if err := before[fault]; err != nil {
					disarm()
					return err
				}
				return nil
			},
			After: func(_ context.Context, call memory.Call) error {
				if err := after[fault]; err != nil && string(call.Verb) == string(verb) {
					disarm()
					return err
				}
				return nil
			},
		})
	}
}

// serve serves a store at a socket and returns its address.
func serve(t *testing.T, store *memory.Store) (string, *faults.Service) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	service := memoryservice.New(store, 0)
	server := &http.Server{Handler: service, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return "unix:" + path, service
}

func overSocket(t *testing.T, options memory.ClientOptions) backendtest.Store {
	t.Helper()
	store := memory.NewStore(memory.Options{})
	address, service := serve(t, store)
	client, err := memory.Dial(address, options)
	if err != nil {
		t.Fatal(err)
	}
	return backendtest.Store{
		Opened: client.Opened(),
		PutRow: putRow(store),
		Inject: func(t *testing.T, verb backendtest.Verb, fault backendtest.Fault) {
			t.Helper()
			rule := rules[fault]
			rule.Times = 1
			rule.Method, rule.Path = requestOf(verb)
			if err := service.Add(rule); err != nil {
				t.Fatal(err)
			}
		},
	}
}

var rules = map[backendtest.Fault]faults.Rule{
	backendtest.Lost:         {Action: faults.Drop},
	backendtest.AnswerLost:   {Action: faults.ApplyThenDrop},
	backendtest.Overloaded:   {Action: faults.Status, Status: 503, RetryAfter: "1"},
	backendtest.Unauthorised: {Action: faults.Status, Status: 401},
	backendtest.Cut:          {Action: faults.ApplyThenCut},
	backendtest.Silent:       {Action: faults.Stall},
}

func requestOf(verb backendtest.Verb) (method, path string) {
	switch verb {
	case backendtest.List:
		return http.MethodGet, `^/projects(/[^/]+)?$`
	case backendtest.Create:
		return http.MethodPost, `^/projects(/[^/]+/[^/]+)?$`
	case backendtest.Delete:
		return http.MethodDelete, ``
	case backendtest.Load:
		return http.MethodGet, `/rows$`
	}
	return http.MethodPost, `/rows:apply$`
}
