package boxservice

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// upload is the body of a direct upload.
type upload struct {
	newItem
	content []byte
}

// readUpload takes a multipart body apart, in the order of its parts.
func (s *Service) readUpload(q request, r *http.Request) (*upload, *failure) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" {
		return nil, badRequest("multipart/form-data is needed")
	}
	parts := multipart.NewReader(bytes.NewReader(q.body), params["boundary"])
	u := &upload{}
	hasAttributes, hasContent := false, false
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, badRequest("the multipart body is not valid")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, badRequest("the multipart body is cut off")
		}
		switch {
		case part.FormName() == "attributes":
			if hasContent {
				return nil, fail(http.StatusBadRequest, "metadata_after_file_contents", "Metadata after file contents")
			}
			if err := json.Unmarshal(content, &u.newItem); err != nil {
				return nil, badRequest("attributes are not valid")
			}
			hasAttributes = true
		case hasContent:
		default:
			u.content, hasContent = content, true
		}
	}
	if !hasAttributes {
		return nil, fail(http.StatusBadRequest, "metadata_after_file_contents", "Metadata after file contents")
	}
	if !hasContent {
		return nil, badRequest("a file is needed")
	}
	sum := sha1.Sum(u.content)
	if want := r.Header.Get("Content-Md5"); want != "" && !strings.EqualFold(want, hex.EncodeToString(sum[:])) {
		return nil, fail(http.StatusBadRequest, "bad_digest", "The specified content-md5 did not match what we received")
	}
	return u, nil
}

func (u *upload) modified() time.Time {
	at, err := time.Parse(time.RFC3339, u.ContentModifiedAt)
	if err != nil {
		return time.Time{}
	}
	return at
}

func (s *Service) full403() *failure {
	if take(&s.knobs.StorageFull) {
		return fail(http.StatusForbidden, "storage_limit_exceeded", "Account storage limit reached")
	}
	return nil
}

func (s *Service) uploadFile(q request, w http.ResponseWriter, r *http.Request) *failure {
	u, f := s.readUpload(q, r)
	if f != nil {
		return f
	}
	if f := s.busy(); f != nil {
		return f
	}
	if f := s.full403(); f != nil {
		return f
	}
	create := func() (*item, *failure) {
		name, taken, f := s.free(u.Parent.ID, u.Name)
		if f != nil {
			return nil, f
		}
		if taken != nil {
			return nil, nameTaken(mini(taken))
		}
		return s.store.addFile(u.Parent.ID, name, u.content, u.modified()), nil
	}
	return s.carryOut(create, w, r)
}

func (s *Service) uploadVersion(q request, w http.ResponseWriter, r *http.Request) *failure {
	u, f := s.readUpload(q, r)
	if f != nil {
		return f
	}
	if f := s.busy(); f != nil {
		return f
	}
	if f := s.full403(); f != nil {
		return f
	}
	return s.carryOut(func() (*item, *failure) { return s.newContent(q.id, u, r) }, w, r)
}

// newContent gives a file its next version, if it is what the request thinks.
func (s *Service) newContent(id string, u *upload, r *http.Request) (*item, *failure) {
	file, f := s.store.find(typeFile, id)
	if f != nil {
		return nil, f
	}
	if f := s.writable(r, file); f != nil {
		return nil, f
	}
	if f := s.matches(r, file); f != nil {
		return nil, f
	}
	if u.Name != "" && u.Name != file.name {
		name, taken, f := s.free(file.parent, u.Name)
		if f != nil {
			return nil, f
		}
		if taken != nil && taken != file {
			return nil, nameTaken(mini(taken))
		}
		file.name = name
	}
	s.store.addVersion(file, u.content, u.modified())
	return file, nil
}

// carryOut does the work of an upload and answers, or answers 503 and does the
// work later.
func (s *Service) carryOut(work func() (*item, *failure), w http.ResponseWriter, r *http.Request) *failure {
	if late, err := time.ParseDuration(s.knobs.LatePersist); err == nil && take(&s.knobs.LatePersists) {
		time.AfterFunc(late, func() {
			s.store.mu.Lock()
			defer s.store.mu.Unlock()
			_, _ = work() // nobody is there to hear of it
		})
		return fail(http.StatusServiceUnavailable, "unavailable", "The service is unavailable")
	}
	i, f := work()
	if f != nil {
		return f
	}
	answer := s.full(i)
	if take(&s.knobs.WrongSHA1) {
		answer["sha1"] = strings.Repeat("0", sha1.Size*2) //nolint:mnd // two digits a byte
	}
	if take(&s.knobs.WrongSize) {
		answer["size"] = len(i.current().content) + 1
	}
	if take(&s.knobs.WrongName) {
		answer["name"] = i.name + "_"
	}
	faults.WriteJSON(w, http.StatusCreated, map[string]any{"total_count": 1, "entries": []any{selected(r, answer)}})
	return nil
}

// getContent sends the client to where the content is.
func (s *Service) getContent(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	v := file.current()
	if id := r.URL.Query().Get("version"); id != "" {
		if v = versionOf(file, id); v == nil {
			return notFound("file_version", id)
		}
	}
	if take(&s.knobs.NotReady) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	const lifetime = 15 * time.Minute
	expires := s.store.clock().Add(lifetime)
	if take(&s.knobs.ExpiredURL) {
		expires = s.store.clock().Add(-time.Second)
	}
	ticket := strings.Join([]string{file.id, v.id, strconv.FormatInt(expires.Unix(), 10)}, "-")
	w.Header().Set("Location", downloadBase(r)+"/d/1/"+ticket+"/download")
	w.WriteHeader(http.StatusFound)
	return nil
}

// download serves a content. No credentials may come here: that they do is seen,
// and refused where the emulator goes by its own name. Box itself does not mind, and
// rclone relies on that: as dl.boxcloud.com, behind a proxy, neither does this.
func (s *Service) download(w http.ResponseWriter, r *http.Request, ticket string) {
	for _, name := range []string{"Authorization", "As-User"} {
		if r.Header.Get(name) != "" {
			s.seen.mu.Lock()
			s.seen.headers = append(s.seen.headers, name)
			s.seen.mu.Unlock()
			if hostOf(r) == downloadHost {
				continue
			}
			badRequest(name + " has no business here").write(w)
			return
		}
	}
	parts := strings.Split(ticket, "-")
	const inTicket = 3
	if len(parts) != inTicket {
		notFound("download", ticket).write(w)
		return
	}
	expires, err := strconv.ParseInt(parts[2], 10, 64)
	s.store.mu.Lock()
	var content []byte
	file := s.store.items[parts[0]]
	found := err == nil && file != nil && file.isFile() && versionOf(file, parts[1]) != nil
	expired := err != nil || s.store.clock().Unix() > expires
	if found {
		content = versionOf(file, parts[1]).content
	}
	wrong, empty, squeeze := take(&s.knobs.WrongBytes), take(&s.knobs.EmptyBody), false
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		squeeze = take(&s.knobs.Gzip)
	}
	s.store.mu.Unlock()
	switch {
	case !found:
		notFound("download", parts[0]).write(w)
		return
	case expired:
		fail(http.StatusForbidden, "download_expired", "The download URL has expired").write(w)
		return
	case empty:
		w.WriteHeader(http.StatusOK)
		return
	case wrong:
		content = bytes.Repeat([]byte{'x'}, len(content))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if squeeze {
		w.Header().Set("Content-Encoding", "gzip")
		squeezed := gzip.NewWriter(w)
		_, _ = squeezed.Write(content) // the client may be gone
		_ = squeezed.Close()           // as above
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// CredentialsAtDownloads are the headers with credentials that came to the
// download host, where none may come.
func (s *Service) CredentialsAtDownloads() []string {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	return append([]string{}, s.seen.headers...)
}
