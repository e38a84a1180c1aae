// Package memoryservice serves a memory.Store over HTTP, in the words of
// memoryapi. It adds nothing to what the store does.
package memoryservice

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// New serves store, with the out-of-band calls of package faults.
func New(store *memory.Store, latency time.Duration) *faults.Service {
	return faults.Wrap(Handler(store), faults.Options{
		Latency:   latency,
		ErrorBody: ErrorBody,
		State: func() any {
			state, err := Dump(context.Background(), store)
			if err != nil {
				return map[string]string{"error": err.Error()}
			}
			return state
		},
	})
}

// Handler serves store.
func Handler(store *memory.Store) http.Handler {
	s := service{store: store}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /projects", s.list)
	mux.HandleFunc("POST /projects", s.create)
	mux.HandleFunc("GET /projects/{project}", s.list)
	mux.HandleFunc("PATCH /projects/{project}", s.rename)
	mux.HandleFunc("DELETE /projects/{project}", s.delete)
	mux.HandleFunc("POST /projects/{project}/{kind}", s.create)
	const object = "/projects/{project}/{kind}/{name}"
	mux.HandleFunc("GET "+object, s.probe)
	mux.HandleFunc("PATCH "+object, s.rename)
	mux.HandleFunc("DELETE "+object, s.delete)
	mux.HandleFunc("GET "+object+"/rows", s.load)
	mux.HandleFunc("POST "+object+"/rows:apply", s.apply)
	mux.HandleFunc("POST "+object+"/rows:get", s.get)
	mux.HandleFunc("GET "+object+"/rows:find", s.find)
	return mux
}

// ErrorBody words a fault as the service words its own errors.
func ErrorBody(status int) any {
	return memoryapi.Error{Message: "fault: " + http.StatusText(status)}
}

type service struct{ store *memory.Store }

// refOf says what a request is about.
func refOf(r *http.Request) backends.Ref {
	return backends.Ref{
		Project:   r.PathValue("project"),
		ProjectID: r.URL.Query().Get("project_id"),
		Kind:      backends.Kind(r.PathValue("kind")),
		Name:      r.PathValue("name"),
		ID:        r.URL.Query().Get("id"),
	}
}

func (s service) list(w http.ResponseWriter, r *http.Request) {
	entries, err := s.store.List(r.Context(), refOf(r))
	if err != nil {
		fail(w, err)
		return
	}
	wire := make([]memoryapi.Entry, len(entries))
	for i, e := range entries {
		wire[i] = memory.EntryToWire(e)
	}
	faults.WriteJSON(w, http.StatusOK, wire)
}

func (s service) create(w http.ResponseWriter, r *http.Request) {
	var body memoryapi.Create
	if !decode(w, r, &body) {
		return
	}
	request := backends.Create{Ref: refOf(r), Columns: memory.ColumnsFromWire(body.Columns), Nonce: body.Nonce}
	if request.Ref.Kind == "" {
		request.Ref.Project = string(body.Name)
	} else {
		request.Ref.Name = string(body.Name)
	}
	entry, err := s.store.Create(r.Context(), request)
	answer(w, http.StatusCreated, entry, err)
}

func (s service) rename(w http.ResponseWriter, r *http.Request) {
	var body memoryapi.Rename
	if !decode(w, r, &body) {
		return
	}
	entry, err := s.store.Rename(r.Context(), refOf(r), string(body.Name))
	answer(w, http.StatusOK, entry, err)
}

func (s service) delete(w http.ResponseWriter, r *http.Request) {
	base := backends.Version(r.URL.Query().Get("base"))
	if err := s.store.Delete(r.Context(), refOf(r), base); err != nil {
		fail(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s service) probe(w http.ResponseWriter, r *http.Request) {
	entry, err := s.store.Probe(r.Context(), refOf(r))
	answer(w, http.StatusOK, entry, err)
}

// load streams rows, one JSON value a line, and ends with their number.
func (s service) load(w http.ResponseWriter, r *http.Request) {
	loaded, err := s.store.Load(r.Context(), refOf(r))
	if err != nil {
		fail(w, err)
		return
	}
	defer loaded.Close() //nolint:errcheck // of memory
	w.Header().Set("Content-Type", "application/x-ndjson")
	const buffer = 64 << 10
	buffered := bufio.NewWriterSize(w, buffer)
	encoder := json.NewEncoder(buffered)
	write := func(value any) {
		if err := encoder.Encode(value); err != nil {
			panic(http.ErrAbortHandler) // the client has gone
		}
	}
	write(memoryapi.Head{
		Version: string(loaded.Version), Modified: loaded.ModTime,
		Columns: memory.ColumnsToWire(loaded.Columns), Total: loaded.Total,
	})
	end := memoryapi.End{}
	for row, err := range loaded.Rows {
		if err != nil {
			end.Error = memory.ErrorToWire(err)
			break
		}
		write(memory.RowToWire(row))
		end.Rows++
	}
	write(struct {
		End memoryapi.End `json:"end"`
	}{end})
	if err := buffered.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (s service) apply(w http.ResponseWriter, r *http.Request) {
	var body memoryapi.Batch
	if !decode(w, r, &body) {
		return
	}
	result, err := s.store.Apply(r.Context(), memory.BatchFromWire(refOf(r), body))
	if err != nil {
		fail(w, err)
		return
	}
	wire := memoryapi.Result{
		Version: string(result.Version), Modified: result.ModTime,
		Outcomes: make([]memoryapi.Outcome, len(result.Outcomes)),
	}
	if result.Columns != nil {
		wire.Columns = memory.ColumnsToWire(result.Columns)
	}
	for i, o := range result.Outcomes {
		wire.Outcomes[i].Error = memory.ErrorToWire(o.Err)
	}
	faults.WriteJSON(w, http.StatusOK, wire)
}

func (s service) get(w http.ResponseWriter, r *http.Request) {
	var body memoryapi.Get
	if !decode(w, r, &body) {
		return
	}
	rows, err := s.store.GetRows(r.Context(), refOf(r), memory.ColumnsFromWire(body.Columns), memoryapi.Strings(body.IDs))
	if err != nil {
		fail(w, err)
		return
	}
	writeRows(w, memoryapi.Rows{Columns: body.Columns}, rows)
}

func (s service) find(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	rows, columns, err := s.store.Find(r.Context(), refOf(r), query.Get("column"), query.Get("value"))
	if err != nil {
		fail(w, err)
		return
	}
	writeRows(w, memoryapi.Rows{Columns: memory.ColumnsToWire(columns)}, rows)
}

func writeRows(w http.ResponseWriter, wire memoryapi.Rows, rows []backends.Row) {
	wire.Rows = make([]memoryapi.Row, len(rows))
	for i, row := range rows {
		wire.Rows[i] = memory.RowToWire(row)
	}
	faults.WriteJSON(w, http.StatusOK, wire)
}

func answer(w http.ResponseWriter, status int, entry backends.Entry, err error) {
	if err != nil {
		fail(w, err)
		return
	}
	faults.WriteJSON(w, status, memory.EntryToWire(entry))
}

func decode(w http.ResponseWriter, r *http.Request, body any) bool {
	if err := json.NewDecoder(r.Body).Decode(body); err != nil {
		faults.WriteJSON(w, http.StatusBadRequest,
			memoryapi.Error{Kind: memoryapi.KindRefused, Message: fmt.Sprintf("request body: %v", err)})
		return false
	}
	return true
}

// statuses pairs the contract's errors with HTTP's.
var statuses = []struct {
	err    error
	status int
}{
	{backends.ErrNotFound, http.StatusNotFound},
	{backends.ErrExists, http.StatusConflict},
	{backends.ErrConflict, http.StatusConflict},
	{backends.ErrNotEmpty, http.StatusConflict},
	{backends.ErrRefused, http.StatusUnprocessableEntity},
}

func fail(w http.ResponseWriter, err error) {
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			faults.WriteJSON(w, s.status, memory.ErrorToWire(err))
			return
		}
	}
	faults.WriteJSON(w, http.StatusInternalServerError, memory.ErrorToWire(err))
}
