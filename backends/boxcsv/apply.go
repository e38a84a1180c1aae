package boxcsv

import (
	"context"
	"errors"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
)

// Apply implements backends.Backend: one upload, whatever the number of
// changes, under the condition that the file is still at the base.
func (b *Backend) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	file, err := b.apply(ctx, batch)
	if err != nil {
		err = fmt.Errorf("change %s: %w", batch.Ref, err)
		return backends.UnknownResult(batch, err), err
	}
	return backends.Result{Version: versionOf(file), ModTime: file.ModifiedAt.Time}, nil
}

func (b *Backend) apply(ctx context.Context, batch backends.Batch) (item, error) {
	if batch.Document.Open == nil {
		return item{}, fmt.Errorf("a document is needed: %w", backends.ErrRefused)
	}
	base, err := b.baseOf(ctx, batch)
	if err != nil {
		return item{}, err
	}
	defer b.tree.writes(string(base.ID))()
	// The etag moves with renames and descriptions, too: as long as the content
	// is the one that was meant, the upload is tried with the new one.
	const mostAttempts = 5
	for attempt := 1; ; attempt++ {
		id := string(base.ID)
		sent, err := b.client.upload(ctx, target{name: base.Name, file: id, etag: string(base.Etag)}, batch.Document)
		if err == nil {
			b.tree.setFile(sent.item)
			return sent.item, nil
		}
		b.tree.forgetFile(id) // what is known of it may be old
		var failed *apiError
		switch {
		case errors.Is(err, backends.ErrUnknown):
			return b.reconcile(ctx, id, batch, sent.sum, err)
		case errors.As(err, &failed) && failed.status == preconditionFailed && attempt < mostAttempts:
		default:
			return item{}, err
		}
		now, lookErr := b.client.info(ctx, id)
		switch {
		case errors.Is(lookErr, backends.ErrNotFound):
			return item{}, fmt.Errorf("it was deleted: %w", backends.ErrNotFound)
		case lookErr != nil:
			return item{}, lookErr // nothing was changed
		case batch.Base != "" && versionOf(now) != batch.Base:
			return item{}, err
		}
		base = now
	}
}

const preconditionFailed = 412

// baseOf is the file at the version that the batch leads away from.
func (b *Backend) baseOf(ctx context.Context, batch backends.Batch) (item, error) {
	if batch.Base != "" {
		id, err := b.locate(ctx, batch.Ref)
		if err != nil {
			return item{}, err
		}
		// What was seen last is enough: Box compares the etag.
		if known, ok := b.tree.file(id); ok && versionOf(known) == batch.Base {
			return known, nil
		}
	}
	file, err := b.look(ctx, batch.Ref)
	if err != nil {
		return item{}, err
	}
	if batch.Base != "" && versionOf(file) != batch.Base {
		return item{}, fmt.Errorf("it is at another version: %w", backends.ErrConflict)
	}
	return file, nil
}

// reconcile reads once what became of an upload whose answer was lost. The
// upload can only have succeeded from the base, so that our content at another
// version is ours. Anything else stays unknown: it may still be on its way.
func (b *Backend) reconcile(ctx context.Context, id string, batch backends.Batch, sum string, cause error) (item, error) {
	if ctx.Err() != nil || sum == "" {
		return item{}, cause
	}
	file, err := b.client.info(ctx, id)
	if err != nil {
		return item{}, cause
	}
	if file.SHA1 == sum && int64(file.Size) == batch.Document.Size && batch.Base != "" && versionOf(file) != batch.Base {
		b.log.Info("an upload to Box whose answer was lost has arrived", "table", batch.Ref.String())
		b.tree.setFile(file)
		return file, nil
	}
	return item{}, cause
}
