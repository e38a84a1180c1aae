package boxservice

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// session is an upload in parts.
type session struct {
	id, file     string // file: id; empty for a new one
	folder, name string
	size         int64
	parts        []part
	expires      time.Time
}

type part struct {
	id     string
	offset int64
	bytes  []byte
	sha1   [sha1.Size]byte
}

func (p part) shape() map[string]any {
	return map[string]any{"part_id": p.id, "offset": p.offset, "size": len(p.bytes), "sha1": hex.EncodeToString(p.sha1[:])}
}

type newSession struct {
	FolderID string `json:"folder_id"`
	FileName string `json:"file_name"`
	FileSize int64  `json:"file_size"`
}

func (s *Service) createSession(q request, w http.ResponseWriter, r *http.Request) *failure {
	var wanted newSession
	if f := q.decode(&wanted); f != nil {
		return f
	}
	name, taken, f := s.free(wanted.FolderID, wanted.FileName)
	if f != nil {
		return f
	}
	if taken != nil {
		return nameTaken(mini(taken))
	}
	return s.openSession(&session{folder: wanted.FolderID, name: name, size: wanted.FileSize}, w, r)
}

func (s *Service) createVersionSession(q request, w http.ResponseWriter, r *http.Request) *failure {
	var wanted newSession
	if f := q.decode(&wanted); f != nil {
		return f
	}
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	if f := s.writable(r, file); f != nil {
		return f
	}
	return s.openSession(&session{file: file.id, name: wanted.FileName, size: wanted.FileSize}, w, r)
}

func (s *Service) openSession(u *session, w http.ResponseWriter, r *http.Request) *failure {
	if u.size < s.options.MinChunked {
		return fail(http.StatusBadRequest, "file_size_too_small", "The file is too small for an upload in parts")
	}
	if f := s.full403(); f != nil {
		return f
	}
	const lifetime = 7 * 24 * time.Hour
	u.id, u.expires = "S"+s.store.id(), s.store.clock().Add(lifetime)
	s.store.sessions[u.id] = u
	faults.WriteJSON(w, http.StatusCreated, s.sessionShape(u, r))
	return nil
}

func (s *Service) totalParts(u *session) int64 {
	return (u.size + s.options.PartSize - 1) / s.options.PartSize
}

func (s *Service) sessionShape(u *session, r *http.Request) map[string]any {
	base := baseURL(r) + "/api/2.0/files/upload_sessions/" + u.id
	if scheme(r) == "https" && strings.HasSuffix(hostOf(r), ".box.com") {
		base = "https://upload.box.com/api/2.0/files/upload_sessions/" + u.id
	}
	return map[string]any{
		"type": "upload_session", "id": u.id, "part_size": s.options.PartSize,
		"total_parts": s.totalParts(u), "num_parts_processed": len(u.parts), "session_expires_at": stamp(u.expires),
		"session_endpoints": map[string]any{
			"upload_part": base, "commit": base + "/commit", "abort": base,
			"list_parts": base + "/parts", "status": base, "log_event": base + "/log",
		},
	}
}

func (s *Service) session(id string) (*session, *failure) {
	u := s.store.sessions[id]
	if u == nil {
		return nil, notFound("upload_session", id)
	}
	if s.store.clock().After(u.expires) {
		return nil, fail(http.StatusGone, "session_expired", "The upload session has expired")
	}
	return u, nil
}

func (s *Service) getSession(q request, w http.ResponseWriter, r *http.Request) *failure {
	u, f := s.session(q.id)
	if f != nil {
		return f
	}
	faults.WriteJSON(w, http.StatusOK, s.sessionShape(u, r))
	return nil
}

func (s *Service) putPart(q request, w http.ResponseWriter, r *http.Request) *failure {
	u, f := s.session(q.id)
	if f != nil {
		return f
	}
	if take(&s.knobs.SessionExpired) {
		delete(s.store.sessions, u.id)
		return fail(http.StatusGone, "session_expired", "The upload session has expired")
	}
	var from, to, total int64
	if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total); err != nil {
		return badRequest("Content-Range is not valid")
	}
	length := to - from + 1
	isLast := to == u.size-1
	switch {
	case total != u.size, from < 0, to >= u.size, length != int64(len(q.body)):
		return fail(http.StatusRequestedRangeNotSatisfiable, "range_not_satisfiable", "Content-Range does not fit")
	case from%s.options.PartSize != 0, length != s.options.PartSize && !isLast:
		return badRequest("a part must have the size of parts")
	}
	sum := sha1.Sum(q.body)
	if !digestIs(r, sum) {
		return fail(http.StatusBadRequest, "bad_digest", "The digest does not match")
	}
	for _, p := range u.parts {
		if from < p.offset+int64(len(p.bytes)) && p.offset <= to {
			return fail(http.StatusConflict, "range_overlaps_existing_part", "The range overlaps an existing part")
		}
	}
	added := part{id: fmt.Sprintf("%08X", len(u.parts)+1) + u.id, offset: from, bytes: q.body, sha1: sum}
	u.parts = append(u.parts, added)
	faults.WriteJSON(w, http.StatusOK, map[string]any{"part": added.shape()})
	return nil
}

// digestIs checks the header "Digest: sha=BASE64".
func digestIs(r *http.Request, sum [sha1.Size]byte) bool {
	algorithm, value, found := strings.Cut(r.Header.Get("Digest"), "=")
	decoded, err := base64.StdEncoding.DecodeString(value)
	return found && strings.EqualFold(algorithm, "sha") && err == nil && bytes.Equal(decoded, sum[:])
}

func (s *Service) listParts(q request, w http.ResponseWriter, _ *http.Request) *failure {
	u, f := s.session(q.id)
	if f != nil {
		return f
	}
	entries := []any{}
	for _, p := range u.parts {
		entries = append(entries, p.shape())
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"total_count": len(entries), "offset": 0, "limit": maxPage, "entries": entries,
	})
	return nil
}

func (s *Service) abortSession(q request, w http.ResponseWriter, _ *http.Request) *failure {
	if _, f := s.session(q.id); f != nil {
		return f
	}
	delete(s.store.sessions, q.id)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Service) commitSession(q request, w http.ResponseWriter, r *http.Request) *failure {
	u, f := s.session(q.id)
	if f != nil {
		return f
	}
	var wanted struct {
		Parts []struct {
			ID string `json:"part_id"`
		} `json:"parts"`
		Attributes newItem `json:"attributes"`
	}
	if f := q.decode(&wanted); f != nil {
		return f
	}
	if take(&s.knobs.CommitNotReady) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	slices.SortFunc(u.parts, func(a, b part) int { return cmp.Compare(a.offset, b.offset) })
	mismatch := len(wanted.Parts) != len(u.parts) || int64(len(u.parts)) != s.totalParts(u) || take(&s.knobs.PartsMismatch)
	var whole []byte
	for i, p := range u.parts {
		mismatch = mismatch || wanted.Parts[i].ID != p.id
		if mismatch {
			break
		}
		whole = append(whole, p.bytes...)
	}
	if mismatch {
		return fail(http.StatusBadRequest, "parts_mismatch", "The parts do not match those that were uploaded")
	}
	if !digestIs(r, sha1.Sum(whole)) {
		return fail(http.StatusBadRequest, "bad_digest", "The digest does not match")
	}
	content := &upload{newItem: wanted.Attributes, content: whole}
	work := func() (*item, *failure) {
		if u.file != "" {
			return s.newContent(u.file, content, r)
		}
		name, taken, f := s.free(u.folder, u.name)
		if f != nil {
			return nil, f
		}
		if taken != nil {
			return nil, nameTaken(mini(taken))
		}
		return s.store.addFile(u.folder, name, whole, content.modified()), nil
	}
	done := func() (*item, *failure) {
		i, f := work()
		if f == nil {
			delete(s.store.sessions, u.id)
		}
		return i, f
	}
	return s.carryOut(done, w, r)
}
