package boxservice

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

func (s *Service) getMe(_ request, w http.ResponseWriter, r *http.Request) *failure {
	me := s.user()
	if actor := s.tokens.actor(r); actor != s.options.User {
		me["id"], me["name"], me["login"] = actor, "Service Account", "AutomationUser@boxdevedition.com"
	}
	const space = 1 << 40
	me["space_amount"], me["space_used"], me["max_upload_size"] = space, 0, int64(5)<<30
	me["enterprise"] = map[string]any{"type": "enterprise", "id": s.options.Enterprise, "name": "Test"}
	me["status"], me["language"], me["timezone"] = "active", "en", "Europe/Berlin"
	me["created_at"], me["modified_at"] = stamp(s.store.clock()), stamp(s.store.clock())
	faults.WriteJSON(w, http.StatusOK, selected(r, me))
	return nil
}

// checkName refuses what Box refuses, or changes it where the knob says so.
func (s *Service) checkName(name string) (string, *failure) {
	const most = 255
	if n := utf8.RuneCountInString(name); n == 0 || n > most {
		code := "item_name_invalid"
		if n > most {
			code = "item_name_too_long"
		}
		return "", fail(http.StatusBadRequest, code, "Item name invalid")
	}
	bad := func(r rune) bool { return r == '/' || r == '\\' || r < ' ' || r == 0x7f || !unicode.IsGraphic(r) }
	if !strings.ContainsFunc(name, bad) && strings.TrimRight(name, " ") == name && name != "." && name != ".." {
		if s.knobs.Sanitize && strings.ContainsAny(name, "<>:|?*") {
			return strings.Map(func(r rune) rune {
				if strings.ContainsRune("<>:|?*", r) {
					return '_'
				}
				return r
			}, name), nil
		}
		return name, nil
	}
	if s.knobs.Sanitize {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if bad(r) {
				return '_'
			}
			return r
		}, name)), nil
	}
	return "", fail(http.StatusBadRequest, "item_name_invalid", "Item name invalid")
}

type newItem struct {
	Name   string `json:"name"`
	Parent struct {
		ID string `json:"id"`
	} `json:"parent"`
	Size              *int64 `json:"size"`
	ContentModifiedAt string `json:"content_modified_at"`
	Description       string `json:"description"`
}

// free checks that a name may be used in a folder.
func (s *Service) free(folder, name string) (string, *item, *failure) {
	if _, f := s.store.find(typeFolder, folder); f != nil {
		return "", nil, f
	}
	name, f := s.checkName(name)
	if f != nil {
		return "", nil, f
	}
	return name, s.store.named(folder, name), nil
}

// busy are the conflicts that go away.
func (s *Service) busy() *failure {
	switch {
	case take(&s.knobs.NameReserved):
		return fail(http.StatusConflict, "name_temporarily_reserved", "Item name is temporarily reserved")
	case take(&s.knobs.Blocked):
		return fail(http.StatusConflict, "operation_blocked_temporary", "The operation is blocked by another operation")
	}
	return nil
}

func (s *Service) createFolder(q request, w http.ResponseWriter, r *http.Request) *failure {
	var wanted newItem
	if f := q.decode(&wanted); f != nil {
		return f
	}
	if f := s.busy(); f != nil {
		return f
	}
	name, taken, f := s.free(wanted.Parent.ID, wanted.Name)
	if f != nil {
		return f
	}
	if taken != nil {
		return nameTaken([]any{mini(taken)})
	}
	folder := s.store.addFolder(wanted.Parent.ID, name)
	folder.description = wanted.Description
	faults.WriteJSON(w, http.StatusCreated, selected(r, s.full(folder)))
	return nil
}

func (s *Service) getFolder(q request, w http.ResponseWriter, r *http.Request) *failure {
	folder, f := s.store.find(typeFolder, q.id)
	if f != nil {
		return f
	}
	faults.WriteJSON(w, http.StatusOK, selected(r, s.full(folder)))
	return nil
}

func (s *Service) updateFolder(q request, w http.ResponseWriter, r *http.Request) *failure {
	folder, f := s.store.find(typeFolder, q.id)
	if f != nil {
		return f
	}
	return s.update(folder, q, w, r)
}

func (s *Service) deleteFolder(q request, w http.ResponseWriter, r *http.Request) *failure {
	folder, f := s.store.find(typeFolder, q.id)
	if f != nil {
		return f
	}
	if q.id == "0" {
		return fail(http.StatusForbidden, "access_denied_insufficient_permissions", "The root folder stays")
	}
	if f := s.matches(r, folder); f != nil {
		return f
	}
	recursive, err := strconv.ParseBool(r.URL.Query().Get("recursive"))
	if (err != nil || !recursive) && len(s.store.children(q.id)) > 0 {
		return fail(http.StatusBadRequest, "folder_not_empty", "Cannot delete folder as it is not empty")
	}
	s.store.trash(folder)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// Limits of a listing.
const (
	defaultPage = 100
	maxPage     = 1000
	maxOffset   = 9999
)

func (s *Service) listItems(q request, w http.ResponseWriter, r *http.Request) *failure {
	if _, err := strconv.ParseUint(q.id, 10, 64); err != nil {
		return fail(http.StatusMethodNotAllowed, "method_not_allowed", "Method Not Allowed")
	}
	if _, f := s.store.find(typeFolder, q.id); f != nil {
		return f
	}
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	if s.knobs.PageSize > 0 {
		limit = min(limit, s.knobs.PageSize)
	}
	entries := []any{}
	if !take(&s.knobs.HideListings) {
		for _, i := range s.store.listed(q.id, time.Duration(s.knobs.ListingLag)) {
			entries = append(entries, s.listingShape(r, i))
		}
	}
	if s.knobs.StrangeListing {
		entries = append(entries, map[string]any{
			"type": "web_link", "id": "77", "etag": "0", "name": "link.csv", "url": "https://example.com/", "future": map[string]any{},
		})
	}
	marker, err := strconv.ParseBool(query.Get("usemarker"))
	if err == nil && marker {
		return s.markerPage(w, query.Get("marker"), limit, entries)
	}
	offset, err := strconv.Atoi(query.Get("offset"))
	if query.Get("offset") == "" {
		offset, err = 0, nil
	}
	if err != nil || offset < 0 || offset > maxOffset {
		return badRequest("offset is not valid")
	}
	from := min(offset, len(entries))
	var order any = []any{map[string]any{"by": "type", "direction": "ASC"}, map[string]any{"by": "name", "direction": "ASC"}}
	if s.knobs.StrangeListing {
		order = map[string]any{"by": "type", "direction": "ASC"}
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"total_count": len(entries), "offset": offset, "limit": limit, "order": order,
		"entries": entries[from:min(from+limit, len(entries))],
	})
	return nil
}

// listingShape is an entry of a listing.
func (s *Service) listingShape(r *http.Request, i *item) map[string]any {
	m := s.selectedMini(r, i)
	if !s.knobs.StrangeTypes {
		return m
	}
	m["id"], m["modified_at"], m["unheard_of"] = json.Number(i.id), nil, []any{1}
	if !i.isFile() {
		m["size"] = json.Number("1.0034576983313e+14")
	}
	return m
}

func (s *Service) markerPage(w http.ResponseWriter, marker string, limit int, entries []any) *failure {
	from := 0
	if marker != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(marker)
		if err == nil {
			from, err = strconv.Atoi(strings.TrimPrefix(string(decoded), "at-"))
		}
		if err != nil || from < 0 || take(&s.knobs.MarkerRejected) {
			return badRequest("marker is not valid")
		}
	}
	from = min(from, len(entries))
	to := min(from+limit, len(entries))
	if s.knobs.RepeatEntries && from > 0 {
		from--
	}
	page := map[string]any{"limit": limit, "entries": entries[from:to]}
	switch {
	case to < len(entries):
		page["next_marker"] = base64.RawURLEncoding.EncodeToString([]byte("at-" + strconv.Itoa(to)))
	case s.knobs.MarkerEnd == "null":
		page["next_marker"] = nil
	case s.knobs.MarkerEnd == "empty":
		page["next_marker"] = ""
	}
	faults.WriteJSON(w, http.StatusOK, page)
	return nil
}
