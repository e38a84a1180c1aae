package boxservice

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// matches checks If-Match: the raw etag, without quotes.
func (s *Service) matches(r *http.Request, i *item) *failure {
	if want := r.Header.Get("If-Match"); want != "" && want != strconv.Itoa(i.etag) {
		return preconditionFailed()
	}
	return nil
}

// writable checks whether another user has locked a file.
func (s *Service) writable(r *http.Request, i *item) *failure {
	if i.lockedBy != "" && i.lockedBy != s.tokens.actor(r) {
		return fail(http.StatusForbidden, "access_denied_item_locked", "Access denied - item locked")
	}
	return nil
}

// preflight answers 200 where a file of this name could be made.
func (s *Service) preflight(q request, w http.ResponseWriter, r *http.Request) *failure {
	var wanted newItem
	if f := q.decode(&wanted); f != nil {
		return f
	}
	if f := s.busy(); f != nil {
		return f
	}
	_, taken, f := s.free(wanted.Parent.ID, wanted.Name)
	if f != nil {
		return f
	}
	if taken != nil {
		return nameTaken(mini(taken))
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"upload_url": baseURL(r) + "/api/2.0/files/content", "upload_token": nil,
	})
	return nil
}

func (s *Service) preflightVersion(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	if f := s.writable(r, file); f != nil {
		return f
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"upload_url": baseURL(r) + "/api/2.0/files/content", "upload_token": nil,
	})
	return nil
}

func (s *Service) getFile(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	if known := r.Header.Get("If-None-Match"); known == strconv.Itoa(file.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	faults.WriteJSON(w, http.StatusOK, selected(r, s.full(file)))
	return nil
}

func (s *Service) updateFile(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	if f := s.writable(r, file); f != nil {
		return f
	}
	return s.update(file, q, w, r)
}

// change is the body of a PUT: what is missing stays.
type change struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	Parent      *struct {
		ID string `json:"id"`
	} `json:"parent"`
	Lock       json.RawMessage `json:"lock"`
	SharedLink json.RawMessage `json:"shared_link"`
	// ContentModifiedAt is not in Box's specification; rclone sets the time so.
	ContentModifiedAt string `json:"content_modified_at"`
}

// update renames, moves and describes. If-Match does not count for a move.
func (s *Service) update(i *item, q request, w http.ResponseWriter, r *http.Request) *failure {
	var wanted change
	if f := q.decode(&wanted); f != nil {
		return f
	}
	if f := s.busy(); f != nil {
		return f
	}
	parent, name := i.parent, i.name
	if wanted.Parent != nil {
		parent = wanted.Parent.ID
	}
	if wanted.Name != nil {
		name = *wanted.Name
	}
	moves := parent != i.parent
	if f := s.matches(r, i); f != nil && !moves {
		return f
	}
	if moves && !i.isFile() && s.store.below(parent, i) {
		return fail(http.StatusBadRequest, "cyclical_folder_structure", "Folder moves cannot create cyclical folder structures")
	}
	name, taken, f := s.free(parent, name)
	if f != nil {
		return f
	}
	if taken != nil && taken != i {
		return nameTaken(mini(taken))
	}
	if f := i.share(wanted.SharedLink); f != nil {
		return f
	}
	event := "ITEM_MODIFY"
	switch {
	case moves:
		event = "ITEM_MOVE"
	case name != i.name:
		event = "ITEM_RENAME"
	}
	s.store.touch(i)
	i.parent, i.name = parent, name
	if at, err := time.Parse(time.RFC3339, wanted.ContentModifiedAt); err == nil {
		i.contentModified = at
	}
	if wanted.Description != nil {
		i.description = *wanted.Description
	}
	s.lock(i, wanted.Lock, s.tokens.actor(r))
	s.store.record(event, i)
	faults.WriteJSON(w, http.StatusOK, selected(r, s.full(i)))
	return nil
}

func (s *Service) lock(i *item, wanted json.RawMessage, actor string) {
	switch {
	case len(wanted) == 0:
	case string(wanted) == "null":
		i.lockedBy = ""
	default:
		i.lockedBy = actor
	}
}

func (s *Service) deleteFile(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	if f := s.writable(r, file); f != nil {
		return f
	}
	if f := s.matches(r, file); f != nil {
		return f
	}
	s.store.trash(file)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) listTrash(_ request, w http.ResponseWriter, r *http.Request) *failure {
	entries := []any{}
	for _, i := range s.store.items {
		if i.trashed {
			entries = append(entries, s.selectedMini(r, i))
		}
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"total_count": len(entries), "limit": maxPage, "offset": 0, "entries": entries,
	})
	return nil
}

func (s *Service) trashed(q request) (*item, *failure) {
	i := s.store.items[q.id]
	if i == nil || !i.trashed {
		return nil, fail(http.StatusNotFound, "not_trashed", "Item is not trashed")
	}
	return i, nil
}

func (s *Service) getTrashed(q request, w http.ResponseWriter, r *http.Request) *failure {
	i, f := s.trashed(q)
	if f != nil {
		return f
	}
	faults.WriteJSON(w, http.StatusOK, selected(r, s.full(i)))
	return nil
}

func (s *Service) purgeTrashed(q request, w http.ResponseWriter, _ *http.Request) *failure {
	i, f := s.trashed(q)
	if f != nil {
		return f
	}
	s.store.purge(i)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) restore(q request, w http.ResponseWriter, r *http.Request) *failure {
	i, f := s.trashed(q)
	if f != nil {
		return f
	}
	wanted := change{}
	if len(q.body) > 0 {
		if f := q.decode(&wanted); f != nil {
			return f
		}
	}
	parent, name := i.parent, i.name
	if wanted.Parent != nil {
		parent = wanted.Parent.ID
	}
	if wanted.Name != nil && strings.TrimSpace(*wanted.Name) != "" {
		name = *wanted.Name
	}
	name, taken, f := s.free(parent, name)
	if f != nil {
		return f
	}
	if taken != nil {
		return nameTaken(mini(taken))
	}
	i.trashed, i.parent, i.name = false, parent, name
	s.store.touch(i)
	s.store.record("ITEM_UNDELETE_VIA_TRASH", i)
	faults.WriteJSON(w, http.StatusCreated, selected(r, s.full(i)))
	return nil
}
