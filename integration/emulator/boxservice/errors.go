package boxservice

import (
	"fmt"
	"net/http"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// failure is an answer that is an error.
type failure struct {
	status     int
	code       string
	message    string
	context    any // context_info; nil: none
	retryAfter string
}

func fail(status int, code, message string) *failure {
	return &failure{status: status, code: code, message: message}
}

func notFound(kind, id string) *failure {
	f := fail(http.StatusNotFound, "not_found", "Not Found")
	f.context = map[string]any{"errors": []any{map[string]any{
		"reason": "invalid_parameter", "name": kind, "message": fmt.Sprintf("Invalid value '%s'. '%s' with value '%s' not found", id, kind, id),
	}}}
	return f
}

func badRequest(message string) *failure { return fail(http.StatusBadRequest, "bad_request", message) }

// nameTaken is the conflict with an item: an object in the answers about files,
// a list in those about folders.
func nameTaken(conflict any) *failure {
	f := fail(http.StatusConflict, "item_name_in_use", "Item with the same name already exists")
	f.context = map[string]any{"conflicts": conflict}
	return f
}

func preconditionFailed() *failure {
	return fail(http.StatusPreconditionFailed, "precondition_failed",
		"The resource has been modified. Please retrieve the resource again and retry")
}

// errorBody is the form in which Box words its errors.
func errorBody(status int) any {
	return body(fail(status, codeOf(status), http.StatusText(status)))
}

func codeOf(status int) string {
	switch status {
	case http.StatusTooManyRequests:
		return "rate_limit_exceeded"
	case http.StatusPreconditionFailed:
		return "precondition_failed"
	case http.StatusConflict:
		return "conflict"
	case http.StatusForbidden:
		return "access_denied_insufficient_permissions"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusUnauthorized:
		return "unauthorized"
	case http.StatusServiceUnavailable:
		return "unavailable"
	}
	return "internal_server_error"
}

func body(f *failure) map[string]any {
	answer := map[string]any{
		"type": "error", "status": f.status, "code": f.code, "message": f.message,
		"help_url":   "https://developer.box.com/guides/api-calls/permissions-and-errors/common-errors/",
		"request_id": "emulated",
	}
	if f.context != nil {
		answer["context_info"] = f.context
	}
	return answer
}

func (f *failure) write(w http.ResponseWriter) {
	if f.retryAfter != "" {
		w.Header().Set("Retry-After", f.retryAfter)
	}
	if f.status == http.StatusUnauthorized { // Box says nothing in the body
		w.Header().Set("WWW-Authenticate",
			`Bearer realm="Service", error="invalid_token", error_description="The access token provided is invalid."`)
		w.WriteHeader(f.status)
		return
	}
	faults.WriteJSON(w, f.status, body(f))
}
