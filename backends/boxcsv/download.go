package boxcsv

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// download opens the content of a file at exactly that version. The reader
// fails with ErrIncomplete where size or checksum are others. byName asks for the
// version; without, Box gives the current one.
func (c *client) download(ctx context.Context, file item, byName bool) (*content, error) {
	var opened *content
	err := c.repeat(ctx, func() (err error) {
		opened, err = c.openContent(ctx, file, byName)
		return err
	})
	return opened, err
}

func (c *client) openContent(ctx context.Context, file item, byName bool) (*content, error) {
	k := call{
		method: http.MethodGet, url: c.hosts.api + "/files/" + url.PathEscape(string(file.ID)) + "/content",
	}
	if byName {
		k.query = url.Values{"version": {string(file.FileVersion.ID)}}
	}
	first, err := c.once(ctx, k)
	if err != nil {
		return nil, err
	}
	switch first.status {
	case http.StatusOK: // without a detour
		return newContent(ctx, first, file)
	case http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect:
	default: // 202: not ready yet
		first.close()
		return nil, failureOf(http.StatusAccepted, first.header, nil, false)
	}
	address := first.header.Get("Location")
	first.close()
	// The address is a ticket by itself. Whoever answers there gets no others.
	second, err := c.send(ctx, call{method: http.MethodGet, url: address, foreign: true}, "")
	if err != nil {
		var failed *apiError
		if errors.As(err, &failed) && failed.status < http.StatusInternalServerError {
			err = fmt.Errorf("%w: the download address is no good any more: %w", backends.ErrUnavailable, errors.New(failed.message))
		}
		return nil, err
	}
	if second.status != http.StatusOK {
		second.close()
		return nil, incomplete("the download answers %d", second.status)
	}
	return newContent(ctx, second, file)
}

// content reads a file on its way down.
type content struct {
	ctx   context.Context
	whole io.Reader
	sum   hash.Hash
	file  item
	close func()
}

func newContent(ctx context.Context, a *answer, file item) (*content, error) {
	if a.size >= 0 && a.size != int64(file.Size) {
		a.close()
		return nil, incomplete("%d bytes are announced, the file has %d", a.size, file.Size)
	}
	return &content{
		ctx: ctx, whole: csvstore.NewReader(a.body, int64(file.Size)), sum: sha1.New(), file: file, close: a.close,
	}, nil
}

// Read implements io.Reader.
func (r *content) Read(p []byte) (int, error) {
	n, err := r.whole.Read(p)
	r.sum.Write(p[:n])
	switch {
	case errors.Is(err, io.EOF):
		if sum := hex.EncodeToString(r.sum.Sum(nil)); sum != r.file.SHA1 {
			return n, incomplete("what came has SHA-1 %s, the file has %s", sum, r.file.SHA1)
		}
		return n, io.EOF
	case err != nil && r.ctx.Err() != nil:
		return n, r.ctx.Err()
	case err != nil && !errors.Is(err, backends.ErrIncomplete):
		return n, incomplete("%v", withoutAddress(err))
	}
	return n, err
}

// Close implements io.Closer. It may be called more than once.
func (r *content) Close() error {
	r.close()
	return nil
}
