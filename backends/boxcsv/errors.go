package boxcsv

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Codes of Box that mean something else than their status.
const (
	codeNameReserved  = "name_temporarily_reserved"
	codeBlocked       = "operation_blocked_temporary"
	codeNameInUse     = "item_name_in_use"
	codeLocked        = "access_denied_item_locked"
	codeStorageFull   = "storage_limit_exceeded"
	codeFileTooLarge  = "file_size_limit_exceeded"
	codeNotEmpty      = "folder_not_empty"
	codeBadDigest     = "bad_digest"
	codePartsMismatch = "parts_mismatch"
)

// apiError is an answer of Box that is an error, as one of the sentinels.
type apiError struct {
	status    int
	code      string
	message   string
	requestID string
	conflict  *item // what is in the way, where Box names it
	meaning   error // the sentinel
}

func (e *apiError) Error() string {
	words := "Box answers " + strconv.Itoa(e.status)
	if e.code != "" {
		words += " " + e.code
	}
	if e.message != "" {
		words += ": " + e.message
	}
	if e.requestID != "" {
		words += " (request " + e.requestID + ")"
	}
	return words + ": " + e.meaning.Error()
}

// Unwrap returns the sentinel.
func (e *apiError) Unwrap() error { return e.meaning }

// failureOf makes an error of an answer. writes: the call may have changed
// something, so that a 5xx leaves a doubt.
func failureOf(status int, header http.Header, body []byte, writes bool) error {
	var wire failureBody
	if json.Unmarshal(body, &wire) != nil {
		wire = failureBody{} // HTML, or nothing: the status says enough
	}
	failed := &apiError{
		status: status, code: wire.Code, message: wire.Message, requestID: wire.RequestID,
		conflict: wire.conflict(), meaning: meaningOf(status, wire.Code, writes),
	}
	if id := header.Get("Box-Request-Id"); id != "" && id != failed.requestID { // another one, for Box's support
		failed.requestID = strings.TrimPrefix(failed.requestID+", "+id, ", ")
	}
	if len(wire.Context.Errors) > 0 && wire.Context.Errors[0].Message != "" {
		failed.message += ": " + wire.Context.Errors[0].Message
	}
	wait, given := retryAfter(header, time.Now())
	if !given && (wire.Code == codeNameReserved || wire.Code == codeBlocked) {
		wait, given = busyWait, true
	}
	later := errors.Is(failed, backends.ErrUnavailable) || errors.Is(failed, backends.ErrUnknown)
	if given && later {
		return &backends.RetryAfter{Err: failed, Wait: wait}
	}
	return failed
}

// busyWait is when to come back to what another operation blocks.
const busyWait = 2 * time.Second

func meaningOf(status int, code string, writes bool) error {
	switch code {
	case codeNameReserved, codeBlocked, codeLocked, codeStorageFull, codeBadDigest:
		return backends.ErrUnavailable // better later
	case codeNameInUse:
		return backends.ErrExists
	case codeFileTooLarge:
		return backends.ErrRefused
	case codeNotEmpty:
		return backends.ErrNotEmpty
	}
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return backends.ErrAuth
	case http.StatusNotFound:
		return backends.ErrNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return backends.ErrConflict
	case http.StatusAccepted, http.StatusRequestTimeout, http.StatusGone, http.StatusLocked,
		http.StatusTooEarly, http.StatusTooManyRequests:
		return backends.ErrUnavailable
	}
	switch {
	case status < http.StatusInternalServerError:
		return backends.ErrRefused
	case writes:
		return backends.ErrUnknown
	}
	return backends.ErrUnavailable
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now)), true
	}
	return 0, false
}

// conflictOf is the item that Box named as being in the way, or nil.
func conflictOf(err error) *item {
	var failed *apiError
	if errors.As(err, &failed) {
		return failed.conflict
	}
	return nil
}

func incomplete(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backends.ErrIncomplete, fmt.Sprintf(format, args...))
}
