package boxcsv

import (
	"context"
	"errors"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
)

// Rename implements backends.Renamer. A table's version stays: only its etag
// moves.
func (b *Backend) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	var entry backends.Entry
	var err error
	if ref.IsTable() {
		entry, err = b.renameTable(ctx, ref, name)
	} else {
		entry, err = b.renameProject(ctx, ref, name)
	}
	if err != nil {
		return backends.Entry{}, fmt.Errorf("rename %s to %s: %w", ref, name, err)
	}
	return entry, nil
}

func (b *Backend) renameTable(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	to, err := fileName(name)
	if err != nil {
		return backends.Entry{}, err
	}
	id, err := b.locate(ctx, ref)
	if err != nil {
		return backends.Entry{}, err
	}
	defer b.tree.writes(id)()
	file, err := b.client.rename(ctx, typeFile, id, to)
	b.tree.forgetFile(id)
	if doubt := errors.Is(err, backends.ErrUnknown) || err == nil && (checkFile(file) != nil || file.Name != to); doubt && ctx.Err() == nil {
		if now, lookErr := b.client.info(ctx, id); lookErr == nil && now.Name == to {
			file, err = now, nil
		}
	}
	if err == nil && (checkFile(file) != nil || file.Name != to) {
		err = fmt.Errorf("%w: it is called %q now", backends.ErrUnknown, file.Name)
	}
	if err != nil {
		return backends.Entry{}, err
	}
	b.tree.setFile(file)
	return b.entryOf(ref, file)
}

func (b *Backend) renameProject(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	if err := checkProject(name); err != nil {
		return backends.Entry{}, err
	}
	id, err := b.projectID(ctx, ref)
	if err != nil {
		return backends.Entry{}, err
	}
	folder, err := b.client.rename(ctx, typeFolder, id, name)
	if doubt := errors.Is(err, backends.ErrUnknown) || err == nil && folder.Name != name; doubt && ctx.Err() == nil {
		if now, lookErr := b.client.folder(ctx, id); lookErr == nil && now.Name == name {
			folder, err = now, nil
		}
	}
	if err == nil && folder.Name != name {
		err = fmt.Errorf("%w: it is called %q now", backends.ErrUnknown, folder.Name)
	}
	if err != nil {
		return backends.Entry{}, err
	}
	b.tree.setProject(name, id)
	return projectEntry(folder), nil
}
