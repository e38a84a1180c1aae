package ragasstore

import (
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// State is everything in a store, in order of creation.
type State struct {
	Projects []ProjectState `json:"projects"`
}

// ProjectState is a project and what is in it.
type ProjectState struct {
	ragasapi.Project
	Datasets    []TableState `json:"datasets"`
	Experiments []TableState `json:"experiments"`
}

// TableState is a table and what is in it.
type TableState struct {
	ragasapi.Table
	Columns []ragasapi.Column `json:"columns"`
	Rows    []RowState        `json:"rows"`
}

// RowState is a row. Cells are its data by the names of the columns, without
// keys of which the columns know nothing.
type RowState struct {
	ragasapi.Row
	Cells ragasapi.Object `json:"cells"`
}

// State returns everything, of one moment.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := State{Projects: []ProjectState{}}
	for _, p := range s.projects {
		shown := ProjectState{Project: p.Project, Datasets: []TableState{}, Experiments: []TableState{}}
		for _, t := range p.tables {
			if t.kind == ragasapi.Datasets {
				shown.Datasets = append(shown.Datasets, t.state())
			} else {
				shown.Experiments = append(shown.Experiments, t.state())
			}
		}
		state.Projects = append(state.Projects, shown)
	}
	return state
}

func (t *tableOf) state() TableState {
	shown := TableState{Table: t.Table, Columns: []ragasapi.Column{}, Rows: []RowState{}}
	for _, c := range t.columns {
		shown.Columns = append(shown.Columns, *c)
	}
	for _, r := range t.rows {
		cells := ragasapi.Object{}
		for _, c := range t.columns {
			if value, there := r.Data[c.ID]; there {
				cells[c.Name] = value
			}
		}
		shown.Rows = append(shown.Rows, RowState{Row: r.Row, Cells: cells})
	}
	return shown
}
