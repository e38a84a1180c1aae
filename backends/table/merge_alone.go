package table

import "slices"

// mergeAlone is Merge where nothing was changed on their side, and no column on
// ours: what goes out is what was changed here. That is nearly every push, and
// it may be a hundred thousand rows: none of them is copied. It is false where
// rows must be brought into shape first.
func mergeAlone(ours, theirs Changes) (Merged, bool) {
	header := ours.OldHeader
	switch {
	case len(theirs.Rows) > 0 || len(theirs.Columns) > 0 || len(ours.Columns) > 0,
		header == nil || !slices.Equal(ours.NewHeader, header),
		theirs.NewHeader != nil && !slices.Equal(theirs.NewHeader, header):
		return Merged{}, false
	}
	names := make(map[string]bool, len(header))
	for _, name := range header {
		if names[name] {
			return Merged{}, false
		}
		names[name] = true
	}
	width, seen, deleting := len(header), make(map[Key]bool, len(ours.Rows)), false
	for i := range ours.Rows {
		row := &ours.Rows[i]
		deleting = deleting || row.Op == Delete
		switch {
		case seen[row.Key], deleting && row.Op != Delete,
			row.Op != Append && len(row.Before) != width,
			row.Op != Delete && len(row.After) != width,
			row.Op == Update && slices.Equal(row.Before, row.After):
			return Merged{}, false
		}
		seen[row.Key] = true
	}
	none := Changes{OldHeader: header, NewHeader: header}
	return Merged{Send: Changes{OldHeader: header, NewHeader: header, Rows: ours.Rows}, Take: none, Document: none}, true
}
