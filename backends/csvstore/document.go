package csvstore

import (
	"crypto/sha1"
	"errors"
	"fmt"
	"io"

	"github.com/ragasfs/ragasfs/backends"
)

// Copy writes the document from offset from (0: all of it) to w and returns how
// many bytes it wrote. It fails if the document has another size than it says,
// or, when all of it is written, another checksum (an all-zero SHA1 is not
// checked): a content that was damaged on its way must not reach a store.
//
// Such a failure wraps backends.ErrIncomplete. Errors of w come as they are.
func Copy(w io.Writer, document backends.Document, from int64) (int64, error) {
	if document.Open == nil {
		return 0, fmt.Errorf("this store keeps documents, and none was given: %w", backends.ErrRefused)
	}
	if from < 0 || from > document.Size {
		return 0, fmt.Errorf("a document of %d bytes, from byte %d: %w", document.Size, from, backends.ErrIncomplete)
	}
	source, err := document.Open()
	if err != nil {
		return 0, fmt.Errorf("open the document to send: %w", err)
	}
	defer source.Close() //nolint:errcheck // only read from: nothing can be lost
	if err := skip(source, from); err != nil {
		return 0, fmt.Errorf("document to send, up to byte %d: %w: %w", from, backends.ErrIncomplete, err)
	}

	reader := NewReader(source, document.Size-from)
	if from > 0 || document.SHA1 == ([sha1.Size]byte{}) {
		return io.Copy(w, reader)
	}
	hash := sha1.New()
	written, err := io.Copy(io.MultiWriter(w, hash), reader)
	if sum := [sha1.Size]byte(hash.Sum(nil)); err == nil && sum != document.SHA1 {
		err = fmt.Errorf("the document to send has SHA-1 %x, not %x: %w", sum, document.SHA1, backends.ErrIncomplete)
	}
	return written, err
}

func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	if seeker, ok := r.(io.Seeker); ok {
		_, err := seeker.Seek(n, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// Reader reads a document of known size and fails with backends.ErrIncomplete
// where it is shorter or longer: a stream that breaks off must not look like a
// whole one.
type Reader struct {
	source io.Reader
	size   int64
	left   int64
}

// NewReader returns a Reader of size bytes from source.
func NewReader(source io.Reader, size int64) *Reader {
	return &Reader{source: source, size: size, left: size}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, r.end(p)
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.source.Read(p)
	r.left -= int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n == 0 {
			err = fmt.Errorf("%d of %d bytes came: %w", r.size-r.left, r.size, backends.ErrIncomplete)
		}
	}
	return n, err
}

// end makes sure that nothing follows.
func (r *Reader) end(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	var more [1]byte
	switch n, err := io.ReadFull(r.source, more[:]); {
	case n > 0:
		return fmt.Errorf("more than %d bytes came: %w", r.size, backends.ErrIncomplete)
	case errors.Is(err, io.EOF):
		return io.EOF
	default:
		return err
	}
}
