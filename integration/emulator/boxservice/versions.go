package boxservice

import (
	"net/http"
	"slices"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// versionOf is a version of a file that is not in the trash; nil: there is none.
func versionOf(file *item, id string) *version {
	at := slices.IndexFunc(file.versions, func(v version) bool { return v.id == id && v.trashed.IsZero() })
	if at < 0 {
		return nil
	}
	return &file.versions[at]
}

// listVersions lists past versions, the newest first.
func (s *Service) listVersions(q request, w http.ResponseWriter, _ *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	entries := []any{}
	for _, v := range slices.Backward(file.versions[:len(file.versions)-1]) {
		entries = append(entries, versionShape(file, &v))
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"total_count": len(entries), "limit": maxPage, "offset": 0, "entries": entries,
	})
	return nil
}

func versionShape(file *item, v *version) map[string]any {
	return map[string]any{
		"type": "file_version", "id": v.id, "sha1": v.sha1, "size": len(v.content), "name": file.name,
		"created_at": stamp(v.created), "modified_at": stamp(v.created),
		"trashed_at": stamp(v.trashed), "purged_at": nil, "restored_at": nil,
	}
}

// getVersion answers one version, the current one or a past one.
func (s *Service) getVersion(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.above)
	if f != nil {
		return f
	}
	v := versionOf(file, q.id)
	if v == nil {
		return notFound("file_version", q.id)
	}
	faults.WriteJSON(w, http.StatusOK, selected(r, versionShape(file, v)))
	return nil
}

// deleteVersion moves a past version to the trash.
func (s *Service) deleteVersion(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.above)
	if f != nil {
		return f
	}
	if f := s.matches(r, file); f != nil {
		return f
	}
	v := versionOf(file, q.id)
	switch {
	case v == nil:
		return notFound("file_version", q.id)
	case v == file.current():
		return badRequest("the current version can't be deleted")
	}
	v.trashed = s.store.clock()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// restoreVersion takes a past version out of the trash.
func (s *Service) restoreVersion(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.above)
	if f != nil {
		return f
	}
	at := slices.IndexFunc(file.versions, func(v version) bool { return v.id == q.id })
	if at < 0 {
		return notFound("file_version", q.id)
	}
	file.versions[at].trashed = time.Time{}
	faults.WriteJSON(w, http.StatusOK, selected(r, versionShape(file, &file.versions[at])))
	return nil
}

// promote makes a copy of a past version the current one.
func (s *Service) promote(q request, w http.ResponseWriter, _ *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	var wanted struct {
		ID string `json:"id"`
	}
	if f := q.decode(&wanted); f != nil {
		return f
	}
	v := versionOf(file, wanted.ID)
	if v == nil {
		return notFound("file_version", wanted.ID)
	}
	etag := v.etag
	s.store.addVersion(file, v.content, time.Time{})
	if s.knobs.KeepEtag {
		file.etag = etag
	}
	faults.WriteJSON(w, http.StatusCreated, versionShape(file, file.current()))
	return nil
}
