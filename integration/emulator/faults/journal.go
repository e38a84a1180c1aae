package faults

import (
	"io"
	"net/http"
	"sync"
)

// Call is one request as it was answered.
type Call struct {
	Method string `json:"method"`
	Path   string `json:"path"`            // escaped, without query
	Query  string `json:"query,omitempty"` // as sent
	// Status of the answer; 0: the connection was closed without one.
	Status        int   `json:"status"`
	RequestBytes  int64 `json:"request_bytes"`  // of the body, as far as it was read
	ResponseBytes int64 `json:"response_bytes"` // of the body
}

// journal keeps calls in the order in which they ended.
type journal struct {
	mu    sync.Mutex
	calls []Call
}

func (j *journal) add(call Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, call)
}

func (j *journal) list() []Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]Call{}, j.calls...) // never nil: null is no list
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = nil
}

// countingBody counts the bytes of a request.
type countingBody struct {
	io.ReadCloser
	n int64
}

func (b *countingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// countingWriter counts the bytes of an answer and notes its status.
type countingWriter struct {
	http.ResponseWriter
	status int
	n      int64
}

func (w *countingWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countingWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what is underneath.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discarded is an answer that nobody gets. It keeps the bytes for those who
// want half of them.
type discarded struct {
	header http.Header
	status int
	body   []byte
}

func (d *discarded) Header() http.Header { return d.header }

func (d *discarded) WriteHeader(status int) {
	if d.status == 0 {
		d.status = status
	}
}

func (d *discarded) Write(p []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	d.body = append(d.body, p...)
	return len(p), nil
}
