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
)

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
