package localcsv

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// Delete implements backends.Backend.
func (b *Backend) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	var err error
	if ref.IsTable() {
		err = b.deleteTable(ref, base)
	} else {
		err = b.deleteProject(ref)
	}
	if errors.Is(err, backends.ErrNotFound) {
		return nil // the wish is fulfilled
	}
	return err
}

// deleteTable moves the file out of the way, looks whether it is the one that
// was meant, and only then lets go of it.
func (b *Backend) deleteTable(ref backends.Ref, base backends.Version) error {
	f, file, err := b.folderOf(ref)
	if err != nil {
		return err
	}
	defer f.close()
	path := f.pathOf(file)
	st, err := f.stat(file)
	if err != nil {
		return failed("delete", path, err)
	}
	if base != "" && versionOf(&st) != base {
		return conflict("delete", path)
	}
	b.late.mu.Lock()
	defer b.late.mu.Unlock()
	b.calls.beforeChange()
	hidden, err := nameAside(file, &st).free(func(name string) error { return b.calls.move(f.fd(), file, name) })
	if err != nil {
		return failed("delete", path, err)
	}
	moved, err := f.stat(hidden)
	if err != nil {
		return uncertain("delete", path, err)
	}
	if base != "" && !sameContent(&moved, &st) {
		if err := b.calls.move(f.fd(), hidden, file); err != nil {
			return failed("delete", path, fmt.Errorf("it changed meanwhile, and stands now as %s: %w: %w",
				hidden, backends.ErrConflict, err))
		}
		return conflict("delete", path)
	}
	old, err := f.open(hidden, unix.O_RDONLY, 0)
	if err != nil {
		return uncertain("delete", path, err)
	}
	b.late.keep(f, file, hidden, old, &moved)
	if err := f.sync(); err != nil {
		return uncertain("delete", path, err)
	}
	return nil
}

// deleteProject removes a project in which there is nothing but empty folders
// for tables. rmdir itself sees to it that nothing else goes.
func (b *Backend) deleteProject(ref backends.Ref) error {
	project, err := b.projectDir(ref)
	if err != nil {
		return err
	}
	path := filepath.Join(b.path, project)
	if project == "." {
		return fmt.Errorf("project %s is the root directory: %w", path, backends.ErrRefused)
	}
	if err := b.needProject(project); err != nil {
		return err
	}
	b.late.finish(path)
	if err := b.onlyEmptyFolders(project); err != nil {
		return err
	}
	for _, kind := range backends.Kinds {
		folder := filepath.Join(project, string(kind))
		if err := b.removeDir(folder); err != nil && !errors.Is(err, os.ErrNotExist) {
			return failed("delete", filepath.Join(b.path, folder), err)
		}
	}
	if err := b.removeDir(project); err != nil {
		return failed("delete project", path, err)
	}
	if err := b.syncDir("."); err != nil {
		return uncertain("delete project", path, err)
	}
	return nil
}

// onlyEmptyFolders looks before anything is removed, so that a project that is
// not empty stays as it is.
func (b *Backend) onlyEmptyFolders(project string) error {
	path := filepath.Join(b.path, project)
	names, err := b.names(project)
	if err != nil {
		return failed("delete project", path, err)
	}
	for _, name := range names {
		if !slices.Contains(backends.Kinds[:], backends.Kind(name)) {
			return fmt.Errorf("project %s holds %s: %w", path, name, backends.ErrNotEmpty)
		}
		inside, err := b.names(filepath.Join(project, name))
		if err != nil {
			return failed("delete project", filepath.Join(path, name), err)
		}
		if len(inside) > 0 {
			return fmt.Errorf("project %s holds %s: %w", path, filepath.Join(name, inside[0]), backends.ErrNotEmpty)
		}
	}
	return nil
}

// removeDir removes a directory, never a file.
func (b *Backend) removeDir(relative string) error {
	parent, err := b.root.Open(filepath.Dir(relative))
	if err != nil {
		return err
	}
	defer parent.Close() //nolint:errcheck // only a descriptor
	return retry(func() error {
		return unix.Unlinkat(int(parent.Fd()), filepath.Base(relative), unix.AT_REMOVEDIR)
	})
}

// Rename implements backends.Renamer. The version of a renamed table changes
// (its ctime does), the new one is in the entry.
func (b *Backend) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return backends.Entry{}, err
	}
	if !ref.IsTable() {
		return b.renameProject(ref, name)
	}
	to, err := csvstore.FileName(name)
	if err != nil {
		return backends.Entry{}, err
	}
	f, from, err := b.folderOf(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	defer f.close()
	if _, err := f.stat(from); err != nil {
		return backends.Entry{}, failed("rename", f.pathOf(from), err)
	}
	if err := b.calls.move(f.fd(), from, to); err != nil {
		return backends.Entry{}, failed("rename", f.pathOf(from)+" to "+to, err)
	}
	b.late.renamed(f, from, to)
	st, err := f.stat(to)
	if err == nil {
		err = f.sync()
	}
	if err != nil {
		return backends.Entry{}, uncertain("rename", f.pathOf(from)+" to "+to, err)
	}
	ref.Name = name
	return tableEntry(ref, &st), nil
}

func (b *Backend) renameProject(ref backends.Ref, name string) (backends.Entry, error) {
	project, err := b.projectDir(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	if project == "." {
		return backends.Entry{}, fmt.Errorf("the root directory can't be renamed: %w", backends.ErrUnsupported)
	}
	if err := csvstore.CheckProject(name); err != nil {
		return backends.Entry{}, err
	}
	path := filepath.Join(b.path, project)
	if err := b.needProject(project); err != nil {
		return backends.Entry{}, err
	}
	root, err := b.root.Open(".")
	if err != nil {
		return backends.Entry{}, failed("rename project", path, err)
	}
	defer root.Close() //nolint:errcheck // only a descriptor
	if err := b.calls.move(int(root.Fd()), project, name); err != nil {
		return backends.Entry{}, failed("rename project", path+" to "+name, err)
	}
	if err := root.Sync(); err != nil {
		return backends.Entry{}, uncertain("rename project", path+" to "+name, err)
	}
	return b.projectEntry(name), nil
}

func (b *Backend) syncDir(relative string) error {
	dir, err := b.root.Open(relative)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func conflict(what, path string) error {
	return fmt.Errorf("%s %s: %w", what, path, backends.ErrConflict)
}

// uncertain marks a failure after which the change is there, but perhaps not
// after a power cut.
func uncertain(what, path string, err error) error {
	return fmt.Errorf("%s %s: %w: %w", what, path, backends.ErrUnknown, err)
}
