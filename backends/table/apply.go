package table

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// ApplyOptions say how Apply writes.
type ApplyOptions struct {
	Dialect  Dialect
	RowStore bool
}

// Apply writes content with changes applied to w, and returns the keys of what
// it wrote. Untouched records are copied byte for byte; others are written in
// opt.Dialect (all of them, if only one of the two dialects ends records with CR). A content without Source has no rows and Changes.NewHeader.
//
// Applying changes that are already there changes nothing: an Append whose key
// the content has is done already, an Update sets the cells in which Before and
// After differ, an Update or Delete of a row that is not there is nothing.
//
// In a document store an Append goes behind its Prev; if Prev is gone, at the
// end. In a row store (opt.RowStore) it goes at the end: there rows from
// elsewhere come last. The id column of a row store, if the content shows it, is
// filled from the keys.
//
// Errors are ErrKeys, read errors of the Source and write errors of w.
func Apply(w io.Writer, content Content, changes Changes, opt ApplyOptions) (Keys, error) {
	a := applier{changes: &changes, opt: opt, out: NewWriter(w, opt.Dialect)}
	if err := a.prepare(content); err != nil {
		return Keys{}, err
	}
	if err := a.run(); err != nil {
		return Keys{}, err
	}
	return a.keys, a.out.Close()
}

// applier goes over a content once and writes it with its changes.
type applier struct {
	changes *Changes
	opt     ApplyOptions
	out     *Writer

	content side
	empty   bool // it has not even a header
	// foreign: a lone CR ends a record in the content, but not in what is written,
	// or the other way round. Then no record can be copied as it is.
	foreign bool
	plan    columnPlan
	// By the number of the record; -1 is the start of the table.
	touched map[int]*Change   // updates and deletes
	added   map[int][]*Change // appends behind it
	atEnd   []*Change         // appends whose Prev is gone

	copyFrom, copyTo int64 // records that are yet to be copied
	keys             Keys
}

// prepare finds the records that the changes speak of.
func (a *applier) prepare(content Content) error {
	var err error
	var header *Record
	if a.content, header, err = openSide(content, &CompareOptions{RowStore: a.opt.RowStore}); err != nil {
		return err
	}
	a.plan = planColumns(a.content.layout.header, a.changes, a.opt.RowStore)
	a.empty = header == nil
	a.foreign = header != nil && header.Ended && a.content.d.bareCR() != a.opt.Dialect.bareCR()
	a.plan.rewrites = a.plan.rewrites || a.foreign

	wanted := make(map[Key]int, len(a.changes.Rows))
	for i := range a.changes.Rows {
		wanted[a.changes.Rows[i].Key] = -1
		if a.changes.Rows[i].Op == Append {
			if _, known := wanted[a.changes.Rows[i].Prev]; !known {
				wanted[a.changes.Rows[i].Prev] = -1
			}
		}
	}
	a.content.keys.find(wanted)
	a.touched, a.added = make(map[int]*Change), make(map[int][]*Change)
	a.placeRows(wanted)
	return nil
}

// placeRows sorts the changes by the records that they belong to; at gives the
// number of the record of a key, -1 if the content does not have it.
func (a *applier) placeRows(at map[Key]int) {
	behindNew := make(map[Key]*Change) // the append that stands behind an append
	placed := make(map[Key]bool)
	var appends []*Change
	for i := range a.changes.Rows {
		change := &a.changes.Rows[i]
		number := at[change.Key]
		switch {
		case change.Op == Append && number < 0 && !placed[change.Key]:
			placed[change.Key] = true
			appends = append(appends, change)
		case change.Op != Append && number >= 0:
			a.touched[number] = change
		}
	}
	if a.opt.RowStore {
		a.atEnd = appends
		return
	}
	var first []*Change
	for _, change := range appends {
		if placed[change.Prev] && behindNew[change.Prev] == nil && change.Prev != change.Key {
			behindNew[change.Prev] = change
		} else {
			first = append(first, change)
		}
	}
	done := make(map[Key]bool)
	chain := func(change *Change) []*Change {
		var rows []*Change
		for ; change != nil && !done[change.Key]; change = behindNew[change.Key] {
			done[change.Key] = true
			rows = append(rows, change)
		}
		return rows
	}
	for _, change := range first {
		number := at[change.Prev]
		switch {
		case change.Prev == "":
			a.added[-1] = append(a.added[-1], chain(change)...)
		case number >= 0:
			a.added[number] = append(a.added[number], chain(change)...)
		default:
			a.atEnd = append(a.atEnd, chain(change)...)
		}
	}
	for _, change := range appends { // chains that bite their own tail
		a.atEnd = append(a.atEnd, chain(change)...)
	}
}

// run writes everything.
func (a *applier) run() error {
	if err := a.writeHeader(); err != nil {
		return err
	}
	if err := a.writeNew(a.added[-1]); err != nil {
		return err
	}
	// Only where every record must be looked at are its cells read.
	write := a.records
	if !a.plan.rewrites && !a.fillsIDs() {
		write = a.spans
	}
	count, err := write()
	if err != nil {
		return err
	}
	if known := a.content.keys.Len(); count != known {
		return fmt.Errorf("%w: %d records, but %d keys", ErrKeys, count, known)
	}
	if err := a.flush(); err != nil {
		return err
	}
	return a.writeNew(a.atEnd)
}

func (a *applier) fillsIDs() bool { return a.opt.RowStore && a.content.layout.id >= 0 }

// spans goes over the records without looking at cells that don't change.
func (a *applier) spans() (count int, err error) {
	spans := NewSpans(a.content.src, a.content.body, a.content.size, a.content.d)
	for ; ; count++ {
		span, err := spans.Next()
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		if a.touched[count] == nil && !(span.open && a.continues(count)) {
			if err := a.keep(count, span.Start, span.End); err != nil {
				return count, err
			}
			continue
		}
		record, err := NewReader(section{a.content.src, span.End}, span.Start, a.content.d).Next()
		if err != nil {
			return count, err
		}
		if err := a.write(count, record); err != nil {
			return count, err
		}
	}
}

// continues reports whether something is written behind record i, the last one.
// Then a quote that it leaves open must be closed.
func (a *applier) continues(i int) bool {
	return a.opt.Dialect.FinalEOL || len(a.added[i]) > 0 || len(a.atEnd) > 0
}

// records goes over the records with all their cells.
func (a *applier) records() (count int, err error) {
	reader := NewReader(a.content.src, a.content.body, a.content.d)
	for ; ; count++ {
		record, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return count, nil
		}
		if err != nil {
			return count, err
		}
		if err := a.write(count, record); err != nil {
			return count, err
		}
	}
}

// keep copies a record as it is.
func (a *applier) keep(i int, start, end int64) error {
	if i >= a.content.keys.Len() {
		return ErrKeys
	}
	if start != a.copyTo {
		if err := a.flush(); err != nil {
			return err
		}
		a.copyFrom = start
	}
	a.copyTo = end
	a.keys.AddAll(*a.content.keys, i, i+1)
	if added := a.added[i]; added != nil {
		return a.writeNew(added)
	}
	return nil
}

// flush copies the records that were kept.
func (a *applier) flush() error {
	err := a.out.CopyRaw(a.content.src, a.copyFrom, a.copyTo)
	a.copyFrom, a.copyTo = 0, 0
	return err
}

// write writes a record with its change, if it has one.
func (a *applier) write(i int, record *Record) error {
	if i >= a.content.keys.Len() {
		return ErrKeys
	}
	key := a.content.keys.At(i)
	change := a.touched[i]
	if change != nil && change.Op == Delete {
		if err := a.flush(); err != nil {
			return err
		}
		return a.writeNew(a.added[i])
	}
	torn := false
	if record.Problem != nil && !record.Ended && a.continues(i) {
		span, err := NewSpans(section{a.content.src, record.End}, record.Start, record.End, a.content.d).Next()
		if err != nil {
			return err
		}
		torn = span.open
	}
	idWrong := a.fillsIDs() && string(byteCell(record.Cells, a.content.layout.id)) != string(key)
	if !idWrong && !torn && !a.plan.rewrites && (change == nil || !a.plan.alters(record.Cells, change)) {
		return a.keep(i, record.Start, record.End)
	}
	if err := a.flush(); err != nil {
		return err
	}
	if err := a.out.Write(a.plan.rewrite(record, change, key)); err != nil {
		return err
	}
	a.keys.Add(key)
	return a.writeNew(a.added[i])
}

// writeNew writes rows that are new.
func (a *applier) writeNew(rows []*Change) error {
	if len(rows) == 0 {
		return nil
	}
	if err := a.flush(); err != nil {
		return err
	}
	for _, change := range rows {
		if err := a.out.Write(a.plan.fresh(change)); err != nil {
			return err
		}
		a.keys.Add(change.Key)
	}
	return nil
}

// writeHeader writes the header, as it is if no name in it changes.
func (a *applier) writeHeader() error {
	switch {
	case a.empty && len(a.plan.header) == 0 && len(a.added)+len(a.atEnd) == 0:
		return nil
	case !a.empty && !a.foreign && slices.Equal(a.plan.header, a.content.layout.header):
		start := int64(0)
		if a.content.d.BOM {
			start = int64(len(byteOrderMark))
		}
		return a.out.CopyRaw(a.content.src, start, a.content.body)
	case len(a.plan.header) == 0: // a blank line is a header without columns
		return a.out.WriteRaw([]byte(a.opt.Dialect.eol()))
	}
	return a.out.Write(a.plan.header)
}
