package memoryservice

import (
	"context"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
)

// State is everything in a store, as GET /_emulator/state shows it. Projects,
// tables and rows stand in the store's own order.
type State struct {
	Projects []Project `json:"projects"`
}

// Project is one project.
type Project struct {
	ID     string         `json:"id"`
	Name   memoryapi.Text `json:"name"`
	Tables []Table        `json:"tables"`
}

// Table is one table.
type Table struct {
	ID      string             `json:"id"`
	Kind    string             `json:"kind"`
	Name    memoryapi.Text     `json:"name"`
	Version string             `json:"version,omitempty"`
	Nonce   string             `json:"nonce,omitempty"`
	Columns []memoryapi.Column `json:"columns"`
	Rows    []Row              `json:"rows"`
}

// Row is one row. Cells are by column name; null is a missing value.
type Row struct {
	ID    memoryapi.Text             `json:"id"`
	Cells map[string]*memoryapi.Text `json:"cells"`
}

// Dump returns the state of a store. It is not one moment's: a table that goes
// meanwhile is left out.
func Dump(ctx context.Context, store *memory.Store) (State, error) {
	state := State{Projects: []Project{}}
	projects, err := store.List(ctx, backends.Ref{})
	if err != nil {
		return State{}, err
	}
	for _, p := range projects {
		project := Project{ID: p.Ref.ProjectID, Name: memoryapi.Text(p.Ref.Project), Tables: []Table{}}
		tables, err := store.List(ctx, p.Ref)
		if err != nil {
			continue // deleted meanwhile
		}
		for _, entry := range tables {
			table, err := dumpTable(ctx, store, entry)
			if err != nil {
				continue // deleted meanwhile
			}
			project.Tables = append(project.Tables, table)
		}
		state.Projects = append(state.Projects, project)
	}
	return state, nil
}

func dumpTable(ctx context.Context, store *memory.Store, entry backends.Entry) (Table, error) {
	loaded, err := store.Load(ctx, entry.Ref)
	if err != nil {
		return Table{}, err
	}
	defer loaded.Close() //nolint:errcheck // of memory
	table := Table{
		ID: entry.Ref.ID, Kind: string(entry.Ref.Kind), Name: memoryapi.Text(entry.Ref.Name),
		Version: string(loaded.Version), Nonce: entry.Nonce,
		Columns: memory.ColumnsToWire(loaded.Columns), Rows: []Row{},
	}
	for row, err := range loaded.Rows {
		if err != nil {
			return Table{}, fmt.Errorf("rows of %s: %w", entry.Ref, err)
		}
		wire := memory.RowToWire(row)
		cells := make(map[string]*memoryapi.Text, len(wire.Cells))
		for i, cell := range wire.Cells {
			cells[loaded.Columns[i].Name] = cell
		}
		table.Rows = append(table.Rows, Row{ID: wire.ID, Cells: cells})
	}
	return table, nil
}
