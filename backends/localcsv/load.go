package localcsv

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// Load implements backends.Backend. The document is what the file held when it
// was opened: a program that only appends meanwhile does no harm, one that
// rewrites the file makes the load fail with ErrIncomplete.
func (b *Backend) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	f, name, err := b.folderOf(ref)
	if err != nil {
		return nil, err
	}
	defer f.close()
	path := f.pathOf(name)
	file, err := f.open(name, unix.O_RDONLY, 0)
	if err != nil {
		return nil, failed("load", path, err)
	}
	st, err := fstat(file)
	if err == nil {
		err = quiet(ctx, &st)
	}
	if err == nil {
		st, err = fstat(file)
	}
	if err != nil {
		return nil, errors.Join(failed("load", path, err), file.Close())
	}
	document := &document{ctx: ctx, file: file, path: path, before: st, sum: sha1.New()}
	document.whole = csvstore.NewReader(io.LimitReader(file, st.Size), st.Size)
	return &backends.Loaded{
		Version:  versionOf(&st),
		ModTime:  modTime(&st),
		Total:    st.Size,
		Document: document,
		Close:    document.Close,
	}, nil
}

// document reads a file that others may change at any time.
type document struct {
	ctx    context.Context
	file   *os.File
	path   string
	before unix.Stat_t
	whole  io.Reader // as many bytes as the file had before
	sum    hash.Hash // of what was read
	closed bool
}

// Read implements io.Reader.
func (d *document) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := d.whole.Read(p)
	d.sum.Write(p[:n])
	switch {
	case errors.Is(err, io.EOF):
		if err := d.unchanged(); err != nil {
			return n, failed("load", d.path, err)
		}
		return n, io.EOF
	case err != nil:
		return n, failed("load", d.path, err)
	}
	return n, nil
}

// unchanged fails if the bytes that were read are not, all of them, those of
// one moment. Where the file has only grown they still are; to know that it has
// only grown they are read once more.
func (d *document) unchanged() error {
	now, err := fstat(d.file)
	if err != nil || sameContent(&now, &d.before) {
		return err
	}
	again := sha1.New()
	if _, err := io.Copy(again, io.NewSectionReader(d.file, 0, d.before.Size)); err != nil {
		return err
	}
	if !bytes.Equal(again.Sum(nil), d.sum.Sum(nil)) {
		return fmt.Errorf("it was rewritten while it was read: %w", backends.ErrIncomplete)
	}
	return nil
}

// Close implements io.Closer. It may be called more than once.
func (d *document) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return d.file.Close()
}
