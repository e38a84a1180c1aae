package memory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Options are the ways in which real row stores differ.
type Options struct {
	// Versionless: the store knows no versions, as ragas/app. Every Version it
	// gives is empty, and a Base is not checked.
	Versionless bool
	// DuplicateNames: a name may be given to several projects or tables, as in
	// ragas/app. They are told apart by id.
	DuplicateNames bool
	// MaxCell is the most bytes in one cell; rows with longer ones are refused.
	// Zero: no limit.
	MaxCell int
}

// Store is a row store in memory. It implements backends.Backend, Renamer,
// Prober, RowGetter, Finder and Watcher. All methods may be called at the same
// time from several goroutines. The zero value is not usable; see NewStore.
type Store struct {
	options Options

	// mu guards everything below, and the contents of all tables except rows of
	// a snapshot (see content).
	mu       sync.Mutex
	sequence uint64     // last number given to an id or a version
	projects []*project // in order of creation
	hooks    Hooks
	watchers map[chan backends.Ref]struct{}
}

type project struct {
	id, name, nonce string
	created         time.Time
	tables          []*tableOf // in order of creation
}

// tableOf is one table of a project.
type tableOf struct {
	id, name, nonce   string
	kind              backends.Kind
	created, modified time.Time
	version           uint64
	content           content
}

// NewStore returns an empty store.
func NewStore(options Options) *Store {
	return &Store{options: options, watchers: map[chan backends.Ref]struct{}{}}
}

// Properties returns what the store is like. The identity is that of a store
// inside this process.
func (s *Store) Properties() backends.Properties {
	return backends.Properties{
		Form:           backends.Rows,
		Identity:       Name,
		CompareAndSwap: !s.options.Versionless,
		RenameProject:  true,
	}
}

// List implements backends.Backend.
func (s *Store) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	call := Call{Verb: VerbList, Ref: scope}
	return during(ctx, s, call, func() ([]backends.Entry, error) {
		if scope == (backends.Ref{}) {
			entries := make([]backends.Entry, 0, len(s.projects))
			for _, p := range s.projects {
				entries = append(entries, p.entry())
			}
			return entries, nil
		}
		p, err := s.project(scope)
		if err != nil {
			return nil, err
		}
		entries := make([]backends.Entry, 0, len(p.tables))
		for _, t := range p.tables {
			entries = append(entries, s.entry(p, t))
		}
		return entries, nil
	})
}

// Create implements backends.Backend.
func (s *Store) Create(ctx context.Context, request backends.Create) (backends.Entry, error) {
	call := Call{Verb: VerbCreate, Ref: request.Ref}
	return during(ctx, s, call, func() (backends.Entry, error) {
		if request.Ref.IsTable() {
			return s.createTable(request)
		}
		return s.createProject(request)
	})
}

func (s *Store) createProject(request backends.Create) (backends.Entry, error) {
	name := request.Ref.Project
	if name == "" {
		return backends.Entry{}, fmt.Errorf("a project needs a name: %w", backends.ErrRefused)
	}
	if s.projectNameTaken(name, nil) {
		return backends.Entry{}, fmt.Errorf("project %q: %w", name, backends.ErrExists)
	}
	p := &project{id: s.newID("p"), name: name, nonce: request.Nonce, created: time.Now()}
	s.projects = append(s.projects, p)
	s.changed(backends.Ref{Project: p.name, ProjectID: p.id})
	return p.entry(), nil
}

func (s *Store) createTable(request backends.Create) (backends.Entry, error) {
	ref := request.Ref
	if ref.Name == "" || !slices.Contains(backends.Kinds[:], ref.Kind) {
		return backends.Entry{}, fmt.Errorf("table %q of kind %q: a name and one of the kinds %v are needed: %w",
			ref.Name, ref.Kind, backends.Kinds, backends.ErrRefused)
	}
	p, err := s.project(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	if s.tableNameTaken(p, ref.Kind, ref.Name, nil) {
		return backends.Entry{}, fmt.Errorf("table %s: %w", ref, backends.ErrExists)
	}
	t := &tableOf{id: s.newID("t"), name: ref.Name, nonce: request.Nonce, kind: ref.Kind, created: time.Now()}
	for _, column := range request.Columns {
		if _, err := t.content.addColumn(column, len(t.content.columns), s.newID); err != nil {
			return backends.Entry{}, fmt.Errorf("table %s: %w", ref, err)
		}
	}
	s.touch(p, t)
	p.tables = append(p.tables, t)
	return s.entry(p, t), nil
}

// Delete implements backends.Backend.
func (s *Store) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	call := Call{Verb: VerbDelete, Ref: ref}
	_, err := during(ctx, s, call, func() (struct{}, error) {
		if ref.IsTable() {
			return struct{}{}, s.deleteTable(ref, base)
		}
		return struct{}{}, s.deleteProject(ref)
	})
	return err
}

func (s *Store) deleteProject(ref backends.Ref) error {
	p, err := s.project(ref)
	if err != nil {
		return nil // not there: the wish is fulfilled
	}
	if len(p.tables) > 0 {
		return fmt.Errorf("project %q holds %d tables: %w", p.name, len(p.tables), backends.ErrNotEmpty)
	}
	s.projects = slices.DeleteFunc(s.projects, func(other *project) bool { return other == p })
	s.changed(backends.Ref{Project: p.name, ProjectID: p.id})
	return nil
}

func (s *Store) deleteTable(ref backends.Ref, base backends.Version) error {
	p, t, err := s.table(ref)
	if err != nil {
		return nil // not there: the wish is fulfilled
	}
	if err := s.checkBase(ref, t, base); err != nil {
		return err
	}
	p.tables = slices.DeleteFunc(p.tables, func(other *tableOf) bool { return other == t })
	s.changed(s.ref(p, t))
	return nil
}

// Rename implements backends.Renamer, for tables and projects.
func (s *Store) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	call := Call{Verb: VerbRename, Ref: ref}
	return during(ctx, s, call, func() (backends.Entry, error) {
		if name == "" {
			return backends.Entry{}, fmt.Errorf("%s: an empty name: %w", ref, backends.ErrRefused)
		}
		if !ref.IsTable() {
			return s.renameProject(ref, name)
		}
		p, t, err := s.table(ref)
		if err != nil {
			return backends.Entry{}, err
		}
		if s.tableNameTaken(p, t.kind, name, t) {
			return backends.Entry{}, fmt.Errorf("%s to %q: %w", ref, name, backends.ErrExists)
		}
		s.changed(s.ref(p, t))
		t.name = name
		s.changed(s.ref(p, t))
		return s.entry(p, t), nil
	})
}

func (s *Store) renameProject(ref backends.Ref, name string) (backends.Entry, error) {
	p, err := s.project(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	if s.projectNameTaken(name, p) {
		return backends.Entry{}, fmt.Errorf("project %q to %q: %w", p.name, name, backends.ErrExists)
	}
	p.name = name
	s.changed(backends.Ref{})
	return p.entry(), nil
}

// Probe implements backends.Prober.
func (s *Store) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	call := Call{Verb: VerbProbe, Ref: ref}
	return during(ctx, s, call, func() (backends.Entry, error) {
		p, t, err := s.table(ref)
		if err != nil {
			return backends.Entry{}, err
		}
		return s.entry(p, t), nil
	})
}

// project finds a project by id, or by name where there is no id. Of equal
// names it is the oldest.
func (s *Store) project(ref backends.Ref) (*project, error) {
	for _, p := range s.projects {
		if ref.ProjectID == p.id || ref.ProjectID == "" && ref.Project == p.name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("project %q: %w", ref.Project, backends.ErrNotFound)
}

// table finds a table in the same way.
func (s *Store) table(ref backends.Ref) (*project, *tableOf, error) {
	p, err := s.project(ref)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range p.tables {
		if ref.ID == t.id || ref.ID == "" && ref.Kind == t.kind && ref.Name == t.name {
			return p, t, nil
		}
	}
	return nil, nil, fmt.Errorf("table %s: %w", ref, backends.ErrNotFound)
}

func (s *Store) projectNameTaken(name string, but *project) bool {
	return !s.options.DuplicateNames && slices.ContainsFunc(s.projects, func(p *project) bool {
		return p != but && p.name == name
	})
}

func (s *Store) tableNameTaken(p *project, kind backends.Kind, name string, but *tableOf) bool {
	return !s.options.DuplicateNames && slices.ContainsFunc(p.tables, func(t *tableOf) bool {
		return t != but && t.kind == kind && t.name == name
	})
}

// newID returns an id that was never given before: letters first, so that it
// never looks like a number.
func (s *Store) newID(prefix string) string {
	s.sequence++
	return prefix + strconv.FormatUint(s.sequence, 10)
}

// touch gives t a version that no table ever had, and tells the watchers.
func (s *Store) touch(p *project, t *tableOf) {
	s.sequence++
	t.version = s.sequence
	t.modified = time.Now()
	s.changed(s.ref(p, t))
}

func (s *Store) checkBase(ref backends.Ref, t *tableOf, base backends.Version) error {
	if s.options.Versionless || base == "" || base == s.versionOf(t) {
		return nil
	}
	return fmt.Errorf("table %s is at version %s, not %s: %w", ref, s.versionOf(t), base, backends.ErrConflict)
}

func (s *Store) versionOf(t *tableOf) backends.Version {
	if s.options.Versionless {
		return ""
	}
	return backends.Version(strconv.FormatUint(t.version, 10))
}

func (s *Store) ref(p *project, t *tableOf) backends.Ref {
	return backends.Ref{Project: p.name, ProjectID: p.id, Kind: t.kind, Name: t.name, ID: t.id}
}

func (p *project) entry() backends.Entry {
	return backends.Entry{
		Ref:  backends.Ref{Project: p.name, ProjectID: p.id},
		Size: -1, Rows: -1, ModTime: p.created, Created: p.created, Nonce: p.nonce,
	}
}

func (s *Store) entry(p *project, t *tableOf) backends.Entry {
	return backends.Entry{
		Ref: s.ref(p, t), Version: s.versionOf(t),
		Size: -1, Rows: int64(len(t.content.rows)), ModTime: t.modified, Created: t.created, Nonce: t.nonce,
	}
}
