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
	loaded, version, err := b.load(ctx, ref, "")
	if errors.Is(err, backends.ErrNotFound) {
		// A version that was replaced may be gone from one call to the next.
		loaded, _, err = b.load(ctx, ref, version)
	}
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", ref, err)
	}
	return loaded, nil
}

// load opens what the file is now, and says which version that is. unnamed is one
// that Box does not give by its name although it is there: the checksum tells
// whether what comes is that one.
func (b *Backend) load(ctx context.Context, ref backends.Ref, unnamed backends.Version) (*backends.Loaded, backends.Version, error) {
	file, err := b.look(ctx, ref)
	if err != nil {
		return nil, "", err
	}
	version := versionOf(file)
	byName := version != unnamed
	var document io.ReadCloser
	if int64(file.Size) <= smallTable {
		document, err = b.loadWhole(ctx, file, byName)
	} else {
		document, err = b.client.download(ctx, file, byName)
	}
	if err != nil {
		return nil, version, err
	}
	return &backends.Loaded{
		Version: version, ModTime: file.ModifiedAt.Time, Total: int64(file.Size),
		Document: document, Close: document.Close,
	}, version, nil
}

func (b *Backend) loadWhole(ctx context.Context, file item, byName bool) (io.ReadCloser, error) {
	var whole bytes.Buffer
	err := b.client.repeat(ctx, func() error {
		content, err := b.client.openContent(ctx, file, byName)
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
