package memory

import (
	"errors"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
	"github.com/ragasfs/ragasfs/backends/table"
)

// This file translates between the contract's words and the wire's, in both
// directions, so that client and emulator can't come apart.

// EntryToWire translates an entry.
func EntryToWire(e backends.Entry) memoryapi.Entry {
	return memoryapi.Entry{
		Project: memoryapi.Text(e.Ref.Project), ProjectID: e.Ref.ProjectID,
		Kind: string(e.Ref.Kind), Name: memoryapi.Text(e.Ref.Name), ID: e.Ref.ID,
		Version: string(e.Version), Rows: e.Rows, Modified: e.ModTime, Created: e.Created, Nonce: e.Nonce,
	}
}

// EntryFromWire translates an entry.
func EntryFromWire(e memoryapi.Entry) backends.Entry {
	return backends.Entry{
		Ref: backends.Ref{
			Project: string(e.Project), ProjectID: e.ProjectID,
			Kind: backends.Kind(e.Kind), Name: string(e.Name), ID: e.ID,
		},
		Version: backends.Version(e.Version), Size: -1, Rows: e.Rows,
		ModTime: e.Modified, Created: e.Created, Nonce: e.Nonce,
	}
}

// ColumnsToWire translates columns.
func ColumnsToWire(columns []table.Column) []memoryapi.Column {
	wire := make([]memoryapi.Column, len(columns))
	for i, c := range columns {
		wire[i] = memoryapi.Column{Name: memoryapi.Text(c.Name), ID: c.ID, Type: string(c.Type)}
	}
	return wire
}

// ColumnsFromWire translates columns.
func ColumnsFromWire(wire []memoryapi.Column) []table.Column {
	columns := make([]table.Column, len(wire))
	for i, c := range wire {
		columns[i] = table.Column{Name: string(c.Name), ID: c.ID, Type: table.Type(c.Type)}
	}
	return columns
}

// RowToWire translates a row.
func RowToWire(r backends.Row) memoryapi.Row {
	wire := memoryapi.Row{ID: memoryapi.Text(r.ID), Cells: make([]*memoryapi.Text, len(r.Cells))}
	for i, cell := range r.Cells {
		if !cell.Null {
			text := memoryapi.Text(cell.Text)
			wire.Cells[i] = &text
		}
	}
	return wire
}

// RowFromWire translates a row.
func RowFromWire(wire memoryapi.Row) backends.Row {
	row := backends.Row{ID: string(wire.ID), Cells: make([]backends.Cell, len(wire.Cells))}
	for i, text := range wire.Cells {
		if text == nil {
			row.Cells[i] = backends.Cell{Null: true}
		} else {
			row.Cells[i] = backends.Cell{Text: string(*text)}
		}
	}
	return row
}

var (
	opNames       = map[table.Op]string{table.Append: "append", table.Update: "update", table.Delete: "delete"}
	columnOpNames = map[table.ColumnOp]string{
		table.AddColumn: "add", table.DropColumn: "drop", table.RenameColumn: "rename",
	}
)

// BatchToWire translates the row part of a batch.
func BatchToWire(b backends.Batch) memoryapi.Batch {
	wire := memoryapi.Batch{
		Base:      string(b.Base),
		OldHeader: memoryapi.Texts(b.Changes.OldHeader),
		NewHeader: memoryapi.Texts(b.Changes.NewHeader),
		Rows:      make([]memoryapi.Change, len(b.Changes.Rows)),
	}
	for _, c := range b.Changes.Columns {
		wire.Columns = append(wire.Columns, memoryapi.ColumnChange{
			Op: columnOpNames[c.Op], Old: memoryapi.Text(c.Old), New: memoryapi.Text(c.New),
			Position: c.Position, Type: string(c.Type),
		})
	}
	for i, c := range b.Changes.Rows {
		wire.Rows[i] = memoryapi.Change{
			Op: opNames[c.Op], ID: memoryapi.Text(c.Key),
			Before: memoryapi.Texts(c.Before), After: memoryapi.Texts(c.After),
		}
	}
	return wire
}

// BatchFromWire translates a batch for the table ref. An operation that is not
// known becomes one that the store refuses.
func BatchFromWire(ref backends.Ref, wire memoryapi.Batch) backends.Batch {
	batch := backends.Batch{Ref: ref, Base: backends.Version(wire.Base), Grows: -1}
	batch.Changes.OldHeader = memoryapi.Strings(wire.OldHeader)
	batch.Changes.NewHeader = memoryapi.Strings(wire.NewHeader)
	for _, c := range wire.Columns {
		batch.Changes.Columns = append(batch.Changes.Columns, table.ColumnChange{
			Op: keyOf(columnOpNames, c.Op), Old: string(c.Old), New: string(c.New),
			Position: c.Position, Type: table.Type(c.Type),
		})
	}
	for _, c := range wire.Rows {
		batch.Changes.Rows = append(batch.Changes.Rows, table.Change{
			Op: keyOf(opNames, c.Op), Key: table.Key(c.ID),
			Before: memoryapi.Strings(c.Before), After: memoryapi.Strings(c.After),
		})
	}
	return batch
}

func keyOf[K comparable](names map[K]string, name string) K {
	for key, other := range names {
		if other == name {
			return key
		}
	}
	var unknown K
	return unknown
}

// kinds pairs the wire's words for a failure with the sentinels.
var kinds = []struct {
	kind string
	err  error
}{
	{memoryapi.KindNotFound, backends.ErrNotFound},
	{memoryapi.KindExists, backends.ErrExists},
	{memoryapi.KindConflict, backends.ErrConflict},
	{memoryapi.KindNotEmpty, backends.ErrNotEmpty},
	{memoryapi.KindRefused, backends.ErrRefused},
}

// ErrorToWire translates an error of a Store; nil stays nil.
func ErrorToWire(err error) *memoryapi.Error {
	if err == nil {
		return nil
	}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return &memoryapi.Error{Kind: k.kind, Message: err.Error()}
		}
	}
	return &memoryapi.Error{Message: err.Error()}
}

// errorFromWire is the inverse. A failure whose kind says nothing becomes otherwise.
func errorFromWire(wire *memoryapi.Error, otherwise error) error {
	for _, k := range kinds {
		if wire.Kind == k.kind {
			return &storeError{words: wire.Message, sentinel: k.err}
		}
	}
	return fmt.Errorf("%s: %w", wire.Message, otherwise)
}

// storeError is an error in the words of a store elsewhere, which already end
// with those of the sentinel.
type storeError struct {
	words    string
	sentinel error
}

func (e *storeError) Error() string { return e.words }

func (e *storeError) Unwrap() error { return e.sentinel }
