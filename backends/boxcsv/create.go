package boxcsv

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ragasfs/ragasfs/backends"
)

// Create implements backends.Backend.
func (b *Backend) Create(ctx context.Context, request backends.Create) (backends.Entry, error) {
	var entry backends.Entry
	var err error
	if request.Ref.IsTable() {
		entry, err = b.createTable(ctx, request)
	} else {
		entry, err = b.createProject(ctx, request.Ref.Project)
	}
	if err != nil {
		return backends.Entry{}, fmt.Errorf("create %s: %w", request.Ref, err)
	}
	return entry, nil
}

// createProject makes the project's folder and those of the kinds in it.
func (b *Backend) createProject(ctx context.Context, name string) (backends.Entry, error) {
	if err := checkProject(name); err != nil {
		return backends.Entry{}, err
	}
	folder, err := b.client.createFolder(ctx, b.options.RootFolderID, name)
	if errors.Is(err, backends.ErrNotFound) { // the root, not the project
		err = fmt.Errorf("root_folder_id=%s is not there: %w", b.options.RootFolderID, backends.ErrUnavailable)
	}
	if err != nil {
		return backends.Entry{}, err
	}
	if folder.Name != name && folder.Name != "" {
		return backends.Entry{}, b.takeBack(ctx, folder, name)
	}
	folder.Name = name
	b.tree.projectMadeHere(name, string(folder.ID))
	for _, kind := range backends.Kinds {
		if _, err := b.makeKind(ctx, string(folder.ID), kind); err != nil {
			// The project is there, its folders come with its first tables.
			b.log.Warn("a folder of a new project could not be made yet", "project", name, "folder", kind, "error", err)
			break
		}
	}
	return projectEntry(folder), nil
}

// takeBack removes what Box has made under another name than was wanted.
func (b *Backend) takeBack(ctx context.Context, made item, wanted string) error {
	err := fmt.Errorf("Box makes %q of the name %q: %w", made.Name, wanted, backends.ErrRefused) //nolint:staticcheck // a name
	if removing := b.client.remove(ctx, made.Type, string(made.ID), ""); removing != nil {
		b.log.Warn("what Box has made under another name stays there", "name", made.Name, "id", string(made.ID), "error", removing)
	}
	return err
}

// makeKind makes a kind's folder, or finds the one that is there.
func (b *Backend) makeKind(ctx context.Context, project string, kind backends.Kind) (string, error) {
	folder, err := b.client.createFolder(ctx, project, string(kind))
	if found := conflictOf(err); errors.Is(err, backends.ErrExists) && found != nil && found.Type == typeFolder {
		folder, err = *found, nil
	}
	if errors.Is(err, backends.ErrExists) || errors.Is(err, backends.ErrUnknown) {
		folders, listErr := b.kindFolders(ctx, project)
		if listErr == nil && folders[kind] != "" {
			return folders[kind], nil
		}
		// Nothing is lost by an empty folder: it may be made again.
		err = fmt.Errorf("folder %s: %w: %w", kind, backends.ErrUnavailable, errors.New(err.Error()))
	}
	if err != nil {
		return "", err
	}
	b.tree.setFolder(place{project, kind}, string(folder.ID))
	return string(folder.ID), nil
}

func (b *Backend) createTable(ctx context.Context, request backends.Create) (backends.Entry, error) {
	ref := request.Ref
	if !slices.Contains(backends.Kinds[:], ref.Kind) {
		return backends.Entry{}, fmt.Errorf("kind %q is none of %v: %w", ref.Kind, backends.Kinds, backends.ErrRefused)
	}
	name, err := fileName(ref.Name)
	if err != nil {
		return backends.Entry{}, err
	}
	if request.Document.Open == nil {
		return backends.Entry{}, fmt.Errorf("a document is needed: %w", backends.ErrRefused)
	}
	if ref.ProjectID, err = b.projectID(ctx, ref); err != nil {
		return backends.Entry{}, err
	}
	file, err := b.createFile(ctx, ref, name, request.Document)
	if err != nil {
		return backends.Entry{}, err
	}
	entry, isTable := tableEntry(ref, file)
	if !isTable {
		return entry, fmt.Errorf("Box has made %q: %w", file.Name, backends.ErrUnknown) //nolint:staticcheck // a name
	}
	return entry, nil
}

// createFile uploads a new file. A folder that is known may be gone: then it is
// made anew, once.
func (b *Backend) createFile(ctx context.Context, ref backends.Ref, name string, document backends.Document) (item, error) {
	for attempt := 1; ; attempt++ {
		folder, err := b.kindFolder(ctx, ref)
		if err == nil && folder == "" {
			folder, err = b.makeKind(ctx, ref.ProjectID, ref.Kind)
		}
		if err != nil {
			return item{}, err
		}
		sent, err := b.uploadNew(ctx, target{folder: folder, name: name}, document)
		switch {
		case err == nil:
			return sent.item, nil
		case errors.Is(err, errOtherName):
			return item{}, b.takeBack(ctx, sent.item, name)
		case errors.Is(err, backends.ErrNotFound) && attempt == 1:
			b.tree.forgetFolder(place{ref.ProjectID, ref.Kind})
			continue
		case errors.Is(err, backends.ErrUnknown):
			return b.adopt(ctx, folder, name, sent.sum, err)
		}
		return item{}, err
	}
}

// uploadNew uploads a new file and remembers it.
func (b *Backend) uploadNew(ctx context.Context, t target, document backends.Document) (stored, error) {
	defer b.tree.writes(t.folder)()
	sent, err := b.client.upload(ctx, t, document)
	if err == nil {
		b.tree.madeHere(sent.item)
	}
	return sent, err
}

// adopt looks whether a file whose upload was not answered is there. One with
// the same content is what was wanted, whoever made it.
func (b *Backend) adopt(ctx context.Context, folder, name, sum string, cause error) (item, error) {
	if ctx.Err() != nil || sum == "" {
		return item{}, cause
	}
	found, err := b.client.occupant(ctx, folder, name)
	if err != nil || found == nil || found.Type != typeFile {
		return item{}, cause
	}
	file, err := b.client.info(ctx, string(found.ID))
	if err != nil || file.SHA1 != sum || file.Name != name {
		return item{}, cause
	}
	b.tree.madeHere(file)
	return file, nil
}
