package ragasapp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Backend implements backends.Backend, Renamer, Prober, Forgetter, RowGetter and Finder.
type Backend struct {
	client *client
	log    *slog.Logger
	window int // writes to rows of one batch at the same time
	known  *memory
	// columnsLast is how long columns are not asked for again.
	columnsLast time.Duration

	// creating makes looking for a name and taking it one step, as far as this
	// process goes: the API has no unique names.
	creating sync.Mutex
}

// noncePrefix marks a description that says nothing but who made the object.
const noncePrefix = "ragasfs "

// The paths of the API.
func projectsPath() []string                { return []string{"projects"} }
func projectPath(id string) []string        { return []string{"projects", id} }
func tablesPath(p tableID) []string         { return []string{"projects", p.project, string(p.kind)} }
func tablePath(t tableID) []string          { return append(tablesPath(t), t.id) }
func columnsPath(t tableID) []string        { return append(tablePath(t), "columns") }
func rowsPath(t tableID) []string           { return append(tablePath(t), "rows") }
func rowPath(t tableID, id string) []string { return append(rowsPath(t), id) }

// tableID is what the API calls a table by.
type tableID struct {
	project string
	kind    backends.Kind
	id      string
}

// List implements backends.Backend.
func (b *Backend) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	if scope == (backends.Ref{}) {
		projects, err := b.projects(ctx)
		if err != nil {
			return nil, fmt.Errorf("list projects: %w", err)
		}
		entries := make([]backends.Entry, len(projects))
		for i, p := range projects {
			entries[i] = p.entry()
		}
		return entries, nil
	}
	p, err := b.project(ctx, scope)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", scope, err)
	}
	return b.listTables(ctx, p)
}

func (b *Backend) projects(ctx context.Context) ([]wireProject, error) {
	projects, err := all(ctx, b.client, projectsPath(), func(p wireProject) string { return p.ID })
	if err == nil {
		b.client.workspace.listed(projects)
	}
	return projects, err
}

// project is the reference of a project with its id. The id is looked up by
// title where it is not given: of equal titles the oldest is meant.
func (b *Backend) project(ctx context.Context, ref backends.Ref) (backends.Ref, error) {
	p := backends.Ref{Project: ref.Project, ProjectID: ref.ProjectID}
	if p.ProjectID != "" {
		return p, nil
	}
	projects, err := b.projects(ctx)
	if err != nil {
		return p, err
	}
	same := slices.DeleteFunc(projects, func(w wireProject) bool { return w.Title != ref.Project })
	if len(same) == 0 {
		return p, fmt.Errorf("project %q: %w", ref.Project, backends.ErrNotFound)
	}
	p.ProjectID = slices.MinFunc(same, func(a, b wireProject) int { return older(a.CreatedAt, a.ID, b.CreatedAt, b.ID) }).ID
	return p, nil
}

func older(a stamp, aID string, b stamp, bID string) int {
	if c := a.Compare(b.Time); c != 0 {
		return c
	}
	return strings.Compare(aID, bID)
}

func (p wireProject) entry() backends.Entry {
	return backends.Entry{
		Ref:  backends.Ref{Project: p.Title, ProjectID: p.ID},
		Size: -1, Rows: -1, ModTime: p.UpdatedAt.Time, Created: p.CreatedAt.Time, Nonce: nonceOf(p.Description),
	}
}

func nonceOf(description *string) string {
	if description == nil {
		return ""
	}
	nonce, marked := strings.CutPrefix(*description, noncePrefix)
	if !marked {
		return ""
	}
	return nonce
}

func describe(nonce string) string {
	if nonce == "" {
		return ""
	}
	return noncePrefix + nonce
}

// Create implements backends.Backend. That a name is taken is found by listing:
// the API itself takes any name twice.
func (b *Backend) Create(ctx context.Context, r backends.Create) (backends.Entry, error) {
	b.creating.Lock()
	defer b.creating.Unlock()
	create := b.createProject
	if r.Ref.IsTable() {
		create = b.createTable
	}
	entry, err := create(ctx, r)
	if err != nil {
		return backends.Entry{}, fmt.Errorf("create %s: %w", r.Ref, err)
	}
	return entry, nil
}

func (b *Backend) createProject(ctx context.Context, r backends.Create) (backends.Entry, error) {
	if strings.TrimSpace(r.Ref.Project) == "" {
		return backends.Entry{}, fmt.Errorf("a project needs a title: %w", backends.ErrRefused)
	}
	if err := b.titleIsFree(ctx, r.Ref.Project, ""); err != nil {
		return backends.Entry{}, err
	}
	body := newProject{Title: r.Ref.Project, Description: describe(r.Nonce)}
	p, err := ask[wireProject](ctx, b.client, request{method: http.MethodPost, path: projectsPath(), body: body})
	if errors.Is(err, backends.ErrUnknown) && r.Nonce != "" {
		p, err = b.findProject(ctx, r.Nonce, err)
	}
	if err != nil {
		return backends.Entry{}, err
	}
	b.client.workspace.made(p.ID)
	return p.entry(), nil
}

// titleIsFree answers ErrExists if another project than but has the title.
func (b *Backend) titleIsFree(ctx context.Context, title, but string) error {
	projects, err := b.projects(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		if p.Title == title && p.ID != but {
			return fmt.Errorf("project %q: %w", title, backends.ErrExists)
		}
	}
	return nil
}

// findProject looks for what a create may have made.
func (b *Backend) findProject(ctx context.Context, nonce string, doubtful error) (wireProject, error) {
	projects, err := b.projects(ctx)
	if err != nil {
		return wireProject{}, doubtful
	}
	for _, p := range projects {
		if nonceOf(p.Description) == nonce {
			return p, nil
		}
	}
	return wireProject{}, doubtful
}

// Delete implements backends.Backend.
func (b *Backend) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	remove := b.deleteTable
	if !ref.IsTable() {
		remove = b.deleteProject
	}
	err := remove(ctx, ref, base)
	if errors.Is(err, backends.ErrNotFound) {
		return nil // the wish is fulfilled
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", ref, err)
	}
	return nil
}

func (b *Backend) deleteProject(ctx context.Context, ref backends.Ref, _ backends.Version) error {
	p, err := b.project(ctx, ref)
	if err != nil {
		return err
	}
	for _, kind := range backends.Kinds {
		list, err := part[wireTable](ctx, b.client, tablesPath(tableID{project: p.ProjectID, kind: kind}), byCreation, 0, 1)
		if err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return fmt.Errorf("it holds %s, %q among them: %w", kind, list.Items[0].Name, backends.ErrNotEmpty)
		}
	}
	_, err = b.client.do(ctx, request{method: http.MethodDelete, path: projectPath(p.ProjectID)})
	return err
}

// Rename implements backends.Renamer, for tables and projects.
func (b *Backend) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	b.creating.Lock()
	defer b.creating.Unlock()
	rename := b.renameTable
	if !ref.IsTable() {
		rename = b.renameProject
	}
	if strings.TrimSpace(name) == "" {
		return backends.Entry{}, fmt.Errorf("rename %s: an empty name: %w", ref, backends.ErrRefused)
	}
	entry, err := rename(ctx, ref, name)
	if err != nil {
		return backends.Entry{}, fmt.Errorf("rename %s to %q: %w", ref, name, err)
	}
	return entry, nil
}

func (b *Backend) renameProject(ctx context.Context, ref backends.Ref, title string) (backends.Entry, error) {
	p, err := b.project(ctx, ref)
	if err != nil {
		return backends.Entry{}, err
	}
	if err := b.titleIsFree(ctx, title, p.ProjectID); err != nil {
		return backends.Entry{}, err
	}
	body := newProject{Title: title}
	renamed, err := ask[wireProject](ctx, b.client, request{method: http.MethodPatch, path: projectPath(p.ProjectID), body: body})
	return renamed.entry(), err
}
