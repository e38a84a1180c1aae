package boxcsv

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// List implements backends.Backend. Every folder in the root folder whose name
// can be a project's is a project.
func (b *Backend) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	if scope.Project == "" && scope.ProjectID == "" {
		return b.listProjects(ctx)
	}
	project, err := b.projectID(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", scope, err)
	}
	entries := []backends.Entry{}
	folders, err := b.kindFolders(ctx, project)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", scope, err)
	}
	for kind, folder := range folders {
		files, err := b.listFolder(ctx, folder)
		if err != nil {
			return nil, fmt.Errorf("list %s/%s: %w", scope, kind, err)
		}
		for _, file := range files {
			ref := backends.Ref{Project: scope.Project, ProjectID: project, Kind: kind}
			if entry, isTable := tableEntry(ref, file); isTable {
				entries = append(entries, entry)
			}
		}
	}
	return entries, nil
}

func (b *Backend) listProjects(ctx context.Context) ([]backends.Entry, error) {
	items, err := b.client.list(ctx, b.options.RootFolderID)
	if errors.Is(err, backends.ErrNotFound) { // that the store is gone does not make it empty
		err = fmt.Errorf("%w: root_folder_id=%s is not there, or not for this account: %w",
			backends.ErrUnavailable, b.options.RootFolderID, errors.New("404"))
	}
	if err != nil {
		return nil, fmt.Errorf("list projects: %w", err)
	}
	entries, known := []backends.Entry{}, map[string]string{}
	for _, folder := range items {
		if folder.Type != typeFolder || checkProject(folder.Name) != nil {
			continue
		}
		known[folder.Name] = string(folder.ID)
		entries = append(entries, projectEntry(folder))
	}
	for name, id := range b.tree.projectsMadeHere() { // the listing may lag behind
		if known[name] != "" {
			continue
		}
		folder, err := b.client.folder(ctx, id)
		switch {
		case errors.Is(err, backends.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("list projects: %w", err)
		case folder.Name == name && folder.parentID() == b.options.RootFolderID:
			known[name] = id
			entries = append(entries, projectEntry(folder))
		}
	}
	b.tree.setProjects(known)
	return entries, nil
}

func projectEntry(folder item) backends.Entry {
	return backends.Entry{
		Ref:  backends.Ref{Project: folder.Name, ProjectID: string(folder.ID)},
		Size: -1, Rows: -1, ModTime: folder.ModifiedAt.Time, Created: folder.CreatedAt.Time,
	}
}

// tableEntry is the entry of a file, and false if it is no table.
func tableEntry(ref backends.Ref, file item) (backends.Entry, bool) {
	name, isTable := csvstore.TableName(file.Name)
	if !isTable || file.Type != typeFile || checkFile(file) != nil {
		return backends.Entry{}, false
	}
	ref.Name, ref.ID = name, string(file.ID)
	return backends.Entry{
		Ref: ref, Version: versionOf(file), Size: int64(file.Size), Rows: -1,
		ModTime: file.ModifiedAt.Time, Created: file.CreatedAt.Time,
	}, true
}

// listFolder lists a folder, with what was just made here although the listing
// may lag behind.
func (b *Backend) listFolder(ctx context.Context, folder string) ([]item, error) {
	items, err := b.client.list(ctx, folder)
	if err != nil {
		return nil, err
	}
	if items, err = b.completed(ctx, folder, items); err != nil {
		return nil, err
	}
	items, missing := b.tree.listed(folder, items)
	for _, id := range missing {
		file, err := b.client.info(ctx, id)
		switch {
		case errors.Is(err, backends.ErrNotFound):
			b.tree.forgetFile(id)
		case err != nil:
			return nil, err
		case file.parentID() == folder:
			items = append(items, file)
		}
	}
	return items, nil
}

// completed asks for those tables again of which the listing of a folder shows only
// a part: they are not gone.
func (b *Backend) completed(ctx context.Context, folder string, items []item) ([]item, error) {
	whole := items[:0]
	for _, entry := range items {
		if entry.Parent == nil {
			entry.Parent = &item{ID: text(folder)}
		}
		_, isTable := csvstore.TableName(entry.Name)
		if isTable && entry.Type == typeFile && checkFile(entry) != nil {
			file, err := b.client.info(ctx, string(entry.ID))
			switch {
			case errors.Is(err, backends.ErrNotFound):
				continue
			case errors.Is(err, backends.ErrIncomplete):
				b.log.Warn("a file at Box has no checksum or version, it is left out", "name", entry.Name, "id", string(entry.ID))
			case err != nil:
				return nil, err
			default:
				entry = file
			}
		}
		whole = append(whole, entry)
	}
	return whole, nil
}

// projectID finds a project's folder.
func (b *Backend) projectID(ctx context.Context, ref backends.Ref) (string, error) {
	if ref.ProjectID != "" {
		return ref.ProjectID, nil
	}
	if id, known := b.tree.project(ref.Project); known {
		return id, nil
	}
	if _, err := b.listProjects(ctx); err != nil {
		return "", err
	}
	if id, known := b.tree.project(ref.Project); known {
		return id, nil
	}
	return "", fmt.Errorf("project %q: %w", ref.Project, backends.ErrNotFound)
}

// kindFolders are the folders of the kinds that a project has.
func (b *Backend) kindFolders(ctx context.Context, project string) (map[backends.Kind]string, error) {
	items, err := b.client.list(ctx, project)
	if err != nil {
		return nil, err
	}
	found := map[backends.Kind]string{}
	for _, folder := range items {
		for _, kind := range backends.Kinds {
			if folder.Type == typeFolder && strings.EqualFold(folder.Name, string(kind)) {
				found[kind] = string(folder.ID)
				b.tree.setFolder(place{project, kind}, string(folder.ID))
			}
		}
	}
	for _, kind := range backends.Kinds {
		if found[kind] == "" {
			b.tree.forgetFolder(place{project, kind})
		}
	}
	return found, nil
}

// kindFolder finds the folder of one kind; "" if the project has none.
func (b *Backend) kindFolder(ctx context.Context, ref backends.Ref) (string, error) {
	project, err := b.projectID(ctx, ref)
	if err != nil {
		return "", err
	}
	if id, known := b.tree.folder(place{project, ref.Kind}); known {
		return id, nil
	}
	folders, err := b.kindFolders(ctx, project)
	return folders[ref.Kind], err
}

// locate finds the id of a table's file. An id in the ref is taken as it is.
func (b *Backend) locate(ctx context.Context, ref backends.Ref) (string, error) {
	if ref.ID != "" {
		return ref.ID, nil
	}
	return b.locateByName(ctx, ref)
}

func (b *Backend) locateByName(ctx context.Context, ref backends.Ref) (string, error) {
	name, err := fileName(ref.Name)
	if err != nil {
		return "", fmt.Errorf("%w: %w", backends.ErrNotFound, err) // nothing can have this name
	}
	folder, err := b.kindFolder(ctx, ref)
	if err != nil {
		return "", err
	}
	if folder == "" {
		return "", fmt.Errorf("there is no folder %s: %w", ref.Kind, backends.ErrNotFound)
	}
	if file, known := b.tree.named(folder, name); known {
		return string(file.ID), nil
	}
	found, err := b.client.occupant(ctx, folder, name)
	if err != nil {
		return "", err
	}
	if found == nil || found.Type != typeFile || found.Name != name && found.Name != "" {
		return "", fmt.Errorf("no file %q: %w", name, backends.ErrNotFound)
	}
	return string(found.ID), nil
}

// look reads what a table's file is now. A file whose id is gone may have a
// successor of the same name.
func (b *Backend) look(ctx context.Context, ref backends.Ref) (item, error) {
	id, err := b.locate(ctx, ref)
	if err != nil {
		return item{}, err
	}
	file, err := b.client.info(ctx, id)
	if errors.Is(err, backends.ErrNotFound) {
		b.tree.forgetFile(id)
		if id, err = b.locateByName(ctx, ref); err == nil {
			file, err = b.client.info(ctx, id)
		}
	}
	if err == nil {
		b.tree.setFile(file)
	}
	return file, err
}

// Probe implements backends.Prober: one call.
func (b *Backend) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	file, err := b.look(ctx, ref)
	if err != nil {
		return backends.Entry{}, fmt.Errorf("look at %s: %w", ref, err)
	}
	return b.entryOf(ref, file)
}

func (b *Backend) entryOf(ref backends.Ref, file item) (backends.Entry, error) {
	if ref.ProjectID == "" {
		ref.ProjectID, _ = b.tree.project(ref.Project)
	}
	folder, known := b.tree.folder(place{ref.ProjectID, ref.Kind})
	if known && file.parentID() != "" && file.parentID() != folder {
		return backends.Entry{}, fmt.Errorf("%s is in another folder now: %w", ref, backends.ErrNotFound)
	}
	entry, isTable := tableEntry(ref, file)
	if !isTable {
		return entry, fmt.Errorf("%s is now called %q, which is no table: %w", ref, file.Name, backends.ErrNotFound)
	}
	return entry, nil
}
