package ragasstore

import (
	"container/list"
	"fmt"
	"maps"
	"slices"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// mirror is the key under which a row's data repeats its id.
const mirror = "id"

// ListRows implements ragasapi.Rows.
func (s *Store) ListRows(of ragasapi.TableRef, page ragasapi.Page) (ragasapi.List[ragasapi.Row], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return ragasapi.List[ragasapi.Row]{}, err
	}
	p, err := s.pagination(page, len(t.rows), oldestFirst)
	if err != nil {
		return ragasapi.List[ragasapi.Row]{}, err
	}
	items := []ragasapi.Row{}
	if p.OrderBy == "updated_at" {
		for e := skipTo(t.updated, p); e != nil && len(items) < p.Limit; e = next(e, p) {
			items = append(items, e.Value.(*row).Row)
		}
		return ragasapi.List[ragasapi.Row]{Items: items, Pagination: p}, nil
	}
	for i := p.Offset; i < min(p.Offset+p.Limit, len(t.rows)); i++ {
		at := i
		if p.SortDir == "desc" {
			at = len(t.rows) - 1 - i
		}
		items = append(items, t.rows[at].Row)
	}
	return ragasapi.List[ragasapi.Row]{Items: items, Pagination: p}, nil
}

func skipTo(l *list.List, p ragasapi.Pagination) *list.Element {
	e := l.Front()
	if p.SortDir == "desc" {
		e = l.Back()
	}
	for range p.Offset {
		if e == nil {
			return nil
		}
		e = next(e, p)
	}
	return e
}

func next(e *list.Element, p ragasapi.Pagination) *list.Element {
	if p.SortDir == "desc" {
		return e.Prev()
	}
	return e.Next()
}

// CreateRow implements ragasapi.Rows. A row without an id is taken: so it was
// recorded.
func (s *Store) CreateRow(of ragasapi.TableRef, id string, data ragasapi.Object) (ragasapi.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return ragasapi.Row{}, err
	}
	normal, err := ragasapi.Normal(data)
	if err != nil {
		return ragasapi.Row{}, fmt.Errorf("data: %w: %w", ragasapi.ErrInvalid, err)
	}
	taken := fmt.Errorf("row %q: %w", id, ragasapi.ErrExists)
	if owner := s.owners[id]; s.switches.GlobalIDs && owner != nil && owner != t {
		return ragasapi.Row{}, taken
	}
	if known := t.byID[id]; known != nil {
		if !s.switches.Upsert {
			return ragasapi.Row{}, taken
		}
		s.revive(t, known)
		s.change(t, known, normal)
		return known.Row, nil
	}
	normal[mirror] = ragasapi.Text(id)
	now := s.stamp()
	r := &row{Row: ragasapi.Row{ID: id, Data: normal, CreatedAt: now, UpdatedAt: now, TableID: t.ID}}
	t.rows = append(t.rows, r)
	r.place = t.updated.PushBack(r)
	if id != "" {
		t.byID[id] = r
		s.owners[id] = t
	}
	return r.Row, nil
}

// revive brings a deleted row back as a new one.
func (s *Store) revive(t *tableOf, r *row) {
	if !r.deleted {
		return
	}
	r.deleted, r.CreatedAt, r.Data = false, s.stamp(), ragasapi.Object{}
	t.rows = append(t.rows, r)
	r.place = t.updated.PushBack(r)
}

// change gives a row new data.
func (s *Store) change(t *tableOf, r *row, data ragasapi.Object) {
	changed := data.Clone()
	if !s.switches.PatchReplaces {
		changed = r.Data.Clone()
		maps.Copy(changed, data)
	}
	changed[mirror] = ragasapi.Text(r.ID)
	r.Data = changed
	r.UpdatedAt = s.stamp()
	t.updated.MoveToBack(r.place)
}

// GetRow implements ragasapi.Rows.
func (s *Store) GetRow(of ragasapi.TableRef, id string) (ragasapi.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, r, err := s.row(of, id)
	if err != nil {
		return ragasapi.Row{}, err
	}
	return r.Row, nil
}

// UpdateRow implements ragasapi.Rows.
func (s *Store) UpdateRow(of ragasapi.TableRef, id string, data ragasapi.Object) (ragasapi.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, r, err := s.row(of, id)
	if err != nil {
		return ragasapi.Row{}, err
	}
	normal, err := ragasapi.Normal(data)
	if err != nil {
		return ragasapi.Row{}, fmt.Errorf("data: %w: %w", ragasapi.ErrInvalid, err)
	}
	s.change(t, r, normal)
	return r.Row, nil
}

// DeleteRow implements ragasapi.Rows.
func (s *Store) DeleteRow(of ragasapi.TableRef, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, r, err := s.row(of, id)
	if err != nil {
		if t != nil && s.switches.SoftDelete && t.byID[id] != nil {
			return nil
		}
		return err
	}
	t.rows = slices.DeleteFunc(t.rows, func(other *row) bool { return other == r })
	t.updated.Remove(r.place)
	r.deleted, r.place = true, nil
	if !s.switches.SoftDelete {
		delete(t.byID, id)
		delete(s.owners, id)
	}
	return nil
}

// row finds a row that is not deleted. The table is nil only if it is not there.
func (s *Store) row(of ragasapi.TableRef, id string) (*tableOf, *row, error) {
	_, t, err := s.anyKind(of)
	if err != nil {
		return nil, nil, err
	}
	if r := t.byID[id]; r != nil && !r.deleted {
		return t, r, nil
	}
	return t, nil, fmt.Errorf("row %q: %w", id, ragasapi.ErrNotFound)
}
