package boxcsv

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-resty/resty/v2"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// target is where a content goes: a new file (folder and name), or the next
// version of one (file, etag and its present name).
type target struct {
	folder, name string
	file, etag   string
}

func (t target) isNew() bool { return t.file == "" }

// stored is what Box has after an upload, checked.
type stored struct {
	item
	sum string // SHA-1 of what was sent, in hex
}

// upload sends a document. errors.Is(err, ErrUnknown): it may be there. The
// checksum of what was sent is known unless the document could not be read.
func (c *client) upload(ctx context.Context, t target, document backends.Document) (stored, error) {
	if !t.isNew() && t.etag == "" {
		return stored{}, incomplete("file %s has no etag, so that nothing would keep apart what two programs write", t.file)
	}
	if document.Size > c.direct {
		return c.uploadParts(ctx, t, document)
	}
	var content bytes.Buffer
	content.Grow(int(max(document.Size, 0)))
	if _, err := csvstore.Copy(&content, document, 0); err != nil {
		return stored{}, err
	}
	sum := sha1.Sum(content.Bytes())
	sent := stored{sum: hex.EncodeToString(sum[:])}
	file, err := c.uploadBytes(ctx, t, content.Bytes(), sent.sum)
	if err != nil {
		return sent, err
	}
	sent.item = file
	return sent, checkStored(sent, t, document.Size)
}

// uploadBytes sends a content in one piece. The attributes come first: Box
// wants to know where a file goes before it comes.
func (c *client) uploadBytes(ctx context.Context, t target, content []byte, sum string) (item, error) {
	about := attributes{Name: t.name}
	k := call{
		method: http.MethodPost, url: c.hosts.upload + "/files/content", query: fields(),
		header: map[string]string{"Content-Md5": sum}, // the name is MD5, the value is SHA-1
		writes: true, uploads: true,
	}
	if t.isNew() {
		about.Parent = &reference{ID: t.folder}
	} else {
		k.url = c.hosts.upload + "/files/" + url.PathEscape(t.file) + "/content"
		if t.etag != "" {
			k.header["If-Match"] = t.etag
		}
	}
	encoded, err := json.Marshal(about)
	if err != nil {
		return item{}, fmt.Errorf("%w: %w", backends.ErrRefused, err)
	}
	// The body is made anew each time it is sent: a reader that was read would
	// go up a second time as an empty file.
	k.multipart = func() []*resty.MultipartField {
		return []*resty.MultipartField{
			{Param: "attributes", Reader: bytes.NewReader(encoded)},
			{Param: "file", FileName: t.name, ContentType: "text/csv", Reader: bytes.NewReader(content)},
		}
	}
	var answer uploaded
	if err := c.do(ctx, k, &answer); err != nil {
		return item{}, err
	}
	return only(answer)
}

// only is the one file of an answer to an upload.
func only(answer uploaded) (item, error) {
	if len(answer.Entries) != 1 {
		return item{}, fmt.Errorf("%w: the answer names %d files, not the one that was sent", backends.ErrUnknown, len(answer.Entries))
	}
	if err := checkFile(answer.Entries[0]); err != nil {
		return item{}, fmt.Errorf("%w: %w", backends.ErrUnknown, err)
	}
	return answer.Entries[0], nil
}

// errOtherName: Box has stored a file under another name than it was given.
var errOtherName = errors.New("Box changed the name") //nolint:staticcheck // a name

// checkStored compares what Box says it has with what was sent.
func checkStored(sent stored, t target, size int64) error {
	switch {
	case sent.SHA1 != sent.sum || int64(sent.Size) != size:
		return fmt.Errorf("%w: Box has %d bytes with SHA-1 %s, sent were %d with %s",
			backends.ErrUnknown, sent.Size, sent.SHA1, size, sent.sum)
	case sent.Name == "":
		return fmt.Errorf("%w: Box does not say how it calls the file", backends.ErrUnknown)
	case sent.Name != t.name:
		return fmt.Errorf("%w: %w from %q to %q", backends.ErrUnknown, errOtherName, t.name, sent.Name)
	}
	return nil
}
