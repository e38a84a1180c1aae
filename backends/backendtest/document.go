package backendtest

import (
	"crypto/sha1"
	"io"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
)

// document is a text as a backends.Document.
func document(text string) backends.Document {
	return backends.Document{
		Size: int64(len(text)),
		SHA1: sha1.Sum([]byte(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}
