package boxcsv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
)

// specification is a part of Box's own, beside this checkout; where it is
// absent nothing is compared with it.
const specification = "../../../shared/data/box-openapi-subset.json"

// validated compares all requests and answers of the emulated Box with the
// specification: both sides are ours, and would agree on a mistake.
func validated(t *testing.T, next http.Handler) http.Handler {
	t.Helper()
	router, err := specified()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return next
	case err != nil:
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		route, params := find(router, r)
		if route == nil || r.URL.Query().Get("stream_type") != "" || len(body) > 1<<20 {
			next.ServeHTTP(w, r)
			return
		}
		copied := normalised(r, body)
		input := &openapi3filter.RequestValidationInput{
			Request: copied, Route: route, PathParams: params,
			Options: &openapi3filter.Options{
				AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true,
			},
		}
		if err := openapi3filter.ValidateRequest(context.WithoutCancel(r.Context()), input); err != nil {
			t.Errorf("request %s %s: %.400s", r.Method, r.URL.Path, err)
		}
		recorder := httptest.NewRecorder()
		next.ServeHTTP(recorder, r)
		checkAnswer(t, input, recorder)
		for name, values := range recorder.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(recorder.Code)
		_, _ = w.Write(recorder.Body.Bytes())
	})
}

// specified reads the specification, once for all tests.
var specified = sync.OnceValues(func() (routers.Router, error) {
	content, err := os.ReadFile(specification)
	if err != nil {
		return nil, err
	}
	document, err := openapi3.NewLoader().LoadFromData(content)
	if err != nil {
		return nil, err
	}
	document.Servers = nil // kin looks at those of operations not at all
	return gorillamux.NewRouter(document)
})

func find(router routers.Router, r *http.Request) (*routers.Route, map[string]string) {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/api"), "/2.0")
	if path == r.URL.Path {
		return nil, nil // tokens, downloads and the emulator's own calls
	}
	copied := r.Clone(r.Context())
	copied.URL.Path, copied.URL.RawPath = path, ""
	route, params, err := router.FindRoute(copied)
	if err != nil {
		return nil, nil // the subset lacks it
	}
	return route, params
}

// normalised gives the parts of an upload the form that the specification
// demands and no client sends.
func normalised(r *http.Request, body []byte) *http.Request {
	copied := r.Clone(context.WithoutCancel(r.Context()))
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err == nil && mediaType == "multipart/form-data" {
		var whole bytes.Buffer
		writer := multipart.NewWriter(&whole)
		reader := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for part, err := reader.NextPart(); err == nil; part, err = reader.NextPart() {
			header := textproto.MIMEHeader{}
			header.Set("Content-Disposition", part.Header.Get("Content-Disposition"))
			if part.FormName() == "attributes" {
				header.Set("Content-Type", "application/json")
			} else {
				header.Set("Content-Type", "application/octet-stream")
			}
			if to, err := writer.CreatePart(header); err == nil {
				_, _ = io.Copy(to, part)
			}
		}
		_ = writer.Close()
		body = whole.Bytes()
		copied.Header.Set("Content-Type", writer.FormDataContentType())
		copied.ContentLength = int64(len(body))
	}
	copied.Body = io.NopCloser(bytes.NewReader(body))
	copied.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return copied
}

func checkAnswer(t *testing.T, input *openapi3filter.RequestValidationInput, recorder *httptest.ResponseRecorder) {
	t.Helper()
	if !json.Valid(recorder.Body.Bytes()) || recorder.Code == http.StatusServiceUnavailable {
		return // no body, or a fault that was ordered
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: recorder.Code, Header: recorder.Header(),
		Body: io.NopCloser(bytes.NewReader(recorder.Body.Bytes())), Options: input.Options,
	})
	if err != nil {
		t.Errorf("answer %d to %s %s: %.400s", recorder.Code, input.Request.Method, input.Request.URL.Path, err)
	}
}
