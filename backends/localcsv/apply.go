package localcsv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// appendBuffer is how much is appended in one write. Two programs that append
// at the same time may get between each other's writes, so that most growth
// should be one.
const appendBuffer = 4 << 20

// Apply implements backends.Backend. Growth is appended to the file; any other
// content replaces the file in one step.
func (b *Backend) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	result, err := b.apply(ctx, batch)
	if err != nil {
		return backends.UnknownResult(batch, err), err
	}
	return result, nil
}

func (b *Backend) apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	if err := b.enter(ctx); err != nil {
		return backends.Result{}, err
	}
	f, file, err := b.folderOf(batch.Ref)
	if err != nil {
		return backends.Result{}, err
	}
	defer f.close()
	path := f.pathOf(file)
	st, err := f.stat(file)
	if err != nil {
		return backends.Result{}, failed("change", path, err)
	}
	if batch.Base != "" && versionOf(&st) != batch.Base {
		return backends.Result{}, conflict("change", path)
	}
	if batch.Grows >= 0 && batch.Grows == st.Size {
		return b.grow(ctx, f, file, batch)
	}
	return b.replace(ctx, f, file, batch)
}

// grow appends what the document has more than the file.
func (b *Backend) grow(ctx context.Context, f *folder, file string, batch backends.Batch) (backends.Result, error) {
	path := f.pathOf(file)
	target, err := f.open(file, unix.O_WRONLY|unix.O_APPEND, 0)
	if err != nil {
		return backends.Result{}, failed("append to", path, err)
	}
	defer target.Close() //nolint:errcheck // synced before it counts
	before, err := fstat(target)
	if err != nil {
		return backends.Result{}, failed("append to", path, err)
	}
	if before.Size != batch.Grows || batch.Base != "" && versionOf(&before) != batch.Base {
		return backends.Result{}, conflict("append to", path)
	}
	b.calls.beforeChange()
	if err := appendTail(ctx, target, batch); err != nil {
		return backends.Result{}, takeBack(target, path, batch.Grows, err)
	}
	after, err := fstat(target)
	if err != nil {
		return backends.Result{}, uncertain("append to", path, err)
	}
	// If someone has put another file there meanwhile, the table has nothing of this.
	if now, err := f.stat(file); err != nil || !sameFile(&now, &after) {
		return backends.Result{}, conflict("append to", path)
	}
	result := backends.Result{ModTime: modTime(&after)}
	if after.Size == batch.Document.Size { // else someone else appended too
		result.Version = versionOf(&after)
	}
	return result, nil
}

// appendTail reserves the space first, so that a full disk is known before a
// byte is written.
func appendTail(ctx context.Context, target *os.File, batch backends.Batch) error {
	more := batch.Document.Size - batch.Grows
	if more == 0 {
		return nil
	}
	if more < 0 {
		return fmt.Errorf("a document of %d bytes is to continue one of %d: %w",
			batch.Document.Size, batch.Grows, backends.ErrRefused)
	}
	err := retry(func() error {
		return unix.Fallocate(int(target.Fd()), unix.FALLOC_FL_KEEP_SIZE, batch.Grows, more)
	})
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return err
	}
	buffered := bufio.NewWriterSize(&cancelWriter{ctx: ctx, w: target}, int(min(more, appendBuffer)))
	if _, err := csvstore.Copy(buffered, batch.Document, batch.Grows); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return target.Sync()
}

// takeBack removes what a failed append has written, unless someone else has
// appended behind it.
func takeBack(target *os.File, path string, size int64, cause error) error {
	now, err := fstat(target)
	if err != nil {
		return uncertain("append to", path, errors.Join(cause, err))
	}
	if now.Size == size {
		return failed("append to", path, cause)
	}
	written, err := target.Seek(0, 1)
	if err != nil || written != now.Size {
		return uncertain("append to", path, errors.Join(cause, err))
	}
	if err := errors.Join(target.Truncate(size), target.Sync()); err != nil {
		return uncertain("append to", path, errors.Join(cause, err))
	}
	return failed("append to", path, cause)
}
