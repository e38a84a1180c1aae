package boxcsv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
)

// Delete implements backends.Backend. What is deleted goes to Box's trash.
func (b *Backend) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	var err error
	if ref.IsTable() {
		err = b.deleteTable(ctx, ref, base)
	} else {
		err = b.deleteProject(ctx, ref)
	}
	if err == nil || errors.Is(err, backends.ErrNotFound) {
		return nil // the wish is fulfilled
	}
	return fmt.Errorf("delete %s: %w", ref, err)
}

func (b *Backend) deleteTable(ctx context.Context, ref backends.Ref, base backends.Version) error {
	id, err := b.locate(ctx, ref)
	if err != nil {
		return err
	}
	// The etag may move without the content.
	const mostAttempts = 5
	for attempt := 1; ; attempt++ {
		file, known := b.tree.file(id)
		if !known || base != "" && versionOf(file) != base {
			if file, err = b.client.info(ctx, id); err != nil {
				return err
			}
		}
		if base != "" && versionOf(file) != base {
			return fmt.Errorf("it is at another version: %w", backends.ErrConflict)
		}
		etag := string(file.Etag)
		switch {
		case base == "":
			etag = ""
		case etag == "":
			return incomplete("file %s has no etag, so that what others write now could be deleted", id)
		}
		err := b.client.remove(ctx, typeFile, id, etag)
		b.tree.forgetFile(id)
		var failed *apiError
		switch {
		case err == nil:
			b.tree.removedHere(id)
			return nil
		case errors.Is(err, backends.ErrUnknown):
			return b.isGone(ctx, id, err)
		case errors.As(err, &failed) && failed.status == preconditionFailed && attempt < mostAttempts:
			continue
		}
		return err
	}
}

// isGone reads once what became of a delete whose answer was lost.
func (b *Backend) isGone(ctx context.Context, id string, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	if _, err := b.client.info(ctx, id); errors.Is(err, backends.ErrNotFound) {
		b.tree.removedHere(id)
		return nil
	}
	return cause
}

// deleteProject removes a project in which there is nothing but empty folders
// for tables.
func (b *Backend) deleteProject(ctx context.Context, ref backends.Ref) error {
	project, err := b.projectID(ctx, ref)
	if err != nil {
		return err
	}
	items, err := b.client.list(ctx, project)
	if err != nil {
		return err
	}
	// All is looked at before anything is removed.
	for _, inside := range items {
		isKind := slices.ContainsFunc(backends.Kinds[:], func(k backends.Kind) bool { return strings.EqualFold(inside.Name, string(k)) })
		if inside.Type != typeFolder || !isKind {
			return fmt.Errorf("it holds %s: %w", inside.Name, backends.ErrNotEmpty)
		}
		files, err := b.listFolder(ctx, string(inside.ID))
		if err != nil {
			return err
		}
		if len(files) > 0 {
			return fmt.Errorf("it holds %s/%s: %w", inside.Name, files[0].Name, backends.ErrNotEmpty)
		}
	}
	for _, inside := range items {
		if err := b.client.remove(ctx, typeFolder, string(inside.ID), ""); err != nil && !errors.Is(err, backends.ErrNotFound) {
			return err
		}
	}
	if err := b.client.remove(ctx, typeFolder, project, ""); err != nil {
		return err
	}
	b.tree.forgetProject(project)
	return nil
}
