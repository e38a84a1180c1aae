package table

import "io"

// CompareOptions say how two contents are compared.
type CompareOptions struct {
	// Columns are the known columns with types: a row store. Nil: a document
	// store, where cells are equal only byte for byte (but for newline form of
	// record ends and quoting, which are no part of a cell).
	Columns []Column
	// RowStore: the first column named RowIDColumn (or its alias, or none at all)
	// is the identity of rows, not a cell; contract section 5 rules for empty,
	// repeated and unknown ids hold.
	RowStore bool
	// NewKey makes the key of a row that is new. Row store: a fresh row id.
	NewKey func() Key
	// ForeignKey says whether an id that Old does not have may be taken over for
	// a new row (true: it has the shape of this table's ids and is not known
	// from another table). Row store only; nil means never.
	ForeignKey func(id string) ForeignKey
	// SharedPrefix is the number of bytes at the start that are known to be equal
	// (the same file); 0 if nothing is known. It is a record boundary of both.
	SharedPrefix int64
	// Lenient accepts what is readable though it is no good save: a header that
	// names few of the known columns (ForeignHeader, OtherDelimiter) and new
	// records with fewer cells than columns (TooFewCells). For contents that come
	// from the store, and saves that a person has confirmed. Columns then match
	// by name alone: the others are added and dropped.
	Lenient bool
}

// ForeignKey is what to do with an unknown row id.
type ForeignKey uint8

// The answers.
const (
	ForeignRefuse ForeignKey = iota // an error: Problem at that record
	ForeignAdopt                    // a new row with this id
	ForeignFresh                    // a new row with a fresh id (known from another table)
)

// Comparison is the difference between an old and a new content.
type Comparison struct {
	Changes Changes
	Keys    Keys // of the new content's records
	// Reordered: rows that both have stand in another order.
	Reordered bool
	// SameBytes: the contents are equal byte for byte.
	SameBytes bool
	// Tail is how many of the last records of old are missing in new (guard b).
	Tail int
	// Header of new, as data columns (without id column and ignored columns).
	Header []string
	// Ignored are columns that a tool added by accident (row store only).
	Ignored []string
}

// Compare aligns new with old and returns the difference (cache.md section 5).
// Old.Keys must be known; New.Keys is ignored unless it is set, in which case
// rows are matched by key alone. Without an old content (nil Source) every
// record of new is an Append and Changes.OldHeader is nil.
//
// A new content that is no acceptable table gives a *Problem. Other errors are
// read errors of a Source.
func Compare(old, new Content, opt CompareOptions) (*Comparison, error) {
	return compare(old, new, opt)
}

// Apply writes content with changes applied to w, and returns the keys of what
// it wrote. Untouched records are copied byte for byte; others are written in
// dialect d. An Append goes behind its Prev; if Prev is gone, at the end.
// Applying changes that are already there changes nothing.
//
// In a row store (opt.RowStore) the id column, if the content shows it, is
// filled from the keys.
func Apply(w io.Writer, content Content, changes Changes, opt ApplyOptions) (Keys, error) {
	return apply(w, content, changes, opt)
}

// ApplyOptions say how Apply writes.
type ApplyOptions struct {
	Dialect  Dialect
	RowStore bool
}

// Inverse returns the changes that lead back: Apply(Apply(c, x), Inverse(x)) == c.
func Inverse(c Changes) Changes { return inverse(c) }

// Conflict is a cell (or a whole row) that both sides changed, differently.
type Conflict struct {
	Key                Key
	Column             string // empty: the row as a whole (both added the same id)
	Base, Ours, Theirs string
}

// Resolution says who wins a conflict.
type Resolution uint8

// The resolutions (-o on_conflict).
const (
	Hold   Resolution = iota // nobody: neither sent nor taken
	Ours                     // sent
	Theirs                   // taken
)

// Merged is the result of a three-way merge of two change sets from one base.
type Merged struct {
	// Send leads from theirs (R) to the merged table: what goes out.
	Send Changes
	// Take leads from ours (L) to the merged table: what comes in. Cells in
	// conflict under Hold are in neither.
	Take Changes
	// Document leads from ours (L) to what the store holds after Send: Take, and
	// the cells in conflict as theirs. A document store is sent Apply(L, Document).
	Document  Changes
	Conflicts []Conflict
}

// Merge merges the changes that lead from one base to ours and to theirs, by row
// and cell. An edit beats a delete. Equal changes on both sides are no conflict
// (equal says so for cells of the named column; nil: byte equality).
func Merge(ours, theirs Changes, resolve func(Conflict) Resolution, equal func(column, a, b string) bool) Merged {
	return merge(ours, theirs, resolve, equal)
}

// EqualCells reports whether two spellings of a cell mean the same in a row
// store's column of type t (facts: saves.md D4, D9 to D12; design section 5).
func EqualCells(t Type, a, b string) bool { return equalCells(t, a, b) }

// InferType guesses the type of a new column from its cells.
func InferType(cells []string) Type { return inferType(cells) }
