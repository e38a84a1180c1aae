package ragasapp_test

import (
	"fmt"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/ragasapp"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasapi"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// bench is a table of an emulated service, and the backend over it.
type bench struct {
	*server
	backend *ragasapp.Backend
	ref     backends.Ref
	columns []table.Column
}

// newBench makes a table with n rows, each {q: "question I", n: I}, ids "rI".
func newBench(t *testing.T, switches ragasstore.Switches, n int, options map[string]string) *bench {
	t.Helper()
	b := &bench{server: serve(t, switches)}
	b.backend = open(t, b.URL, options).Backend.(*ragasapp.Backend)
	b.columns = []table.Column{{Name: "q", Type: table.Text}, {Name: "n", Type: table.Number}}
	project, err := b.backend.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "demo"}})
	if err != nil {
		t.Fatal(err)
	}
	ref := project.Ref
	ref.Kind, ref.Name = backends.Datasets, "qa"
	entry, err := b.backend.Create(t.Context(), backends.Create{Ref: ref, Columns: b.columns})
	if err != nil {
		t.Fatal(err)
	}
	b.ref = entry.Ref
	for i := range n {
		b.put(t, fmt.Sprint("r", i), fmt.Sprintf(`"question %d"`, i), fmt.Sprint(i))
	}
	return b
}

func (b *bench) in() ragasapi.TableRef {
	return ragasapi.TableRef{Project: b.ref.ProjectID, Kind: ragasapi.Kind(b.ref.Kind), ID: b.ref.ID}
}

// data is a row's data by column id, from JSON values.
func (b *bench) data(t *testing.T, q, n string) ragasapi.Object {
	t.Helper()
	columns, err := b.store.ListColumns(b.in(), ragasapi.Page{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	data := ragasapi.Object{}
	for _, c := range columns.Items {
		data[c.ID] = []byte(map[string]string{"q": q, "n": n}[c.Name])
	}
	return data
}

// put makes or changes a row behind the backend's back.
func (b *bench) put(t *testing.T, id, q, n string) {
	t.Helper()
	data := b.data(t, q, n)
	if _, err := b.store.UpdateRow(b.in(), id, data); err == nil {
		return
	}
	if _, err := b.store.CreateRow(b.in(), id, data); err != nil {
		t.Fatal(err)
	}
}

// load returns the cells of all rows by id, and the version.
func (b *bench) load(t *testing.T) (map[string][]string, backends.Version, error) {
	t.Helper()
	loaded, err := b.backend.Load(t.Context(), b.ref)
	if err != nil {
		return nil, "", err
	}
	defer loaded.Close() //nolint:errcheck // read to the end
	rows := map[string][]string{}
	for r, err := range loaded.Rows {
		if err != nil {
			return nil, "", err
		}
		for _, c := range r.Cells {
			rows[r.ID] = append(rows[r.ID], c.Text)
		}
	}
	return rows, loaded.Version, nil
}

func (b *bench) batch(base backends.Version, changes ...table.Change) backends.Batch {
	header := []string{"q", "n"}
	return backends.Batch{Ref: b.ref, Base: base, Grows: -1, Changes: table.Changes{OldHeader: header, NewHeader: header, Rows: changes}}
}

func update(id string, before, after []string) table.Change {
	return table.Change{Op: table.Update, Key: table.Key(id), Before: before, After: after}
}

// calls runs f and returns the requests that it made.
func (b *bench) calls(f func()) []string {
	before := len(b.service.Calls())
	f()
	var made []string
	for _, c := range b.service.Calls()[before:] {
		made = append(made, c.Method+" "+c.Path)
	}
	return made
}
