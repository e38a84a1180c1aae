package ragasstore

import (
	"container/list"
	"slices"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// ListProjects implements ragasapi.Projects.
func (s *Store) ListProjects(page ragasapi.Page, ids []string) (ragasapi.List[ragasapi.Project], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []ragasapi.Project
	for _, p := range s.projects {
		if ids == nil || slices.Contains(ids, p.ID) {
			all = append(all, p.Project)
		}
	}
	return part(s, all, page, newestFirst, func(p ragasapi.Project) times { return times{p.CreatedAt, p.UpdatedAt} })
}

// GetProject implements ragasapi.Projects.
func (s *Store) GetProject(id string) (ragasapi.Project, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(id)
	if err != nil {
		return ragasapi.Project{}, err
	}
	return p.Project, nil
}

// CreateProject implements ragasapi.Projects.
func (s *Store) CreateProject(named ragasapi.Named) (ragasapi.Project, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	title, err := needName("project", named.Name)
	if err != nil {
		return ragasapi.Project{}, err
	}
	now := s.stamp()
	p := &project{Project: ragasapi.Project{
		ID: newUUID(), Title: title, Description: named.Description, CreatedAt: now, UpdatedAt: now,
	}}
	s.projects = append(s.projects, p)
	return p.Project, nil
}

// UpdateProject implements ragasapi.Projects.
func (s *Store) UpdateProject(id string, named ragasapi.Named) (ragasapi.Project, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(id)
	if err != nil {
		return ragasapi.Project{}, err
	}
	if named.Name != nil {
		if p.Title, err = needName("project", named.Name); err != nil {
			return ragasapi.Project{}, err
		}
	}
	if named.Description != nil {
		p.Description = named.Description
	}
	p.UpdatedAt = s.stamp()
	return p.Project, nil
}

// DeleteProject implements ragasapi.Projects.
func (s *Store) DeleteProject(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(id)
	if err != nil {
		return err
	}
	for _, t := range p.tables {
		s.disown(t)
	}
	s.projects = slices.DeleteFunc(s.projects, func(other *project) bool { return other == p })
	return nil
}

// ListTables implements ragasapi.Tables.
func (s *Store) ListTables(in ragasapi.TableRef, page ragasapi.Page) (ragasapi.List[ragasapi.Table], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(in.Project)
	if err != nil {
		return ragasapi.List[ragasapi.Table]{}, err
	}
	var all []ragasapi.Table
	for _, t := range p.tables {
		if t.kind == in.Kind {
			all = append(all, t.Table)
		}
	}
	return part(s, all, page, oldestFirst, func(t ragasapi.Table) times { return times{t.CreatedAt, t.UpdatedAt} })
}

// CreateTable implements ragasapi.Tables.
func (s *Store) CreateTable(in ragasapi.TableRef, named ragasapi.Named) (ragasapi.Table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.project(in.Project)
	if err != nil {
		return ragasapi.Table{}, err
	}
	name, err := needName(string(in.Kind), named.Name)
	if err != nil {
		return ragasapi.Table{}, err
	}
	now := s.stamp()
	t := &tableOf{
		Table: ragasapi.Table{
			ID: newUUID(), Name: name, Description: named.Description, CreatedAt: now, UpdatedAt: now, ProjectID: p.ID,
		},
		kind: in.Kind, byID: map[string]*row{}, updated: list.New(),
	}
	p.tables = append(p.tables, t)
	return t.Table, nil
}

// GetTable implements ragasapi.Tables.
func (s *Store) GetTable(ref ragasapi.TableRef) (ragasapi.Table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.table(ref)
	if err != nil {
		return ragasapi.Table{}, err
	}
	return t.Table, nil
}

// UpdateTable implements ragasapi.Tables. The version counter stays: so it was
// recorded.
func (s *Store) UpdateTable(ref ragasapi.TableRef, named ragasapi.Named) (ragasapi.Table, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.table(ref)
	if err != nil {
		return ragasapi.Table{}, err
	}
	if named.Name != nil {
		if t.Name, err = needName(string(ref.Kind), named.Name); err != nil {
			return ragasapi.Table{}, err
		}
	}
	if named.Description != nil {
		t.Description = named.Description
	}
	t.UpdatedAt = s.stamp()
	return t.Table, nil
}

// DeleteTable implements ragasapi.Tables.
func (s *Store) DeleteTable(ref ragasapi.TableRef) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, t, err := s.table(ref)
	if err != nil {
		return err
	}
	s.disown(t)
	p.tables = slices.DeleteFunc(p.tables, func(other *tableOf) bool { return other == t })
	return nil
}

// disown frees the row ids of a table that goes.
func (s *Store) disown(t *tableOf) {
	for id := range t.byID {
		if s.owners[id] == t {
			delete(s.owners, id)
		}
	}
}
