package localcsv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// Modes of what is made new, before the umask.
const (
	dirMode  = 0o777
	fileMode = 0o666
)

// Create implements backends.Backend.
func (b *Backend) Create(ctx context.Context, request backends.Create) (backends.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return backends.Entry{}, err
	}
	if request.Ref.IsTable() {
		return b.createTable(ctx, request)
	}
	return b.createProject(request.Ref.Project)
}

func (b *Backend) createProject(name string) (backends.Entry, error) {
	path := filepath.Join(b.path, name)
	if b.rootIsProject {
		if name == rootProject {
			return backends.Entry{}, fmt.Errorf("project %s: %w", path, backends.ErrExists)
		}
		return backends.Entry{}, fmt.Errorf("project %q: with project=. there is only the root directory: %w",
			name, backends.ErrRefused)
	}
	if err := csvstore.CheckProject(name); err != nil {
		return backends.Entry{}, err
	}
	if err := b.root.Mkdir(name, dirMode); err != nil {
		return backends.Entry{}, failed("make project", path, err)
	}
	for _, kind := range backends.Kinds {
		folder := filepath.Join(name, string(kind))
		if err := b.root.Mkdir(folder, dirMode); err != nil && !errors.Is(err, unix.EEXIST) {
			return backends.Entry{}, uncertain("make", filepath.Join(b.path, folder), err)
		}
	}
	if err := errors.Join(b.syncDir(name), b.syncDir(".")); err != nil {
		return backends.Entry{}, uncertain("make project", path, err)
	}
	return b.projectEntry(name), nil
}

func (b *Backend) createTable(ctx context.Context, request backends.Create) (backends.Entry, error) {
	ref := request.Ref
	if !slices.Contains(backends.Kinds[:], ref.Kind) {
		return backends.Entry{}, fmt.Errorf("table %s: kind %q is none of %v: %w", ref, ref.Kind, backends.Kinds, backends.ErrRefused)
	}
	if _, err := csvstore.FileName(ref.Name); err != nil {
		return backends.Entry{}, err
	}
	if err := b.makeFolder(ref); err != nil {
		return backends.Entry{}, err
	}
	f, file, err := b.folderOf(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	defer f.close()
	temp, err := b.writeTemp(ctx, f, nameAside(file, nil), request.Document)
	if err != nil {
		return backends.Entry{}, failed("create", f.pathOf(file), err)
	}
	defer temp.discard()
	if err := b.calls.move(f.fd(), temp.name, file); err != nil {
		return backends.Entry{}, failed("create", f.pathOf(file), err)
	}
	temp.name = ""
	if err := f.sync(); err != nil {
		return backends.Entry{}, uncertain("create", f.pathOf(file), err)
	}
	st, err := fstat(temp.file)
	if err != nil {
		return backends.Entry{}, uncertain("create", f.pathOf(file), err)
	}
	return tableEntry(ref, &st), nil
}

// makeFolder makes the folder of a kind in a project that lacks it.
func (b *Backend) makeFolder(ref backends.Ref) error {
	project, err := b.projectDir(ref)
	if err != nil {
		return err
	}
	if err := b.needProject(project); err != nil {
		return err
	}
	folder := filepath.Join(project, string(ref.Kind))
	switch err := b.root.Mkdir(folder, dirMode); {
	case errors.Is(err, unix.EEXIST):
		return nil
	case err != nil:
		return failed("make", filepath.Join(b.path, folder), err)
	}
	if err := b.syncDir(project); err != nil {
		return failed("make", filepath.Join(b.path, folder), err)
	}
	return nil
}
