package ragasapp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// column is a column of a table, with the name under which it is shown.
type column struct {
	wireColumn
	shown string // unique in its table
	typ   table.Type
	kinds *kinds // what its values have looked like
}

// public are the columns as the contract wants them.
func public(columns []column) []table.Column {
	shown := make([]table.Column, len(columns))
	for i, c := range columns {
		shown[i] = table.Column{Name: c.shown, ID: c.ID, Type: c.compared()}
	}
	return shown
}

// retype says in public columns how their cells are compared by now.
func retype(shown []table.Column, columns []column) {
	for i := range columns {
		shown[i].Type = columns[i].compared()
	}
}

func named(columns []column, name string) int {
	return slices.IndexFunc(columns, func(c column) bool { return c.shown == name })
}

// fetchColumns asks for the columns of a table, in order, and remembers them.
func (b *Backend) fetchColumns(ctx context.Context, t tableID) ([]column, error) {
	wire, err := all(ctx, b.client, columnsPath(t), func(c wireColumn) string { return c.ID })
	if err != nil {
		return nil, err
	}
	columns := arrange(wire)
	b.known.with(t, func(r *remembered) {
		for i := range columns {
			if old := slices.IndexFunc(r.columns, func(c column) bool { return c.ID == columns[i].ID }); old >= 0 {
				columns[i].kinds = r.columns[old].kinds
			}
		}
		r.columns, r.columnsAt = columns, time.Now()
	})
	return columns, nil
}

// columnsLast is how long columns are taken to be what they were. Nothing but
// asking for them tells that somebody has changed them.
const columnsLast = 30 * time.Second

// columnsLately are the columns as they were not long ago.
func (b *Backend) columnsLately(ctx context.Context, t tableID) ([]column, error) {
	var columns []column
	b.known.with(t, func(r *remembered) {
		if time.Since(r.columnsAt) < b.columnsLast {
			columns = r.columns
		}
	})
	if columns != nil {
		return columns, nil
	}
	return b.fetchColumns(ctx, t)
}

// standFor is a short text that differs where columns do.
func standFor(columns []column) string {
	hash := fnv.New64a()
	for _, c := range columns {
		fmt.Fprintf(hash, "%q %q %s\n", c.ID, c.shown, c.typ) // a hash takes everything
	}
	return strconv.FormatUint(hash.Sum64(), 36)
}

// columns are the columns as remembered, else as fetched.
func (b *Backend) columns(ctx context.Context, t tableID) ([]column, error) {
	var columns []column
	b.known.with(t, func(r *remembered) {
		if !r.columnsAt.IsZero() { // not forgotten
			columns = r.columns
		}
	})
	if columns != nil {
		return columns, nil
	}
	return b.fetchColumns(ctx, t)
}

// arrange orders columns and gives each a name of its own: the store may have
// several of one name, a table in a file can't.
func arrange(wire []wireColumn) []column {
	slices.SortStableFunc(wire, func(a, b wireColumn) int {
		pa, hasA := a.position()
		pb, hasB := b.position()
		switch {
		case hasA && !hasB:
			return -1
		case hasB && !hasA:
			return 1
		}
		return cmp.Or(cmp.Compare(pa, pb), older(a.CreatedAt, a.ID, b.CreatedAt, b.ID))
	})
	taken := map[string]bool{table.RowIDColumn: true, table.RowIDAlias: true, "": true}
	columns := make([]column, len(wire))
	for i, w := range wire {
		shown := w.Name
		if taken[shown] {
			shown = w.Name + " (" + w.ID + ")"
		}
		taken[shown] = true
		columns[i] = column{wireColumn: w, shown: shown, typ: w.tableType(), kinds: &kinds{}}
	}
	return columns
}

func (w wireColumn) position() (float64, bool) {
	raw, there := w.Settings["position"]
	if !there {
		return 0, false
	}
	p, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
	return p, err == nil
}

// Ragas' column types.
const (
	typeNumber      = "number"
	typeLongText    = "longText"
	typeCheckbox    = "checkbox"
	typeDate        = "date"
	typeMultiSelect = "multiSelect"
)

// formatKey is a setting of our own: Ragas keeps lists and objects in columns of
// type longText, and does not say in which.
const formatKey = "ragasfs_format"

// tableType says how cells of the column are compared.
func (w wireColumn) tableType() table.Type {
	switch w.Type {
	case typeNumber:
		return table.Number
	case typeCheckbox:
		return table.Bool
	case typeDate:
		return table.Date
	case typeMultiSelect:
		return table.JSON
	case typeLongText:
		if string(w.Settings[formatKey]) == `"json"` {
			return table.JSON
		}
	}
	return table.Text
}

// columnFor is a new column with Ragas' settings.
func columnFor(name string, typ table.Type, position int) newColumn {
	s := settings{
		"width": json.RawMessage("255"), "isVisible": json.RawMessage("true"), "isEditable": json.RawMessage("true"),
		"position": json.RawMessage(strconv.Itoa(position)),
	}
	c := newColumn{ID: newID(), Name: name, Type: typeLongText, Settings: s}
	switch typ {
	case table.Number:
		c.Type = typeNumber
	case table.Bool:
		c.Type = typeCheckbox
	case table.Date:
		c.Type = typeDate
		s["include_time"] = json.RawMessage("true")
	case table.JSON:
		s[formatKey] = json.RawMessage(`"json"`)
		s["max_length"] = json.RawMessage("1000")
	default:
		s["max_length"] = json.RawMessage("1000")
	}
	return c
}

// createColumns makes the columns of a new table.
func (b *Backend) createColumns(ctx context.Context, t tableID, columns []table.Column) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.window)
	for i, c := range columns {
		group.Go(func() error { return b.createColumn(ctx, t, columnFor(c.Name, c.Type, i)) })
	}
	return group.Wait()
}

// createColumn makes one column. If the answer is lost, it is looked up before
// it is sent again: the id is ours.
func (b *Backend) createColumn(ctx context.Context, t tableID, c newColumn) error {
	var err error
	for range b.client.retries + 1 {
		_, err = ask[wireColumn](ctx, b.client, request{method: http.MethodPost, path: columnsPath(t), body: c})
		if !errors.Is(err, backends.ErrUnknown) && !errors.Is(err, backends.ErrExists) {
			return err
		}
		there := request{method: http.MethodGet, path: append(columnsPath(t), c.ID)}
		_, lookErr := ask[wireColumn](ctx, b.client, there)
		if lookErr == nil {
			return nil
		}
		if !errors.Is(lookErr, backends.ErrNotFound) {
			return err
		}
	}
	return err
}

// alterColumns makes the column changes of a batch and returns the columns after
// them. Changes that are there already are left out. changed says whether
// anything was sent.
func (b *Backend) alterColumns(ctx context.Context, t tableID, changes table.Changes) (columns []column, changed bool, err error) {
	columns, err = b.fetchColumns(ctx, t)
	if err != nil {
		return nil, false, err
	}
	for _, change := range changes.Columns {
		sent, err := b.alterColumn(ctx, t, columns, change)
		changed = changed || sent
		if err != nil {
			return nil, changed, err
		}
	}
	if !changed {
		return columns, false, nil
	}
	if columns, err = b.fetchColumns(ctx, t); err != nil {
		return nil, true, err
	}
	moved, err := b.moveColumns(ctx, t, columns, changes.NewHeader)
	if err != nil || !moved {
		return columns, true, err
	}
	columns, err = b.fetchColumns(ctx, t)
	return columns, true, err
}

func (b *Backend) alterColumn(ctx context.Context, t tableID, columns []column, change table.ColumnChange) (sent bool, err error) {
	old, taken := named(columns, change.Old), named(columns, change.New) >= 0
	switch change.Op {
	case table.AddColumn:
		if taken {
			return false, nil
		}
		return true, b.createColumn(ctx, t, columnFor(change.New, change.Type, change.Position))
	case table.DropColumn:
		if old < 0 {
			return false, nil
		}
		_, err := b.client.do(ctx, request{method: http.MethodDelete, path: append(columnsPath(t), columns[old].ID)})
		if errors.Is(err, backends.ErrNotFound) {
			err = nil
		}
		return true, err
	case table.RenameColumn:
		if old < 0 || taken {
			if old < 0 && taken {
				return false, nil
			}
			return false, fmt.Errorf("column %q can't become %q: %w", change.Old, change.New, backends.ErrRefused)
		}
		patch := request{method: http.MethodPatch, path: append(columnsPath(t), columns[old].ID), body: columnPatch{Name: change.New}}
		_, err := b.client.do(ctx, patch)
		return true, err
	}
	return false, fmt.Errorf("column operation %d is not known: %w", change.Op, backends.ErrRefused)
}

// moveColumns gives columns the positions that the header wants. Columns that
// the header does not name stay behind the others.
func (b *Backend) moveColumns(ctx context.Context, t tableID, columns []column, header []string) (moved bool, err error) {
	place := func(c column) int {
		if i := slices.Index(header, c.shown); i >= 0 {
			return i
		}
		return len(header)
	}
	wanted := slices.Clone(columns)
	slices.SortStableFunc(wanted, func(a, b column) int { return place(a) - place(b) })
	if slices.EqualFunc(wanted, columns, func(a, b column) bool { return a.ID == b.ID }) {
		return false, nil
	}
	for i, c := range wanted {
		if p, has := c.position(); has && p == float64(i) {
			continue
		}
		// Whether the server merges settings is not known: all are sent.
		all := maps.Clone(c.Settings)
		if all == nil {
			all = settings{}
		}
		for _, echo := range []string{"id", "name", "type"} {
			delete(all, echo)
		}
		all["position"] = json.RawMessage(strconv.Itoa(i))
		patch := request{method: http.MethodPatch, path: append(columnsPath(t), c.ID), body: columnPatch{Settings: all}}
		if _, err := b.client.do(ctx, patch); err != nil {
			return true, err
		}
	}
	return true, nil
}
