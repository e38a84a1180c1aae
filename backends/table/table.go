// Package table is the algebra of evaluation tables: their CSV text, the
// identity of their rows, differences, three-way merges.
//
// What lives here is pure: bytes and rows in, rows and bytes out. There is no
// file, clock, network, goroutine or log in this package, and it imports
// nothing of ours. What a change is *for* (push it, hold it, show it) is
// decided above, in cache/judge.
//
// # Words
//
//   - A content is the bytes of one table at one moment (a Source) together
//     with the identities of its records (Keys).
//   - A record is one CSV record after the header; its number counts from 0.
//   - A Key is the identity of a row over all contents of a table. In a row
//     store it is the store's row id. In a document store, where rows have no
//     identity of their own, the cache numbers rows ("#1", "#2", ...), and
//     alignment carries those numbers from one content to the next.
//   - Changes lead from one content to another.
//
// # Memory
//
// No function here holds a whole table: what is equal at the beginning and at
// the end of two contents is passed over as bytes, and only records between
// (the window) are indexed. Changes hold the cells of changed rows only.
package table

import "io"

// Source is the bytes of one content. It must not change while it is in use.
// ReadAt may be called from several goroutines.
type Source interface {
	io.ReaderAt
	Size() int64 // bytes
}

// Key identifies a row of a table in all its contents. The empty Key is no row.
type Key string

// RowIDColumn is the name of the column in which Ragas keeps row ids
// (facts: Ragas' local/csv and box/csv write it first). In a row store it is
// the row's identity, not a cell.
const RowIDColumn = "_row_id"

// RowIDAlias is what R's read.csv makes of RowIDColumn.
const RowIDAlias = "X_row_id"

// Type says how the cells of a column are compared in a row store. A document
// store has no types: there every column is Text and only equal bytes are equal.
type Type string

// The types. Any other value is compared as Text.
const (
	Text   Type = "text"
	Number Type = "number"
	Bool   Type = "bool"
	Date   Type = "date"
	JSON   Type = "json"
)

// Column describes one column of a row store's table.
type Column struct {
	Name string
	ID   string // the store's id of the column; empty where it has none
	Type Type
}

// Content is one content of a table: its bytes and, once they are known, the
// keys of its records.
type Content struct {
	Source Source
	Keys   Keys // Keys.Len() is the number of records
}

// Op is what happens to a row.
type Op uint8

// The three row operations.
const (
	Append Op = iota + 1
	Update
	Delete
)

// Change is what happened to one row between an old and a new content.
//
// Cells are in the order of Changes.OldHeader (Before) and Changes.NewHeader
// (After); a record may have fewer cells than its header (old short records
// stay short). In a row store the id column is in neither header.
type Change struct {
	Op  Op
	Key Key
	// Prev is the key of the record that stands before this one in the content
	// that has it: the new content for Append and Update, the old one for
	// Delete. Empty for the first record.
	Prev   Key
	Before []string // nil for Append
	After  []string // nil for Delete
}

// ColumnOp is what happens to a column.
type ColumnOp uint8

// The column operations.
const (
	AddColumn ColumnOp = iota + 1
	DropColumn
	RenameColumn
)

// ColumnChange is what happened to one column. Old is empty for AddColumn, New
// for DropColumn. Type is guessed from the cells for AddColumn.
type ColumnChange struct {
	Op       ColumnOp
	Old, New string
	Position int // in the new header (old header for DropColumn), 0-based
	Type     Type
}

// Changes lead from an old to a new content. The zero value is no change.
type Changes struct {
	OldHeader, NewHeader []string
	Columns              []ColumnChange
	Rows                 []Change // in the order of the new content, deletes last
}

// Empty reports whether nothing changed.
func (c Changes) Empty() bool { return len(c.Columns) == 0 && len(c.Rows) == 0 }

// Count returns how many rows are appended, updated and deleted.
func (c Changes) Count() (appends, updates, deletes int) {
	for i := range c.Rows {
		switch c.Rows[i].Op {
		case Append:
			appends++
		case Update:
			updates++
		case Delete:
			deletes++
		}
	}
	return appends, updates, deletes
}
