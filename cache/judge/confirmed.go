package judge

import (
	"errors"
	"io"

	"github.com/ragasfs/ragasfs/backends/table"
)

// compareWithBase compares L with base. A save that a person has confirmed may
// have a header of its own, as long as it can be read and kept.
func (j *judgment) compareWithBase(l table.Content, options table.CompareOptions) error {
	comparison, err := table.Compare(j.base, l, options)
	var problem *table.Problem
	if errors.As(err, &problem) && j.in.Confirmed && j.liftable(problem.Kind) {
		if err := wellFormed(l.Source); err != nil {
			return err
		}
		options.Lenient = true
		comparison, err = table.Compare(j.base, l, options)
	}
	if err != nil {
		return err
	}
	j.ours = comparison
	return nil
}

// liftable reports whether a person may confirm a save with such a problem.
func (j *judgment) liftable(kind table.ProblemKind) bool {
	switch kind {
	case table.ForeignHeader, table.OtherDelimiter, table.TooFewCells:
		return true
	case table.TooManyCells:
		return !j.rowStore()
	}
	return false
}

// wellFormed returns a *table.Problem if a record can't be read for certain. A
// comparison tells the first problem only, and that may be one of another kind.
func wellFormed(source table.Source) error {
	reader := table.NewReader(source, 0, table.Dialect{})
	for {
		record, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if record.Problem != nil {
			return record.Problem
		}
	}
}
