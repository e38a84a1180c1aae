package boxcsv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ragasfs/ragasfs/backends"
)

// smallTable is the most bytes of a table that is loaded as a whole before it
// is handed on, so that a bad download can be repeated here.
const smallTable = 8 << 20

// Load implements backends.Backend. The document is that of one file version,
// and its checksum is compared with what Box says about it.
func (b *Backend) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	loaded, err := b.load(ctx, ref)
	if errors.Is(err, backends.ErrNotFound) {
		// A version that was replaced may be gone from one call to the next.
		loaded, err = b.load(ctx, ref)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", ref, err)
	}
	return loaded, nil
}

func (b *Backend) load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	file, err := b.look(ctx, ref)
	if err != nil {
		return nil, err
	}
	var document io.ReadCloser
	if int64(file.Size) <= smallTable {
		document, err = b.loadWhole(ctx, file)
	} else {
		document, err = b.client.download(ctx, file)
	}
	if err != nil {
		return nil, err
	}
	return &backends.Loaded{
		Version: versionOf(file), ModTime: file.ModifiedAt.Time, Total: int64(file.Size),
		Document: document, Close: document.Close,
	}, nil
}

func (b *Backend) loadWhole(ctx context.Context, file item) (io.ReadCloser, error) {
	var whole bytes.Buffer
	err := b.client.repeat(ctx, func() error {
		content, err := b.client.openContent(ctx, file)
		if err != nil {
			return err
		}
		defer content.close()
		whole.Reset()
		_, err = io.Copy(&whole, content)
		return err
	})
	return io.NopCloser(&whole), err
}
