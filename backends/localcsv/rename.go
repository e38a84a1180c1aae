package localcsv

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

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
