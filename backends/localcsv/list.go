package localcsv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// List implements backends.Backend.
func (b *Backend) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	if scope.Project == "" {
		return b.listProjects(ctx)
	}
	project, err := b.projectDir(scope)
	if err != nil {
		return nil, err
	}
	if err := b.needProject(project); err != nil {
		return nil, err
	}
	entries := []backends.Entry{}
	for _, kind := range backends.Kinds {
		found, err := b.listTables(ctx, scope.Project, filepath.Join(project, string(kind)), kind)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

func (b *Backend) listProjects(ctx context.Context) ([]backends.Entry, error) {
	if b.rootIsProject {
		return []backends.Entry{b.projectEntry(rootProject)}, nil
	}
	names, err := b.names(".")
	if err != nil {
		return nil, failed("list", b.path, err)
	}
	entries := []backends.Entry{}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if csvstore.CheckProject(name) != nil {
			continue
		}
		switch is, err := b.isProject(name); {
		case err != nil:
			return nil, failed("list", filepath.Join(b.path, name), err)
		case is:
			entries = append(entries, b.projectEntry(name))
		}
	}
	return entries, nil
}

// isProject reports whether name is a directory that has a folder for tables in
// it, or nothing. Files, links out of the root and what has just gone are none.
func (b *Backend) isProject(name string) (bool, error) {
	if is, err := b.isDir(name); err != nil || !is {
		return false, err
	}
	for _, kind := range backends.Kinds {
		if is, err := b.isDir(filepath.Join(name, string(kind))); err != nil || is {
			return is, err
		}
	}
	names, err := b.names(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && len(names) == 0, err
}

// isDir reports whether a directory is there and inside the root. An error is
// the disk's: then it is not known.
func (b *Backend) isDir(relative string) (bool, error) {
	info, err := b.root.Stat(relative)
	if err == nil {
		return info.IsDir(), nil
	}
	var errno unix.Errno
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return false, nil
	case !errors.As(err, &errno):
		return false, nil // os.Root's own: the path leads out of the root
	}
	return false, err
}

// needProject fails with ErrNotFound if there is no such directory.
func (b *Backend) needProject(project string) error {
	path := filepath.Join(b.path, project)
	is, err := b.isDir(project)
	if err != nil {
		return failed("open project", path, err)
	}
	if !is {
		return fmt.Errorf("project %s: %w", path, backends.ErrNotFound)
	}
	return nil
}

func (b *Backend) listTables(
	ctx context.Context, project, relative string, kind backends.Kind,
) ([]backends.Entry, error) {
	if is, err := b.isDir(relative); err != nil || !is {
		if err != nil {
			err = failed("list", filepath.Join(b.path, relative), err)
		}
		return nil, err // a project may have one folder only
	}
	f, err := b.openFolder(relative)
	if err != nil {
		return nil, err
	}
	defer f.close()
	names, err := f.dir.Readdirnames(-1)
	if err != nil {
		return nil, failed("list", f.path, err)
	}
	var entries []backends.Entry
	for _, file := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name, isTable := csvstore.TableName(file)
		if !isTable {
			continue
		}
		st, err := f.stat(file)
		if errors.Is(err, unix.ENOENT) {
			continue // no file, or gone since
		}
		if err != nil {
			return nil, failed("look at", f.pathOf(file), err)
		}
		entries = append(entries, tableEntry(backends.Ref{Project: project, Kind: kind, Name: name}, &st))
	}
	return entries, nil
}

// names returns what is in a directory of the root, in no order.
func (b *Backend) names(relative string) ([]string, error) {
	dir, err := b.root.Open(relative)
	if err != nil {
		return nil, err
	}
	defer dir.Close() //nolint:errcheck // only read from: nothing can be lost
	return dir.Readdirnames(-1)
}

// Probe implements backends.Prober: one stat.
func (b *Backend) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	if err := b.enter(ctx); err != nil {
		return backends.Entry{}, err
	}
	f, file, err := b.folderOf(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	defer f.close()
	st, err := f.stat(file)
	if err != nil {
		return backends.Entry{}, failed("look at", f.pathOf(file), err)
	}
	return tableEntry(ref, &st), nil
}

func tableEntry(ref backends.Ref, st *unix.Stat_t) backends.Entry {
	ref.ProjectID, ref.ID = "", ""
	return backends.Entry{
		Ref: ref, Version: versionOf(st), Size: st.Size, Rows: -1, ModTime: modTime(st),
	}
}

func (b *Backend) projectEntry(name string) backends.Entry {
	entry := backends.Entry{Ref: backends.Ref{Project: name}, Size: -1, Rows: -1}
	if info, err := b.root.Stat(name); err == nil { // the time is a courtesy
		entry.ModTime = info.ModTime()
	}
	return entry
}
