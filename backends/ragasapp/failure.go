package ragasapp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// reply is an answer whose body has come whole.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// decode returns the data of a good answer, or what a bad one means. Data is nil
// where a good answer has no body: some servers answer so to DELETE.
func (a reply) decode(writes bool) (json.RawMessage, error) {
	var e envelope
	isObject := len(a.body) > 0 && json.Unmarshal(a.body, &e) == nil && bytes.HasPrefix(bytes.TrimSpace(a.body), []byte("{"))
	good := a.status >= 200 && a.status < 300
	switch {
	case good && len(bytes.TrimSpace(a.body)) == 0:
		return nil, nil
	case good && !isObject:
		return nil, doubt(writes, backends.ErrIncomplete, "the answer is "+a.looks()+", no JSON object: is api_url a Ragas API?")
	case good && e.Status == "error":
		status := e.StatusCode
		if status < http.StatusBadRequest {
			status = http.StatusInternalServerError
		}
		return nil, a.failure(status, &e, writes)
	case good:
		return e.Data, nil
	case isObject:
		return nil, a.failure(a.status, &e, writes)
	}
	return nil, a.failure(a.status, nil, writes)
}

// looks says in a few words what a body is that is no JSON object.
func (a reply) looks() string {
	trimmed := bytes.TrimSpace(a.body)
	switch {
	case len(trimmed) == 0:
		return "empty"
	case trimmed[0] == '<':
		return "an HTML page"
	}
	const most = 60
	return strconv.Quote(string(trimmed[:min(len(trimmed), most)]))
}

// failure is what a bad status means. e is nil if the answer was not of the API:
// then not even "not found" is believed, for a proxy may have said it.
func (a reply) failure(status int, e *envelope, writes bool) error {
	words := strconv.Itoa(status)
	if text := http.StatusText(status); text != "" {
		words += " " + text
	}
	if e != nil {
		words += e.words()
	} else {
		words += ", the answer is " + a.looks()
	}
	sentinel := sentinelOf(status, writes)
	if e == nil && status == http.StatusNotFound {
		sentinel = backends.ErrUnavailable
		words += ": is api_url a Ragas API?"
	}
	err := fmt.Errorf("the server answered %s: %w", words, sentinel)
	if wait, given := retryAfter(a.header, time.Now()); given {
		return &backends.RetryAfter{Err: err, Wait: wait}
	}
	return err
}

// words are the server's own, with a colon before them.
func (e *envelope) words() string {
	message := e.Message
	if message == "" && len(e.Detail) > 0 {
		message = string(e.Detail)
	}
	if message == "" {
		return ""
	}
	const most = 300
	message = strings.ToValidUTF8(message[:min(len(message), most)], "")
	return ": " + strings.Join(strings.Fields(message), " ")
}

// sentinelOf says what a status means. After a 5xx a write may have happened.
func sentinelOf(status int, writes bool) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return backends.ErrAuth
	case http.StatusNotFound, http.StatusGone:
		return backends.ErrNotFound
	case http.StatusConflict:
		return backends.ErrExists
	case http.StatusPreconditionFailed:
		return backends.ErrConflict
	case http.StatusRequestTimeout, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return backends.ErrUnavailable
	}
	switch {
	case status < http.StatusBadRequest: // a redirect: the key is not sent elsewhere
		return backends.ErrUnavailable
	case status < http.StatusInternalServerError:
		return backends.ErrRefused
	case writes:
		return backends.ErrUnknown
	}
	return backends.ErrUnavailable
}

// doubt is what an unusable answer means: a write may have happened.
func doubt(writes bool, otherwise error, words string) error {
	if writes {
		otherwise = backends.ErrUnknown
	}
	return fmt.Errorf("%s: %w", words, otherwise)
}

// retryAfter reads the header, in both of its forms.
func retryAfter(header http.Header, now time.Time) (wait time.Duration, given bool) {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e6 {
		return time.Duration(seconds * float64(time.Second)), true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}
