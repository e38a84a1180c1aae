package ragasapp_test

import (
	"context"
	"strings"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
)

// ownIDs gives the rows of each table ids of their own, as the cache does. The
// rules of the kit use one id in several tables, which some servers refuse.
type ownIDs struct{ *faulty }

const ofTable = "-of-"

// inside is the id of a row as the server has it.
func (o *ownIDs) inside(ref backends.Ref, id table.Key) table.Key {
	if id == "" {
		return ""
	}
	return id + ofTable + table.Key(o.tableID(ref))
}

func outside(id string) string {
	id, _, _ = strings.Cut(id, ofTable)
	return id
}

// tableID is the id of a table that may be named by its name alone.
func (o *ownIDs) tableID(ref backends.Ref) string {
	if ref.ID != "" {
		return ref.ID
	}
	const most = 1000
	projects, err := o.server.store.ListProjects(ragasapi.Page{Limit: most}, nil)
	if err != nil {
		return ""
	}
	for _, p := range projects.Items {
		if p.ID != ref.ProjectID && p.Title != ref.Project {
			continue
		}
		tables, err := o.server.store.ListTables(ragasapi.TableRef{Project: p.ID, Kind: ragasapi.Kind(ref.Kind)}, ragasapi.Page{Limit: most})
		if err != nil {
			return ""
		}
		for _, x := range tables.Items {
			if x.Name == ref.Name {
				return x.ID
			}
		}
	}
	return ""
}

func (o *ownIDs) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	rows := make([]table.Change, len(batch.Changes.Rows))
	for i, change := range batch.Changes.Rows {
		change.Key = o.inside(batch.Ref, change.Key)
		rows[i] = change
	}
	batch.Changes.Rows = rows
	return o.faulty.Apply(ctx, batch)
}

func (o *ownIDs) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	loaded, err := o.faulty.Load(ctx, ref)
	if err != nil {
		return nil, err
	}
	rows := loaded.Rows
	loaded.Rows = func(yield func(backends.Row, error) bool) {
		for r, err := range rows {
			r.ID = outside(r.ID)
			if !yield(r, err) {
				return
			}
		}
	}
	return loaded, nil
}

// GetRows implements backends.RowGetter.
func (o *ownIDs) GetRows(ctx context.Context, ref backends.Ref, wanted []table.Column, ids []string) ([]backends.Row, error) {
	there := make([]string, len(ids))
	for i, id := range ids {
		there[i] = string(o.inside(ref, table.Key(id)))
	}
	rows, err := o.faulty.GetRows(ctx, ref, wanted, there)
	for i := range rows {
		rows[i].ID = outside(rows[i].ID)
	}
	return rows, err
}

// Find implements backends.Finder.
func (o *ownIDs) Find(ctx context.Context, ref backends.Ref, name, value string) ([]backends.Row, []table.Column, error) {
	rows, columns, err := o.faulty.Find(ctx, ref, name, value)
	for i := range rows {
		rows[i].ID = outside(rows[i].ID)
	}
	return rows, columns, err
}
