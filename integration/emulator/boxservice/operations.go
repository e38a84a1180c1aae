package boxservice

import (
	"encoding/json"
	"io"
	"net/http"
)

// request is what an operation gets beside the HTTP request.
type request struct {
	id    string // of the item, session or version in the path, the last one
	above string // of the item in the path that has it
	body  []byte
}

// decode reads the body as JSON.
func (q request) decode(into any) *failure {
	if len(q.body) == 0 {
		return badRequest("a body is needed")
	}
	if err := json.Unmarshal(q.body, into); err != nil {
		return badRequest("the body is not valid: " + err.Error())
	}
	return nil
}

func readBody(r *http.Request) ([]byte, *failure) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, badRequest("the body is incomplete")
	}
	return body, nil
}

// operation finds what a method and a path mean; nil: nothing.
func (s *Service) operation(method string, parts []string, body []byte) handler {
	operations := map[string]func(request, http.ResponseWriter, *http.Request) *failure{
		"GET users/me":                        s.getMe,
		"GET events":                          ignoring(s.getEvents),
		"OPTIONS events":                      ignoring(s.optionsEvents),
		"POST folders":                        s.createFolder,
		"GET folders/*":                       s.getFolder,
		"PUT folders/*":                       s.updateFolder,
		"DELETE folders/*":                    s.deleteFolder,
		"GET folders/*/items":                 s.listItems,
		"GET folders/trash/items":             s.listTrash,
		"POST folders/*/copy":                 s.copyFolder,
		"GET folders/*/trash":                 s.getTrashed,
		"DELETE folders/*/trash":              s.purgeTrashed,
		"POST folders/*":                      s.restore,
		"OPTIONS files/content":               s.preflight,
		"OPTIONS files/*/content":             s.preflightVersion,
		"POST files/content":                  s.uploadFile,
		"POST files/*/content":                s.uploadVersion,
		"GET files/*":                         s.getFile,
		"PUT files/*":                         s.updateFile,
		"DELETE files/*":                      s.deleteFile,
		"GET files/*/content":                 s.getContent,
		"POST files/*/copy":                   s.copyFile,
		"GET files/*/versions":                s.listVersions,
		"POST files/*/versions/current":       s.promote,
		"GET files/*/versions/*":              s.getVersion,
		"DELETE files/*/versions/*":           s.deleteVersion,
		"PUT files/*/versions/*":              s.restoreVersion,
		"GET files/*/trash":                   s.getTrashed,
		"DELETE files/*/trash":                s.purgeTrashed,
		"POST files/*":                        s.restore,
		"POST files/upload_sessions":          s.createSession,
		"POST files/*/upload_sessions":        s.createVersionSession,
		"GET files/upload_sessions/*":         s.getSession,
		"PUT files/upload_sessions/*":         s.putPart,
		"GET files/upload_sessions/*/parts":   s.listParts,
		"POST files/upload_sessions/*/commit": s.commitSession,
		"DELETE files/upload_sessions/*":      s.abortSession,
	}
	key, q := method+" ", request{body: body}
	for i, part := range parts {
		if i > 0 {
			key += "/"
		}
		if isID(parts, i) {
			q.above, q.id = q.id, part
			key += "*"
			continue
		}
		key += part
	}
	operation := operations[key]
	if operation == nil {
		return nil
	}
	return func(w http.ResponseWriter, r *http.Request) *failure { return operation(q, w, r) }
}

// isID reports whether a part of a path is an id: what is no word of the API.
func isID(parts []string, i int) bool {
	if i == 0 {
		return false
	}
	switch parts[i] {
	case "me", "content", "items", "copy", "versions", "current", "upload_sessions", "parts", "commit":
		return false
	case "trash":
		return false
	}
	return true
}

func ignoring(h handler) func(request, http.ResponseWriter, *http.Request) *failure {
	return func(_ request, w http.ResponseWriter, r *http.Request) *failure { return h(w, r) }
}
