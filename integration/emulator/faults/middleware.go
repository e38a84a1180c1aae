package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Options say how a service is wrapped.
type Options struct {
	Latency time.Duration // before every answer
	// State returns what GET /_emulator/state shows, as JSON encodes it.
	State func() any
	// ErrorBody makes the body of an answer that a fault gives, in the form in
	// which the service words its own errors. Nil: {"error": {"message": ...}}.
	ErrorBody func(status int) any
}

// Service is an emulated service with its out-of-band calls.
type Service struct {
	emulated http.Handler
	control  http.Handler
	options  Options
	rules    rules
	journal  journal
}

// Wrap returns a handler of the emulated API and of /_emulator.
func Wrap(emulated http.Handler, options Options) *Service {
	if options.ErrorBody == nil {
		options.ErrorBody = func(status int) any {
			return map[string]any{"error": map[string]string{"message": "fault: " + http.StatusText(status)}}
		}
	}
	s := &Service{emulated: emulated, options: options}
	control := http.NewServeMux()
	control.HandleFunc("GET /_emulator/calls", func(w http.ResponseWriter, _ *http.Request) {
		WriteJSON(w, http.StatusOK, s.journal.list())
	})
	control.HandleFunc("DELETE /_emulator/calls", func(w http.ResponseWriter, _ *http.Request) {
		s.journal.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	control.HandleFunc("POST /_emulator/faults", s.postFaults)
	control.HandleFunc("DELETE /_emulator/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.rules.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	control.HandleFunc("GET /_emulator/state", func(w http.ResponseWriter, _ *http.Request) {
		if options.State == nil {
			http.NotFound(w, nil)
			return
		}
		WriteJSON(w, http.StatusOK, options.State())
	})
	s.control = control
	return s
}

// Add adds rules, as POST /_emulator/faults does.
func (s *Service) Add(rules ...Rule) error { return s.rules.add(rules) }

// Clear removes all rules.
func (s *Service) Clear() { s.rules.clear() }

// Calls returns the journal.
func (s *Service) Calls() []Call { return s.journal.list() }

func (s *Service) postFaults(w http.ResponseWriter, r *http.Request) {
	var rules []Rule
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&rules)
	if err == nil {
		err = s.rules.add(rules)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_emulator/") {
		s.control.ServeHTTP(w, r)
		return
	}
	body := &countingBody{ReadCloser: r.Body}
	r.Body = body
	counted := &countingWriter{ResponseWriter: w}
	defer func() {
		s.journal.add(Call{
			Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
			Status: counted.status, RequestBytes: body.n, ResponseBytes: counted.n,
		})
	}()
	rule, met := s.rules.match(r)
	if met && rule.Action == Reset {
		_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2) // as far as it comes
		panic(http.ErrAbortHandler)
	}
	if (s.options.Latency > 0 || met) && !readAhead(r) {
		panic(http.ErrAbortHandler)
	}
	if !pause(r.Context(), s.options.Latency) {
		panic(http.ErrAbortHandler)
	}
	if !met {
		s.emulated.ServeHTTP(counted, r)
		return
	}
	s.disturb(counted, r, rule)
}

// disturb answers a request that meets a fault.
func (s *Service) disturb(w *countingWriter, r *http.Request, rule Rule) {
	if rule.Action == Stall && rule.Delay == 0 {
		<-r.Context().Done()
	}
	if rule.Action == Trickle {
		trickle(w, r, s.apply(r), time.Duration(rule.Delay))
		return
	}
	var early <-chan struct{}
	if rule.Action == Stall {
		early = s.rules.untilDeleted()
	}
	if !pauseUntil(r.Context(), time.Duration(rule.Delay), early) {
		panic(http.ErrAbortHandler)
	}
	switch rule.Action {
	case Stall:
		s.emulated.ServeHTTP(w, r)
	case Status:
		s.answer(w, rule)
	case Drop:
		panic(http.ErrAbortHandler)
	case ApplyThenDrop:
		s.apply(r)
		panic(http.ErrAbortHandler)
	case ApplyThenStatus:
		s.apply(r)
		s.answer(w, rule)
	case ApplyThenCut:
		s.cut(w, s.apply(r))
	}
}

// apply lets the service do its work, and returns what it would have answered.
// The client's going away must not stop the work half-way.
func (s *Service) apply(r *http.Request) *discarded {
	answer := &discarded{header: http.Header{}}
	s.emulated.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
	return answer
}

func (s *Service) answer(w http.ResponseWriter, rule Rule) {
	if rule.RetryAfter != "" {
		w.Header().Set("Retry-After", rule.RetryAfter)
	}
	if rule.Body != nil {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(rule.Status)
		_, _ = io.WriteString(w, *rule.Body) // the client may be gone: that is its business
		return
	}
	WriteJSON(w, rule.Status, s.options.ErrorBody(rule.Status))
}

// trickle sends an answer so slowly that it never seems to end.
func trickle(w http.ResponseWriter, r *http.Request, answer *discarded, each time.Duration) {
	maps.Copy(w.Header(), answer.header)
	w.WriteHeader(max(answer.status, http.StatusOK))
	for i := range answer.body {
		_, err := w.Write(answer.body[i : i+1])
		if err == nil {
			err = http.NewResponseController(w).Flush()
		}
		if err != nil || !pause(r.Context(), each) {
			return
		}
	}
}

// cut announces a whole answer and sends half of it.
func (s *Service) cut(w http.ResponseWriter, answer *discarded) {
	maps.Copy(w.Header(), answer.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer.body)))
	w.WriteHeader(max(answer.status, http.StatusOK))
	_, _ = w.Write(answer.body[:len(answer.body)/2]) // the client may be gone: so much the better
	_ = http.NewResponseController(w).Flush()        // as above
	panic(http.ErrAbortHandler)
}

// readAhead takes in the whole body, and reports whether it came: only behind
// the body does net/http notice that a client goes away.
func readAhead(r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil
}

// pause waits, and reports whether the client is still there.
func pause(ctx context.Context, d time.Duration) bool { return pauseUntil(ctx, d, nil) }

// pauseUntil is pause, and ends early when a channel is closed.
func pauseUntil(ctx context.Context, d time.Duration, early <-chan struct{}) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-early:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

// WriteJSON answers with a JSON value.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		http.Error(w, fmt.Sprintf("answer: %v", err), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(encoded, '\n')) // a client that has gone is none of the service's business
}
