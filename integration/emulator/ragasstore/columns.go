package ragasstore

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// ListColumns implements ragasapi.Columns.
func (s *Store) ListColumns(of ragasapi.TableRef, page ragasapi.Page) (ragasapi.List[ragasapi.Column], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return ragasapi.List[ragasapi.Column]{}, err
	}
	all := make([]ragasapi.Column, len(t.columns))
	for i, c := range t.columns {
		all[i] = *c
	}
	return part(s, all, page, oldestFirst, func(c ragasapi.Column) times { return times{c.CreatedAt, c.UpdatedAt} })
}

// CreateColumn implements ragasapi.Columns.
func (s *Store) CreateColumn(of ragasapi.TableRef, column ragasapi.NewColumn) (ragasapi.Column, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return ragasapi.Column{}, err
	}
	if column.ID == "" || column.Name == "" || column.Type == "" {
		return ragasapi.Column{}, fmt.Errorf("a column needs id, name and type: %w", ragasapi.ErrInvalid)
	}
	if _, err := t.column(column.ID); err == nil {
		return ragasapi.Column{}, fmt.Errorf("column %q: %w", column.ID, ragasapi.ErrExists)
	}
	settings, err := ragasapi.Normal(column.Settings)
	if err != nil {
		return ragasapi.Column{}, fmt.Errorf("settings: %w: %w", ragasapi.ErrInvalid, err)
	}
	settings["id"], settings["name"], settings["type"] = ragasapi.Text(column.ID), ragasapi.Text(column.Name), ragasapi.Text(column.Type)
	now := s.stamp()
	c := &ragasapi.Column{
		ID: column.ID, Name: column.Name, Type: column.Type, Settings: settings, CreatedAt: now, UpdatedAt: now, TableID: t.ID,
	}
	t.columns = append(t.columns, c)
	return *c, nil
}

// GetColumn implements ragasapi.Columns.
func (s *Store) GetColumn(of ragasapi.TableRef, id string) (ragasapi.Column, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return ragasapi.Column{}, err
	}
	c, err := t.column(id)
	if err != nil {
		return ragasapi.Column{}, err
	}
	return *c, nil
}

// UpdateColumn implements ragasapi.Columns. The echo in the settings stays as it
// was: so it was recorded.
func (s *Store) UpdateColumn(of ragasapi.TableRef, id string, patch ragasapi.ColumnPatch) (ragasapi.Column, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return ragasapi.Column{}, err
	}
	c, err := t.column(id)
	if err != nil {
		return ragasapi.Column{}, err
	}
	if patch.Settings != nil {
		sent, err := ragasapi.Normal(patch.Settings)
		if err != nil {
			return ragasapi.Column{}, fmt.Errorf("settings: %w: %w", ragasapi.ErrInvalid, err)
		}
		settings := c.Settings.Clone()
		if s.switches.PatchReplaces {
			maps.DeleteFunc(settings, func(key string, _ json.RawMessage) bool { return !isEcho(key) })
		}
		maps.Copy(settings, sent)
		c.Settings = settings
	}
	if patch.Name != nil {
		c.Name = *patch.Name
	}
	if patch.Type != nil {
		c.Type = *patch.Type
	}
	c.UpdatedAt = s.stamp()
	return *c, nil
}

func isEcho(key string) bool { return key == "id" || key == "name" || key == "type" }

// DeleteColumn implements ragasapi.Columns. The cells of rows stay as unknown keys.
func (s *Store) DeleteColumn(of ragasapi.TableRef, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, t, err := s.anyKind(of)
	if err != nil {
		return err
	}
	if _, err := t.column(id); err != nil {
		return err
	}
	t.columns = slices.DeleteFunc(t.columns, func(c *ragasapi.Column) bool { return c.ID == id })
	return nil
}

func (t *tableOf) column(id string) (*ragasapi.Column, error) {
	for _, c := range t.columns {
		if c.ID == id {
			return c, nil
		}
	}
	return nil, fmt.Errorf("column %q: %w", id, ragasapi.ErrNotFound)
}
