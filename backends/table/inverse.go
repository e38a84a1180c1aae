package table

// Inverse returns the changes that lead back: Apply(Apply(c, x), Inverse(x)) == c,
// up to the order of rows that stand elsewhere in the two contents.
func Inverse(c Changes) Changes {
	inverse := Changes{OldHeader: c.NewHeader, NewHeader: c.OldHeader}
	for _, change := range c.Columns {
		inverse.Columns = append(inverse.Columns, inverseColumn(change, c.OldHeader))
	}
	// Deletes become appends, which come before the new deletes.
	var deletes []Change
	for _, row := range c.Rows {
		back := Change{Key: row.Key, Prev: row.Prev, Before: row.After, After: row.Before}
		switch row.Op {
		case Append:
			back.Op = Delete
			deletes = append(deletes, back)
			continue
		case Update:
			back.Op = Update
		case Delete:
			back.Op = Append
		}
		inverse.Rows = append(inverse.Rows, back)
	}
	inverse.Rows = append(inverse.Rows, deletes...)
	return inverse
}

// inverseColumn turns one column change round. Positions of adds and drops are
// already those of the header that has the column.
func inverseColumn(c ColumnChange, oldHeader []string) ColumnChange {
	back := ColumnChange{Old: c.New, New: c.Old, Position: c.Position, Type: c.Type}
	switch c.Op {
	case AddColumn:
		back.Op = DropColumn
	case DropColumn:
		back.Op = AddColumn
	case RenameColumn:
		back.Op = RenameColumn
		for i, name := range oldHeader {
			if name == c.Old {
				back.Position = i
			}
		}
	}
	return back
}
