package boxcsv

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"slices"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// errSessionGone: Box has given up an upload session. Nothing of it counts.
var errSessionGone = errors.New("the upload session is gone")

// uploadParts sends a document in parts. Nothing of it counts before the
// commit, so parts may be sent again, and all of them in another session.
func (c *client) uploadParts(ctx context.Context, t target, document backends.Document) (stored, error) {
	const mostSessions = 3
	for attempt := 1; ; attempt++ {
		sent, err := c.uploadSession(ctx, t, document)
		if errors.Is(err, errSessionGone) && attempt < mostSessions && ctx.Err() == nil {
			continue
		}
		return sent, err
	}
}

func (c *client) uploadSession(ctx context.Context, t target, document backends.Document) (stored, error) {
	s, err := c.openSession(ctx, t, document.Size)
	if err != nil {
		return stored{}, err
	}
	up := &partWriter{ctx: ctx, client: c, session: s, total: document.Size, whole: sha1.New()}
	_, err = csvstore.Copy(up, document, 0)
	if err == nil {
		err = up.flush()
	}
	if err != nil {
		if !errors.Is(err, errSessionGone) {
			c.abort(ctx, s)
		}
		return stored{}, err
	}
	whole := up.whole.Sum(nil)
	sent := stored{sum: hex.EncodeToString(whole)}
	sent.item, err = c.commit(ctx, t, up, whole)
	if err != nil {
		if !errors.Is(err, backends.ErrUnknown) {
			c.abort(ctx, s)
		}
		return sent, err
	}
	return sent, checkStored(sent, t, document.Size)
}

func (c *client) openSession(ctx context.Context, t target, size int64) (session, error) {
	var s session
	k := call{
		method: http.MethodPost, url: c.hosts.upload + "/files/upload_sessions", uploads: true,
		json: newSession{FolderID: t.folder, FileName: t.name, FileSize: size},
	}
	if !t.isNew() {
		k.url = c.hosts.upload + "/files/" + url.PathEscape(t.file) + "/upload_sessions"
		k.json = newSession{FileSize: size}
	}
	// A session that nobody uses does no harm: it may be asked for again.
	if err := c.read(ctx, k, &s); err != nil {
		return s, err
	}
	if s.PartSize <= 0 || s.Endpoints.UploadPart == "" || s.Endpoints.Commit == "" {
		return s, fmt.Errorf("%w: an upload session without addresses", backends.ErrUnavailable)
	}
	return s, nil
}

// abort gives up a session. Where that fails Box does it in a week.
func (c *client) abort(ctx context.Context, s session) {
	if s.Endpoints.Abort == "" || ctx.Err() != nil {
		return
	}
	if err := c.do(ctx, call{method: http.MethodDelete, url: s.Endpoints.Abort, writes: true}, nil); err != nil {
		c.log.Debug("an upload session at Box could not be given up", "error", err)
	}
}

// partWriter sends what is written to it, part by part.
type partWriter struct {
	ctx     context.Context
	client  *client
	session session
	total   int64
	offset  int64
	pending []byte
	parts   []part
	whole   hash.Hash // of everything so far
}

// Write implements io.Writer.
func (p *partWriter) Write(data []byte) (int, error) {
	written := len(data)
	p.whole.Write(data)
	for len(data) > 0 {
		room := int(p.session.PartSize) - len(p.pending)
		n := min(room, len(data))
		p.pending = append(p.pending, data[:n]...)
		data = data[n:]
		if int64(len(p.pending)) == p.session.PartSize {
			if err := p.flush(); err != nil {
				return 0, err
			}
		}
	}
	return written, nil
}

// flush sends what is pending as one part.
func (p *partWriter) flush() error {
	if len(p.pending) == 0 {
		return nil
	}
	sent, err := p.client.putPart(p.ctx, p)
	if err != nil {
		return err
	}
	p.parts = append(p.parts, sent)
	p.offset += int64(len(p.pending))
	p.pending = p.pending[:0]
	return nil
}

func digest(sum []byte) string { return "sha=" + base64.StdEncoding.EncodeToString(sum) }

// putPart sends one part. A part never changes, so one whose fate is not known
// is looked for, and sent again.
func (c *client) putPart(ctx context.Context, p *partWriter) (part, error) {
	sum := sha1.Sum(p.pending)
	k := call{
		method: http.MethodPut, url: p.session.Endpoints.UploadPart, raw: p.pending,
		header: map[string]string{
			"Content-Type":  "application/octet-stream",
			"Content-Range": fmt.Sprintf("bytes %d-%d/%d", p.offset, p.offset+int64(len(p.pending))-1, p.total),
			"Digest":        digest(sum[:]),
		},
	}
	var sent part
	var gone error
	err := c.repeat(ctx, func() error {
		var answer struct {
			Part part `json:"part"`
		}
		err := c.do(ctx, k, &answer)
		if sent = answer.Part; err == nil && sent.ID == "" {
			err = incomplete("a part without id")
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		var failed *apiError
		if errors.As(err, &failed) && (failed.status == http.StatusGone || failed.status == http.StatusNotFound) {
			gone = fmt.Errorf("%w: %w: %w", backends.ErrUnavailable, errSessionGone, errors.New(failed.Error()))
			return nil // another try with it makes no sense
		}
		if there, ok := c.findPart(ctx, p, hex.EncodeToString(sum[:])); ok {
			sent = there
			return nil
		}
		return err
	})
	return sent, errors.Join(err, gone)
}

func (c *client) findPart(ctx context.Context, p *partWriter, sum string) (part, bool) {
	if p.session.Endpoints.ListParts == "" {
		return part{}, false
	}
	for offset := 0; ; {
		var answer struct {
			Entries []part `json:"entries"`
		}
		k := call{
			method: http.MethodGet, url: p.session.Endpoints.ListParts,
			query: url.Values{"limit": {"1000"}, "offset": {fmt.Sprint(offset)}},
		}
		if err := c.do(ctx, k, &answer); err != nil || len(answer.Entries) == 0 {
			return part{}, false
		}
		at := slices.IndexFunc(answer.Entries, func(e part) bool {
			return e.Offset == p.offset && e.SHA1 == sum && e.Size == int64(len(p.pending))
		})
		if at >= 0 {
			return answer.Entries[at], true
		}
		const pageSize = 1000
		if len(answer.Entries) < pageSize {
			return part{}, false
		}
		offset += len(answer.Entries)
	}
}

// commit makes the parts a file. Box may need a while to see them all. A
// commit that Box has begun on is in doubt when anything else follows.
func (c *client) commit(ctx context.Context, t target, p *partWriter, whole []byte) (item, error) {
	k := call{
		method: http.MethodPost, url: p.session.Endpoints.Commit, query: fields(), writes: true, uploads: true,
		json:   commit{Parts: p.parts},
		header: map[string]string{"Digest": digest(whole)},
	}
	if t.etag != "" {
		k.header["If-Match"] = t.etag
	}
	const mostAttempts = 30
	doubt := false
	for attempt := 1; ; attempt++ {
		var answer uploaded
		err := c.do(ctx, k, &answer)
		if err == nil {
			return only(answer)
		}
		var failed *apiError
		isAnswer := errors.As(err, &failed)
		notYet := isAnswer && (failed.status == http.StatusAccepted || failed.code == codePartsMismatch)
		if !notYet || attempt == mostAttempts || ctx.Err() != nil {
			if notYet || doubt {
				err = fmt.Errorf("%w: %w", backends.ErrUnknown, err)
			}
			return item{}, err
		}
		doubt = doubt || failed.status == http.StatusAccepted // it is at work
		wait := c.pause(min(attempt, c.attempts))
		var later *backends.RetryAfter
		if errors.As(err, &later) {
			wait = later.Wait
		}
		if err := sleep(ctx, wait); err != nil {
			return item{}, fmt.Errorf("%w: %w", backends.ErrUnknown, err)
		}
	}
}
