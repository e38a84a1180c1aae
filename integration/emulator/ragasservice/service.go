// Package ragasservice serves a ragasapi.Store over HTTP as the Ragas service
// did: its 35 endpoints under /api/v1, its envelope, its errors.
//
// What is kept, and how, is the store's. Journal, faults and latency of the
// emulator are put around it by New; Handler is the bare API.
package ragasservice

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// TokenHeader carries the API key.
const TokenHeader = "X-App-Token"

// Workspaces are the stores by the API keys that open them.
type Workspaces map[string]ragasapi.Store

// Options say how a service is wrapped.
type Options struct {
	Latency time.Duration // before every answer
	State   func() any    // what GET /_emulator/state shows
}

// New serves workspaces, with the out-of-band calls of package faults.
func New(workspaces Workspaces, options Options) *faults.Service {
	return faults.Wrap(Handler(workspaces), faults.Options{
		Latency: options.Latency, State: options.State,
		ErrorBody: func(status int) any { return failureOf(status, "fault: "+http.StatusText(status)) },
	})
}

// Handler serves workspaces.
func Handler(workspaces Workspaces) http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, serve func(*call) (any, error)) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" /api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
			store, known := workspaces[r.Header.Get(TokenHeader)]
			if !known {
				fail(w, http.StatusForbidden, "Invalid app token")
				return
			}
			answer(w, &call{r: r, store: store}, serve)
		})
	}
	projectRoutes(route)
	for _, kind := range []ragasapi.Kind{ragasapi.Datasets, ragasapi.Experiments} {
		tableRoutes(kind, route)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, "no such endpoint: "+r.Method+" "+r.URL.Path)
	})
	return mux
}

// call is one request.
type call struct {
	r     *http.Request
	store ragasapi.Store
	kind  ragasapi.Kind
}

// envelope is every good answer.
type envelope struct {
	Status string `json:"status"`
	Data   any    `json:"data"`
}

// failure is every bad answer.
type failure struct {
	Status     string `json:"status"`
	StatusCode int    `json:"status_code"`
	Message    string `json:"message"`
}

func failureOf(status int, message string) failure {
	return failure{Status: "error", StatusCode: status, Message: message}
}

func fail(w http.ResponseWriter, status int, message string) {
	faults.WriteJSON(w, status, failureOf(status, message))
}

func answer(w http.ResponseWriter, c *call, serve func(*call) (any, error)) {
	data, err := serve(c)
	switch {
	case err == nil:
		faults.WriteJSON(w, http.StatusOK, envelope{Status: "success", Data: data})
	case errors.Is(err, ragasapi.ErrNotFound):
		fail(w, http.StatusNotFound, err.Error())
	case errors.Is(err, ragasapi.ErrExists):
		fail(w, http.StatusConflict, err.Error())
	case errors.Is(err, ragasapi.ErrInvalid):
		fail(w, http.StatusUnprocessableEntity, err.Error())
	default:
		fail(w, http.StatusInternalServerError, "An internal server error occured") //nolint:misspell // as recorded
	}
}

// table is the table that the path names.
func (c *call) table() ragasapi.TableRef {
	return ragasapi.TableRef{Project: c.r.PathValue("project"), Kind: c.kind, ID: c.r.PathValue("table")}
}

// page is the part of a list that the query asks for.
func (c *call) page() (ragasapi.Page, error) {
	const defaultLimit = 50
	query := c.r.URL.Query()
	page := ragasapi.Page{Limit: defaultLimit, OrderBy: query.Get("order_by"), SortDir: query.Get("sort_dir")}
	for name, number := range map[string]*int{"limit": &page.Limit, "offset": &page.Offset} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return page, fmt.Errorf("%s=%s: %w", name, text, ragasapi.ErrInvalid)
		}
		*number = n
	}
	return page, nil
}

// body decodes what was sent. Keys that nobody knows are ignored.
func (c *call) body(into any) error {
	const most = 64 << 20
	data, err := io.ReadAll(io.LimitReader(c.r.Body, most))
	if err != nil {
		return fmt.Errorf("body: %w: %w", ragasapi.ErrInvalid, err)
	}
	if !utf8.Valid(data) {
		return fmt.Errorf("body: not UTF-8: %w", ragasapi.ErrInvalid)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("body: %w: %w", ragasapi.ErrInvalid, err)
	}
	return nil
}

// deleted is the data of an answer to DELETE: there must be a JSON body.
func deleted(err error) (any, error) { return nil, err }
