package ragasapp_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/backendtest"
	"github.com/ragasfs/ragasfs/backends/ragasapp"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasservice"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

const token = "test-token"

// Nobody knows how the service answers in these points: either way must do. The
// full product runs with RAGASFS_FULL=1.
func TestContract(t *testing.T) {
	for _, switches := range combinations() {
		t.Run(fmt.Sprintf("%+v", switches), func(t *testing.T) {
			t.Parallel()
			h := backendtest.Harness{
				New:      func(t *testing.T) backendtest.Store { return newStore(t, switches) },
				BigTable: 1200,
				Skip: map[string]string{
					"LoadsAndChangesAtTheSameTime": "a batch is several calls, and a load between them sees half of it; see TestLoadIsOneContent",
					"CellsSurviveByteForByte":      "JSON can't carry cells that are not UTF-8; TestCellsSurvive has all others",
				},
			}
			if switches.FixedOrder {
				h.Skip["LoadIsOfOneMoment"] = "nothing tells that a row was changed while others were read"
			}
			backendtest.Run(t, h)
		})
	}
}

func combinations() []ragasstore.Switches {
	if os.Getenv("RAGASFS_FULL") == "" {
		return []ragasstore.Switches{
			{},
			{PatchReplaces: true, SoftDelete: true, Upsert: true, GlobalIDs: true, FixedOrder: true, MaxPage: 30},
		}
	}
	var all []ragasstore.Switches
	for bits := range 1 << 5 {
		for _, page := range []int{7, 100, 1000} {
			all = append(all, ragasstore.Switches{
				PatchReplaces: bits&1 != 0, SoftDelete: bits&2 != 0, GlobalIDs: bits&4 != 0, Upsert: bits&8 != 0, FixedOrder: bits&16 != 0,
				MaxPage: page,
			})
		}
	}
	return all
}

// server is an emulated service with its store.
type server struct {
	*httptest.Server
	store   *ragasstore.Store
	service *faults.Service
	fault   atomic.Pointer[injected]
}

// injected is a fault that lasts as long as a call of the backend.
type injected struct {
	fault backendtest.Fault
	meets func(*http.Request) bool
	down  atomic.Bool // nothing comes through any more
}

func serve(t *testing.T, switches ragasstore.Switches) *server {
	t.Helper()
	store := ragasstore.New(switches)
	s := &server{store: store, service: ragasservice.New(ragasservice.Workspaces{token: store}, ragasservice.Options{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP lets a request meet the fault that is armed.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.fault.Load()
	if f == nil || !f.down.Load() && !f.meets(r) {
		s.service.ServeHTTP(w, r)
		return
	}
	if f.down.Load() && f.fault != backendtest.AnswerLost {
		panic(http.ErrAbortHandler)
	}
	switch f.fault {
	case backendtest.Lost:
		panic(http.ErrAbortHandler)
	case backendtest.AnswerLost:
		f.down.Store(true)
		if f.meets(r) {
			s.service.ServeHTTP(httptest.NewRecorder(), r)
		}
		panic(http.ErrAbortHandler)
	case backendtest.Overloaded:
		w.Header().Set("Retry-After", "0.05")
		http.Error(w, "busy", http.StatusServiceUnavailable)
	case backendtest.Unauthorised:
		http.Error(w, "", http.StatusUnauthorized)
	case backendtest.Cut:
		answer := httptest.NewRecorder()
		s.service.ServeHTTP(answer, r)
		w.Header().Set("Content-Length", fmt.Sprint(answer.Body.Len()))
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		panic(http.ErrAbortHandler)
	case backendtest.Silent:
		f.down.Store(true)
		<-r.Context().Done()
	}
}

func open(t *testing.T, url string, options map[string]string) backends.Opened {
	t.Helper()
	all := map[string]string{"api_url": url, "max_retries": "0"}
	for name, value := range options {
		all[name] = value
	}
	opened, err := ragasapp.Factory().Open(t.Context(), backends.Config{
		Options: all, Log: slog.New(slog.DiscardHandler),
		Getenv: func(name string) string {
			if name == "RAGAS_API_KEY" {
				return token
			}
			return ""
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func newStore(t *testing.T, switches ragasstore.Switches) backendtest.Store {
	t.Helper()
	s := serve(t, switches)
	opened := open(t, s.URL, nil)
	f := &faulty{Backend: opened.Backend.(*ragasapp.Backend), server: s}
	opened.Backend = f
	kit := backendtest.Store{Opened: opened, PutRow: s.putRow, Inject: func(_ *testing.T, verb backendtest.Verb, fault backendtest.Fault) {
		f.armed.Store(&injection{verb, fault})
	}}
	if switches.GlobalIDs {
		own := &ownIDs{faulty: f}
		kit.Backend = own
		kit.PutRow = func(t *testing.T, ref backends.Ref, id string, cells map[string]backends.Cell) {
			s.putRow(t, ref, string(own.inside(ref, table.Key(id))), cells)
		}
	}
	return kit
}

// faulty lets the next call of a verb meet a fault: all of its requests that do
// the work.
type faulty struct {
	*ragasapp.Backend
	server *server
	armed  atomic.Pointer[injection]
}

type injection struct {
	verb  backendtest.Verb
	fault backendtest.Fault
}

func (f *faulty) during(verb backendtest.Verb) (done func()) {
	armed := f.armed.Load()
	if armed == nil || armed.verb != verb {
		return func() {}
	}
	f.armed.Store(nil)
	f.server.fault.Store(&injected{fault: armed.fault, meets: worksFor(verb)})
	return func() { f.server.fault.Store(nil) }
}

func worksFor(verb backendtest.Verb) func(*http.Request) bool {
	return func(r *http.Request) bool {
		switch verb {
		case backendtest.List, backendtest.Load:
			return r.Method == http.MethodGet
		case backendtest.Create:
			return r.Method == http.MethodPost
		case backendtest.Delete:
			return r.Method == http.MethodDelete
		}
		return r.Method != http.MethodGet
	}
}

func (f *faulty) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	defer f.during(backendtest.List)()
	return f.Backend.List(ctx, scope)
}

func (f *faulty) Create(ctx context.Context, r backends.Create) (backends.Entry, error) {
	defer f.during(backendtest.Create)()
	return f.Backend.Create(ctx, r)
}

func (f *faulty) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	defer f.during(backendtest.Delete)()
	return f.Backend.Delete(ctx, ref, base)
}

func (f *faulty) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	defer f.during(backendtest.Load)()
	return f.Backend.Load(ctx, ref)
}

func (f *faulty) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	defer f.during(backendtest.Apply)()
	return f.Backend.Apply(ctx, batch)
}

// putRow gives a row cells as another client of the API would.
func (s *server) putRow(t *testing.T, ref backends.Ref, id string, wanted map[string]backends.Cell) {
	t.Helper()
	in := ragasapi.TableRef{Project: ref.ProjectID, Kind: ragasapi.Kind(ref.Kind), ID: ref.ID}
	data := ragasapi.Object{}
	for name, cell := range wanted {
		columns, err := s.store.ListColumns(in, ragasapi.Page{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(columns.Items, func(c ragasapi.Column) bool { return c.Name == name })
		key := "column-" + name
		if at >= 0 {
			key = columns.Items[at].ID
		} else if _, err := s.store.CreateColumn(in, ragasapi.NewColumn{ID: key, Name: name, Type: "text"}); err != nil {
			t.Fatal(err)
		}
		data[key] = ragasapi.Text(cell.Text)
		if cell.Null {
			data[key] = []byte("null")
		}
	}
	row, err := s.store.GetRow(in, id)
	switch {
	case errors.Is(err, ragasapi.ErrNotFound):
		_, err = s.store.CreateRow(in, id, data)
	case err == nil:
		all := row.Data.Clone()
		for key, value := range data {
			all[key] = value
		}
		_, err = s.store.UpdateRow(in, id, all)
	}
	if err != nil {
		t.Fatal(err)
	}
}
