package boxservice

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

func sortItems(items []*item) {
	rank := func(i *item) int {
		if i.isFile() {
			return 1
		}
		return 0
	}
	slices.SortFunc(items, func(a, b *item) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), cmp.Compare(a.id, b.id))
	})
}

// user is the form of a user inside other objects.
func (s *Service) user() map[string]any {
	return map[string]any{"type": "user", "id": s.options.User, "name": "Test User", "login": "test@example.com"}
}

// mini is the form of an item inside other objects.
func mini(i *item) map[string]any {
	if i == nil {
		return nil
	}
	m := map[string]any{"type": i.kind, "id": i.id, "name": i.name, "sequence_id": nil, "etag": nil}
	if i.id != "0" {
		m["sequence_id"], m["etag"] = strconv.Itoa(i.sequence), strconv.Itoa(i.etag)
	}
	if i.isFile() {
		m["sha1"] = i.current().sha1
		m["file_version"] = map[string]any{"type": "file_version", "id": i.current().id, "sha1": i.current().sha1}
	}
	return m
}

// full is an item with every field that this service knows.
func (s *Service) full(i *item) map[string]any {
	m := mini(i)
	m["description"] = i.description
	m["size"] = s.store.size(i)
	m["created_at"], m["modified_at"] = stamp(i.created), stamp(i.modified)
	m["content_created_at"], m["content_modified_at"] = stamp(i.created), stamp(i.contentModified)
	m["created_by"], m["modified_by"], m["owned_by"] = s.user(), s.user(), s.user()
	m["shared_link"], m["trashed_at"], m["purged_at"] = i.sharedLink(), nil, nil
	m["item_status"] = "active"
	if s.store.inTrash(i) {
		m["item_status"], m["trashed_at"], m["purged_at"] = "trashed", stamp(i.modified), stamp(i.modified.AddDate(0, 1, 0))
	}
	m["parent"] = nil
	if i.id != "0" {
		m["parent"] = mini(s.store.items[i.parent])
	}
	m["path_collection"] = s.path(i)
	if i.isFile() {
		m["lock"] = nil
		if i.lockedBy != "" {
			m["lock"] = map[string]any{"type": "lock", "id": "1", "created_by": map[string]any{"type": "user", "id": i.lockedBy}}
		}
		m["version_number"] = strconv.Itoa(len(i.versions))
	} else {
		m["folder_upload_email"] = nil
		m["item_collection"] = map[string]any{"total_count": len(s.store.children(i.id)), "entries": []any{}, "limit": 0, "offset": 0}
	}
	return m
}

func (s *Service) path(i *item) map[string]any {
	var entries []any
	for at := s.store.items[i.parent]; at != nil && i.id != "0"; at = s.store.items[at.parent] {
		entries = slices.Insert(entries, 0, any(mini(at)))
		if at.id == "0" {
			break
		}
	}
	if entries == nil {
		entries = []any{}
	}
	return map[string]any{"total_count": len(entries), "entries": entries}
}

func (s *store) size(i *item) int {
	if i.isFile() {
		return len(i.current().content)
	}
	total := 0
	for _, child := range s.children(i.id) {
		total += s.size(child)
	}
	return total
}

func stamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339)
}

// notStandard are the fields that come only when they are asked for.
var notStandard = []string{"version_number", "lock", "is_externally_owned"}

// selected leaves those fields that the request asks for, and the base set.
func selected(r *http.Request, m map[string]any) map[string]any {
	fields := r.URL.Query().Get("fields")
	if fields == "" {
		for _, name := range notStandard {
			delete(m, name)
		}
		return m
	}
	wanted := append(strings.Split(fields, ","), "type", "id", "etag")
	only := map[string]any{}
	for _, name := range wanted {
		name = strings.TrimSpace(name)
		if value, known := m[name]; known {
			only[name] = value
		}
	}
	return only
}

// selectedMini is for listings, whose entries are minis without "fields=".
func (s *Service) selectedMini(r *http.Request, i *item) map[string]any {
	if r.URL.Query().Get("fields") == "" {
		return mini(i)
	}
	return selected(r, s.full(i))
}
