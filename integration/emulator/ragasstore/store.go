// Package ragasstore keeps what a server of the Ragas API serves, in memory.
//
// Here lives what the service does with objects; how it is asked is in
// ragasservice. Where nobody ever recorded what the live service does, there
// are Switches: clients have to get on with either answer.
package ragasstore

import (
	"cmp"
	"container/list"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// Switches are the points of the API of which nothing is known. The zero value
// is one possible service.
type Switches struct {
	PatchReplaces bool // PATCH of a row (and of a column's settings) replaces instead of merging
	SoftDelete    bool // a deleted row keeps its id, and deleting it again is no error
	GlobalIDs     bool // a row id is taken in all tables, not only in its own
	Upsert        bool // POST of a known row id changes the row instead of being refused
	FixedOrder    bool // order_by and sort_dir are ignored
	MaxPage       int  // the largest page of a list; 0: 100
}

const defaultMaxPage = 100

// Store is one workspace. It implements ragasapi.Store.
type Store struct {
	switches Switches

	mu       sync.Mutex // guards everything below
	now      func() time.Time
	last     time.Time
	projects []*project // in order of creation
	owners   map[string]*tableOf
}

type project struct {
	ragasapi.Project
	tables []*tableOf // in order of creation
}

type tableOf struct {
	ragasapi.Table
	kind    ragasapi.Kind
	columns []*ragasapi.Column // in order of creation
	rows    []*row             // in order of creation, without deleted ones
	byID    map[string]*row    // with deleted ones, without those that have no id
	updated *list.List         // of *row, in order of the last change
}

type row struct {
	ragasapi.Row
	deleted bool
	place   *list.Element // in tableOf.updated; nil: deleted
}

// New returns an empty store.
func New(switches Switches) *Store {
	if switches.MaxPage <= 0 {
		switches.MaxPage = defaultMaxPage
	}
	return &Store{switches: switches, now: time.Now, owners: map[string]*tableOf{}}
}

// stamp returns the time in the service's resolution. It never goes back.
func (s *Store) stamp() ragasapi.Time {
	now := s.now().UTC().Truncate(time.Microsecond)
	if now.Before(s.last) {
		now = s.last
	}
	s.last = now
	return ragasapi.Time(now)
}

// ordering is how a list is ordered when nobody says otherwise.
type ordering struct{ by, dir string }

var (
	oldestFirst = ordering{"created_at", "asc"}
	newestFirst = ordering{"created_at", "desc"}
)

// pagination settles which part of a list is given, and in what order.
func (s *Store) pagination(page ragasapi.Page, total int, own ordering) (ragasapi.Pagination, error) {
	if page.Limit <= 0 || page.Offset < 0 {
		return ragasapi.Pagination{}, fmt.Errorf("limit %d, offset %d: %w", page.Limit, page.Offset, ragasapi.ErrInvalid)
	}
	p := ragasapi.Pagination{
		Offset: page.Offset, Limit: min(page.Limit, s.switches.MaxPage), Total: total, OrderBy: own.by, SortDir: own.dir,
	}
	if s.switches.FixedOrder {
		return p, nil
	}
	switch page.OrderBy {
	case "created_at", "updated_at":
		p.OrderBy, p.SortDir = page.OrderBy, "asc"
	}
	switch page.SortDir {
	case "asc", "desc":
		p.SortDir = page.SortDir
	}
	return p, nil
}

// times are those by which an object is ordered.
type times struct{ created, updated ragasapi.Time }

// part gives one part of a list that stands in order of creation.
func part[T any](s *Store, all []T, page ragasapi.Page, own ordering, of func(T) times) (ragasapi.List[T], error) {
	p, err := s.pagination(page, len(all), own)
	if err != nil {
		return ragasapi.List[T]{}, err
	}
	ordered := append([]T{}, all...) // never nil: null is no list
	if p.OrderBy == "updated_at" {
		slices.SortStableFunc(ordered, func(a, b T) int {
			return time.Time(of(a).updated).Compare(time.Time(of(b).updated))
		})
	}
	if p.SortDir == "desc" {
		slices.Reverse(ordered)
	}
	first := min(p.Offset, len(ordered))
	return ragasapi.List[T]{Items: ordered[first:min(first+p.Limit, len(ordered))], Pagination: p}, nil
}

func newUUID() string { return uuid.NewString() }

func (s *Store) project(id string) (*project, error) {
	for _, p := range s.projects {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, fmt.Errorf("project %q: %w", id, ragasapi.ErrNotFound)
}

// table finds a table of that kind; anyKind finds it under either.
func (s *Store) table(ref ragasapi.TableRef) (*project, *tableOf, error) {
	p, t, err := s.anyKind(ref)
	if err == nil && t.kind != ref.Kind {
		err = fmt.Errorf("%s %q: %w", ref.Kind, ref.ID, ragasapi.ErrNotFound)
	}
	return p, t, err
}

func (s *Store) anyKind(ref ragasapi.TableRef) (*project, *tableOf, error) {
	p, err := s.project(ref.Project)
	if err != nil {
		return nil, nil, err
	}
	for _, t := range p.tables {
		if t.ID == ref.ID {
			return p, t, nil
		}
	}
	return nil, nil, fmt.Errorf("%s %q: %w", ref.Kind, ref.ID, ragasapi.ErrNotFound)
}

// needName returns the name, or why there is none.
func needName(what string, name *string) (string, error) {
	if strings.TrimSpace(deref(name)) == "" {
		return "", fmt.Errorf("a %s needs a name: %w", what, ragasapi.ErrInvalid)
	}
	return *name, nil
}

func deref(s *string) string { return *cmp.Or(s, new(string)) }
