package judge_test

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// remote is a store with one table.
type remote struct {
	t       rapid.TB
	form    backends.Form
	version int

	document []byte // document store

	header []string // row store
	ids    []string
	rows   map[string][]string
	hide   bool // ids are not shown (-o row_id=hide)
}

func (r *remote) content() table.Content {
	if r.form == backends.Documents {
		return table.Content{Source: bytes.NewReader(slices.Clone(r.document))}
	}
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	var keys table.Keys
	must(r.t, w.Write(r.shown(table.RowIDColumn, r.header)))
	for _, id := range r.ids {
		must(r.t, w.Write(r.shown(id, r.rows[id])))
		keys.Add(table.Key(id))
	}
	w.Flush()
	return table.Content{Source: bytes.NewReader(out.Bytes()), Keys: keys}
}

func (r *remote) shown(id string, cells []string) []string {
	if r.hide {
		return cells
	}
	return append([]string{id}, cells...)
}

func (r *remote) columns() []table.Column {
	if r.form == backends.Documents {
		return nil
	}
	var columns []table.Column
	for _, name := range r.header {
		columns = append(columns, table.Column{Name: name, Type: table.Text})
	}
	return columns
}

// foreign takes ids over that have the shape of this table's ids.
func (r *remote) foreign(id string) table.ForeignKey {
	if strings.HasPrefix(id, "mine") || strings.HasPrefix(id, "theirs") {
		return table.ForeignAdopt
	}
	return table.ForeignRefuse
}

func (r *remote) put(document []byte) {
	r.document = document
	r.version++
}

// insert, set and remove are a colleague's edits of row i.
func (r *remote) insert(i int, id string, row []string) {
	if r.form == backends.Rows {
		r.version++
		r.ids = slices.Insert(r.ids, i, id)
		r.rows[id] = row
		return
	}
	r.edit(func(records [][]string) [][]string { return slices.Insert(records, i+1, row) })
}

func (r *remote) set(i, column int, cell string) {
	if r.form == backends.Rows {
		r.version++
		r.rows[r.ids[i]][column] = cell
		return
	}
	r.edit(func(records [][]string) [][]string {
		records[i+1][column] = cell
		return records
	})
}

func (r *remote) remove(i int) {
	if r.form == backends.Rows {
		r.version++
		delete(r.rows, r.ids[i])
		r.ids = slices.Delete(r.ids, i, i+1)
		return
	}
	r.edit(func(records [][]string) [][]string { return slices.Delete(records, i+1, i+2) })
}

func (r *remote) edit(change func(records [][]string) [][]string) {
	r.put(format(r.t, change(parse(r.t, r.document)), false))
}

// apply makes row changes as Ragas does: by id, and only the cells that differ.
func (r *remote) apply(changes table.Changes) {
	r.version++
	for _, c := range changes.Rows {
		id := string(c.Key)
		old, there := r.rows[id]
		switch c.Op {
		case table.Append:
			if there {
				r.t.Fatalf("append of row %s, which the store has", id)
			}
			r.ids = append(r.ids, id)
			r.rows[id] = slices.Clone(c.After)
		case table.Update:
			if !there {
				r.t.Fatalf("update of row %s, which the store does not have", id)
			}
			for i := range c.After {
				if c.Before[i] != c.After[i] {
					old[i] = c.After[i]
				}
			}
		case table.Delete:
			delete(r.rows, id)
			r.ids = slices.DeleteFunc(r.ids, func(x string) bool { return x == id })
		}
	}
}
