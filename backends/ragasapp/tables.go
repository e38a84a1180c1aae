package ragasapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/ragasfs/ragasfs/backends"
)

func (b *Backend) tables(ctx context.Context, project string, kind backends.Kind) ([]wireTable, error) {
	return all(ctx, b.client, tablesPath(tableID{project: project, kind: kind}), func(t wireTable) string { return t.ID })
}

// listTables lists both kinds at the same time.
func (b *Backend) listTables(ctx context.Context, project backends.Ref) ([]backends.Entry, error) {
	var lists [len(backends.Kinds)][]wireTable
	group, ctx := errgroup.WithContext(ctx)
	for i, kind := range backends.Kinds {
		group.Go(func() (err error) {
			lists[i], err = b.tables(ctx, project.ProjectID, kind)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("list %s: %w", project, err)
	}
	entries := []backends.Entry{}
	for i, kind := range backends.Kinds {
		for _, t := range lists[i] {
			entries = append(entries, t.entry(project, kind))
		}
	}
	return entries, nil
}

// entry is a table as listed. Its version is not known: that would be a call
// for each table. Nor is ModTime the time of the last change of a row.
func (t wireTable) entry(project backends.Ref, kind backends.Kind) backends.Entry {
	return backends.Entry{
		Ref:  backends.Ref{Project: project.Project, ProjectID: project.ProjectID, Kind: kind, Name: t.Name, ID: t.ID},
		Size: -1, Rows: -1, ModTime: t.UpdatedAt.Time, Created: t.CreatedAt.Time, Nonce: nonceOf(t.Description),
	}
}

// table is the id of a table, looked up by names where it is not given.
func (b *Backend) table(ctx context.Context, ref backends.Ref) (tableID, error) {
	if !slices.Contains(backends.Kinds[:], ref.Kind) {
		return tableID{}, fmt.Errorf("%q is none of the kinds %v: %w", ref.Kind, backends.Kinds, backends.ErrRefused)
	}
	p, err := b.project(ctx, ref)
	if err != nil {
		return tableID{}, err
	}
	id := tableID{project: p.ProjectID, kind: ref.Kind, id: ref.ID}
	if id.id != "" {
		return id, nil
	}
	tables, err := b.tables(ctx, p.ProjectID, ref.Kind)
	if err != nil {
		return tableID{}, err
	}
	same := slices.DeleteFunc(tables, func(t wireTable) bool { return t.Name != ref.Name })
	if len(same) == 0 {
		return tableID{}, fmt.Errorf("table %s: %w", ref, backends.ErrNotFound)
	}
	id.id = slices.MinFunc(same, func(a, b wireTable) int { return older(a.CreatedAt, a.ID, b.CreatedAt, b.ID) }).ID
	return id, nil
}

// tableIsThere answers ErrNotFound if it is not.
func (b *Backend) tableIsThere(ctx context.Context, t tableID) error {
	_, err := ask[wireTable](ctx, b.client, request{method: http.MethodGet, path: tablePath(t)})
	return err
}

func (b *Backend) nameIsFree(ctx context.Context, in tableID, name string) error {
	tables, err := b.tables(ctx, in.project, in.kind)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if t.Name == name && t.ID != in.id {
			return fmt.Errorf("table %q: %w", name, backends.ErrExists)
		}
	}
	return nil
}

func (b *Backend) createTable(ctx context.Context, r backends.Create) (backends.Entry, error) {
	if strings.TrimSpace(r.Ref.Name) == "" || !slices.Contains(backends.Kinds[:], r.Ref.Kind) {
		return backends.Entry{}, fmt.Errorf("a name and one of the kinds %v are needed: %w", backends.Kinds, backends.ErrRefused)
	}
	project, err := b.project(ctx, r.Ref)
	if err != nil {
		return backends.Entry{}, err
	}
	in := tableID{project: project.ProjectID, kind: r.Ref.Kind}
	if err := b.nameIsFree(ctx, in, r.Ref.Name); err != nil {
		return backends.Entry{}, err
	}
	body := newTable{Name: r.Ref.Name, Description: describe(r.Nonce)}
	made, err := ask[wireTable](ctx, b.client, request{method: http.MethodPost, path: tablesPath(in), body: body})
	if errors.Is(err, backends.ErrUnknown) && r.Nonce != "" {
		made, err = b.findTable(ctx, in, r.Nonce, err)
	}
	if err != nil {
		return backends.Entry{}, err
	}
	in.id = made.ID
	if err := b.createColumns(ctx, in, r.Columns); err != nil {
		return backends.Entry{}, b.undoTable(ctx, in, err)
	}
	return made.entry(project, r.Ref.Kind), nil
}

// findTable looks for what a create may have made.
func (b *Backend) findTable(ctx context.Context, in tableID, nonce string, doubtful error) (wireTable, error) {
	tables, err := b.tables(ctx, in.project, in.kind)
	if err != nil {
		return wireTable{}, doubtful
	}
	for _, t := range tables {
		if nonceOf(t.Description) == nonce {
			return t, nil
		}
	}
	return wireTable{}, doubtful
}

// undoTable removes a table that did not get all of its columns. Where that
// fails too, it is there and the caller has to look at it.
func (b *Backend) undoTable(ctx context.Context, t tableID, cause error) error {
	_, err := b.client.do(ctx, request{method: http.MethodDelete, path: tablePath(t)})
	if err == nil || errors.Is(err, backends.ErrNotFound) {
		if errors.Is(cause, backends.ErrUnknown) { // of a column that is gone with its table
			return fmt.Errorf("its columns could not be made: %w: %s", backends.ErrUnavailable, cause.Error())
		}
		return fmt.Errorf("its columns could not be made: %w", cause)
	}
	return fmt.Errorf("%w: it was made without all of its columns, and could not be removed: %w", backends.ErrUnknown, errors.Join(cause, err))
}

// deleteTable checks the version as far as this API allows: just before.
func (b *Backend) deleteTable(ctx context.Context, ref backends.Ref, base backends.Version) error {
	t, err := b.table(ctx, ref)
	if err != nil {
		return err
	}
	if base != "" {
		now, err := b.version(ctx, t)
		if err != nil {
			return err
		}
		if now != "" && now != base {
			return fmt.Errorf("it is at version %s, not %s: %w", now, base, backends.ErrConflict)
		}
	}
	_, err = b.client.do(ctx, request{method: http.MethodDelete, path: tablePath(t)})
	if err == nil {
		b.known.forget(t)
	}
	return err
}

func (b *Backend) renameTable(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	t, err := b.table(ctx, ref)
	if err != nil {
		return backends.Entry{}, err
	}
	if err := b.nameIsFree(ctx, t, name); err != nil {
		return backends.Entry{}, err
	}
	renamed, err := ask[wireTable](ctx, b.client, request{method: http.MethodPatch, path: tablePath(t), body: newTable{Name: name}})
	if err != nil {
		return backends.Entry{}, err
	}
	entry := renamed.entry(backends.Ref{Project: ref.Project, ProjectID: t.project}, t.kind)
	return entry, nil
}
