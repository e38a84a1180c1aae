package table

import (
	"errors"
	"fmt"
	"hash/maphash"
)

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
	// a new row (it has the shape of this table's ids and is not known from
	// another table). Row store only; nil means never.
	ForeignKey func(id string) ForeignKey
	// SharedPrefix is the number of bytes at the start that are known to be equal
	// (the same file); 0 if nothing is known. It is a record boundary of both.
	SharedPrefix int64
	// Lenient accepts what is readable though it is no good save: a header that
	// names few of the known columns (ForeignHeader, OtherDelimiter), new records
	// with fewer cells than columns (TooFewCells), wrong quotes; in a document
	// store also repeated columns, none at all, and cells without a column. For
	// contents that come from the store, and saves that a person has confirmed.
	// Columns then match by name: the others are added and dropped.
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

// Errors of Compare that say that it was called wrongly.
var (
	// ErrKeys: Content.Keys are not those of Content.Source.
	ErrKeys = errors.New("the row keys are not those of the content")
	// ErrNoNewKey: there are new rows, but CompareOptions.NewKey is nil.
	ErrNoNewKey = errors.New("no way to make row keys was given")
)

// Compare aligns new with old and returns the difference (cache.md section 5).
// Old.Keys must be known; New.Keys is ignored unless it is set, in which case
// rows are matched by key alone. Without an old content (nil Source) every
// record of new is an Append, every column is new and Changes.OldHeader is nil.
//
// A row whose cells are equal in meaning is unchanged, whatever its spelling;
// where a row changed, After has the old spelling of the cells that did not.
// A cell that a record lacks is an empty cell.
//
// A new content that is no acceptable table gives a *Problem. What is wrong with
// a record that old has as well is no problem. Other errors are ErrKeys,
// ErrNoNewKey and read errors of a Source.
//
// Memory: 24 bytes for each record between the equal bytes at both ends, and the
// cells of changed rows.
func Compare(old, new Content, opt CompareOptions) (*Comparison, error) {
	for _, rename := range [2]bool{true, false} {
		c, err := newComparer(old, new, opt, rename)
		if err != nil {
			return nil, err
		}
		again, err := c.run()
		if err != nil {
			return nil, err
		}
		if !again {
			return &c.result, nil
		}
	}
	return nil, errors.New("table: a column that is no rename was taken for one twice")
}

// comparer compares two contents.
type comparer struct {
	opt      CompareOptions
	old, new side
	columns  columnMap
	byKey    bool // new's keys are known: match by them alone
	noOld    bool
	seed     maphash.Seed
	hasher   rowHasher
	guesses  []typeGuess // by new column; row store, for new columns
	header   *Record     // of new, without cells

	// The alignment of the windows. For each record of new its partner in old and
	// the other way round, or one of the two negative values.
	partner, inverse []int32
	unknownIDs       map[uint64]bool // hashes of ids that old does not have
	idColumns        [2]int          // places of RowIDColumn in old and new; document store

	effort int // what may still be spent on aligning gaps

	result Comparison
}

const (
	open   int32 = -1 // no partner yet
	closed int32 = -2 // certainly no partner
)

func newComparer(old, new Content, opt CompareOptions, rename bool) (*comparer, error) {
	c := &comparer{opt: opt, seed: maphash.MakeSeed(), noOld: old.Source == nil, effort: alignEffort}
	var err error
	if c.old, _, err = openSide(old, &c.opt); err != nil {
		return nil, err
	}
	if c.new, c.header, err = openSide(new, &c.opt); err != nil {
		return nil, err
	}
	c.byKey = c.new.keys.Len() > 0
	c.columns = mapColumns(&c.old.layout, &c.new.layout, &c.opt, rename && !c.noOld)
	c.idColumns = [2]int{-1, -1}
	if !opt.RowStore {
		if at := findName(c.old.layout.names, RowIDColumn, 0); at >= 0 && c.columns.toNew[at] >= 0 {
			c.idColumns = [2]int{at, c.columns.toNew[at]}
		}
	}
	c.hasher = newRowHasher(c)
	if opt.RowStore && len(places(c.columns.toOld, -1)) > 0 {
		c.guesses = make([]typeGuess, len(c.columns.toOld))
	}
	return c, nil
}

// run does the comparison. again: the candidate for a renamed column is none.
func (c *comparer) run() (again bool, err error) {
	suffix, same, err := findWindow(&c.old, &c.new, c.opt.SharedPrefix, c.columns.positional)
	if err != nil {
		return false, err
	}
	c.result.Header, c.result.Ignored = c.new.layout.names, c.new.layout.ignored
	c.result.Changes.NewHeader = c.new.layout.names
	if !c.noOld {
		c.result.Changes.OldHeader = c.old.layout.names
	}
	c.result.SameBytes = same && !c.noOld
	if same && !c.noOld && (!c.byKey || c.old.keys.Equal(c.new.keys)) {
		c.result.Keys = *c.old.keys
		return false, nil
	}
	if err := c.checkHeader(); err != nil {
		return false, err
	}
	if err := c.fill(suffix); err != nil {
		return false, err
	}
	if err := c.align(); err != nil {
		return false, err
	}
	if c.columns.candidate >= 0 {
		renamed, err := c.renamed()
		if err != nil || !renamed {
			return !renamed, err
		}
	} else if err := c.checkForeign(); err != nil {
		return false, err
	}
	if err := c.checkRecords(); err != nil {
		return false, err
	}
	c.result.Changes.Columns = c.columns.changes(&c.old.layout, &c.new.layout, c.guesses, &c.opt)
	return false, c.emit()
}

// fill indexes the windows and checks that the keys fit.
func (c *comparer) fill(suffix int64) error {
	if c.byKey {
		if err := c.startByKey(); err != nil {
			return err
		}
	}
	if err := fillWindows(&c.old, &c.new, suffix, c.index); err != nil {
		return err
	}
	if c.byKey && !c.sameKeysBehind() {
		if err := fillWindows(&c.old, &c.new, 0, c.index); err != nil {
			return err
		}
	}
	if err := c.checkKeys(&c.old, "old"); err != nil {
		return err
	}
	if c.byKey {
		if err := c.checkKeys(&c.new, "new"); err != nil {
			return err
		}
	}
	c.partner, c.inverse = make([]int32, len(c.new.records)), make([]int32, len(c.old.records))
	for n := range c.partner {
		c.partner[n] = open
	}
	for o := range c.inverse {
		c.inverse[o] = open
	}
	return nil
}

// startByKey moves the start of the windows back to where the keys still agree.
func (c *comparer) startByKey() error {
	same := commonKeys(c.old.keys, 0, c.new.keys, 0)
	if same >= c.old.first {
		return nil
	}
	spans := NewSpans(c.old.src, 0, c.old.size, Dialect{})
	at := int64(0)
	for range same + 1 { // with the header
		span, err := spans.Next()
		if err != nil {
			return err
		}
		at = span.End
	}
	c.old.begin(Place{Offset: at, Records: same})
	c.new.begin(Place{Offset: at, Records: same})
	return nil
}

// sameKeysBehind reports whether the keys behind both windows agree.
func (c *comparer) sameKeysBehind() bool {
	old, new := c.old.behind(), c.new.behind()
	rest := c.old.keys.Len() - old
	return rest == c.new.keys.Len()-new && (rest <= 0 || commonKeys(c.old.keys, old, c.new.keys, new) == rest)
}

// checkKeys reports keys that can't be those of a content.
func (c *comparer) checkKeys(s *side, which string) error {
	behind, known := s.behind(), s.keys.Len()
	if behind > known || s.end == s.size && behind < known {
		return fmt.Errorf("%w: the %s content has %d records or more, but %d keys", ErrKeys, which, behind, known)
	}
	return nil
}

// index takes a record into the window of its side.
func (c *comparer) index(s *side, record *Record) error {
	isNew := s == &c.new
	entry := indexed{start: record.Start, hash: c.hasher.row(record.Cells, isNew)}
	switch {
	case c.opt.RowStore && s.layout.id >= 0:
		entry.id = c.idHash(rowID(byteCell(record.Cells, s.layout.id)))
	case !c.opt.RowStore && isNew:
		entry.id = c.idHash(byteCell(record.Cells, c.idColumns[1]))
	case !c.opt.RowStore:
		entry.id = c.idHash(byteCell(record.Cells, c.idColumns[0]))
	}
	if isNew {
		for j := range c.guesses {
			if c.columns.toOld[j] < 0 {
				c.guesses[j].see(string(byteCell(record.Cells, s.layout.data[j])))
			}
		}
	}
	if s.faulty(record) {
		s.faults = append(s.faults, int32(len(s.records)))
	}
	s.records = append(s.records, entry)
	return nil
}

// faulty reports whether something may be wrong with the form of a record.
func (s *side) faulty(record *Record) bool {
	return record.Problem != nil || len(record.Cells) != len(s.layout.header) || s.layout.spills(record.Cells)
}
