package judge

import (
	"errors"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// judgment is what one call of Judge works out, step by step.
type judgment struct {
	in Input
	// base is what L and R are both compared with: S, with the arrivals that the
	// writer did not know put back to what was before them.
	base table.Content
	// ours leads from base to L, theirs from base to R.
	ours   *table.Comparison
	theirs table.Changes
}

func judgeInput(in Input) (*Verdict, error) {
	j := &judgment{in: in}
	if err := j.findBase(); err != nil {
		return nil, err
	}
	if problem, err := problemOf(j.compareOurs()); err != nil {
		return nil, err
	} else if problem != nil {
		return &Verdict{State: Invalid, Problem: problem}, nil
	}
	unmergeable, err := problemOf(j.compareTheirs())
	if err != nil {
		return nil, err
	}
	if err := j.reconsiderKeys(); err != nil {
		return nil, err
	}
	dialect, err := dialectOf(in.L.Source)
	if err != nil {
		return nil, err
	}
	verdict := &Verdict{
		Keys:        j.ours.Keys,
		Dialect:     dialect,
		Header:      j.ours.Header,
		BytesDiffer: !j.ours.SameBytes,
		Warnings:    warnings(j.ours),
	}

	if verdict.Rule, verdict.Reason, err = j.guard(); err != nil {
		return nil, err
	}
	if verdict.Rule != 0 {
		verdict.State = Held
		return verdict, nil
	}
	if unmergeable != nil {
		verdict.State = Held
		verdict.Reason = fmt.Sprintf("The store's own version can't be read as a table (%s), so this save can't be merged with it.", unmergeable)
		return verdict, nil
	}
	return verdict, j.merge(verdict)
}

// problemOf tells a content that is no table (a verdict) from a failed read.
func problemOf(err error) (*table.Problem, error) {
	var problem *table.Problem
	if errors.As(err, &problem) {
		return problem, nil
	}
	return nil, err
}

func (j *judgment) rowStore() bool { return j.in.Form == backends.Rows }

// options are those of all comparisons; Lenient, SharedPrefix and the treatment
// of unknown ids differ.
func (j *judgment) options() table.CompareOptions {
	return table.CompareOptions{
		Columns:    j.in.Columns,
		RowStore:   j.rowStore(),
		NewKey:     j.in.NewKey,
		ForeignKey: j.foreign,
	}
}

// foreign decides about an id that the table did not have. In a save that a
// person has confirmed, the row of an id that can't be taken over is a new one.
func (j *judgment) foreign(id string) table.ForeignKey {
	answer := table.ForeignRefuse
	if j.in.Foreign != nil {
		answer = j.in.Foreign(id)
	}
	if answer == table.ForeignRefuse && j.in.Confirmed {
		return table.ForeignFresh
	}
	return answer
}

// compareTheirs finds what came in: nothing if R is S, unless base is not S.
func (j *judgment) compareTheirs() error {
	in := &j.in
	if in.R.Source == nil || in.R.Source == j.base.Source {
		return nil
	}
	options := j.options()
	options.Lenient = true // the store may hold what a save may not bring
	comparison, err := table.Compare(j.base, in.R, options)
	if err != nil {
		return err
	}
	j.theirs = comparison.Changes
	return nil
}

// merge fills in what goes out, what comes in and what is stuck.
func (j *judgment) merge(v *Verdict) error {
	own, err := j.ownValues()
	if err != nil {
		return err
	}
	resolutions := map[table.Conflict]table.Resolution{}
	resolve := func(c table.Conflict) table.Resolution {
		resolution := table.Hold
		if own.has(c) {
			resolution = table.Ours
		} else if j.in.Resolve != nil {
			resolution = j.in.Resolve(c)
		}
		resolutions[c] = resolution
		return resolution
	}
	v.Merged = table.Merge(j.ours.Changes, j.theirs, resolve, j.equal())
	all := v.Merged.Conflicts
	v.Merged.Conflicts = nil
	for _, c := range all {
		if resolutions[c] == table.Hold {
			v.Merged.Conflicts = append(v.Merged.Conflicts, c)
		}
	}
	v.Agreed = agreed(v.Merged.Conflicts, j.ours.Changes, j.theirs)
	v.Parked = j.park(&v.Merged.Send)

	v.Exact = v.Merged.Document.Empty() && len(v.Parked) == 0
	switch {
	case !v.Merged.Send.Empty():
		v.State = Send
	case len(v.Merged.Conflicts) > 0 || len(v.Parked) > 0:
		v.State = Stuck
	default:
		v.State = Clean
	}
	return nil
}

// equal compares cells by the type of their column; nil in a document store,
// where cells are equal byte for byte or not at all.
func (j *judgment) equal() func(column, a, b string) bool {
	if !j.rowStore() {
		return nil
	}
	types := make(map[string]table.Type, len(j.in.Columns))
	for _, column := range j.in.Columns {
		types[column.Name] = column.Type
	}
	return func(column, a, b string) bool { return table.EqualCells(types[column], a, b) }
}

func warnings(c *table.Comparison) []string {
	var out []string
	for _, name := range c.Ignored {
		out = append(out, fmt.Sprintf("Column %q is none of this table's columns (a tool added it by accident) and is ignored.", name))
	}
	return out
}
