package table

// pairColumns returns for each column of an old header its place in the new
// one, -1 for a column that was dropped. Columns of the new header that are in
// no pair were added. Equal names pair in their order.
func pairColumns(old, new []string, changes []ColumnChange) []int {
	pairs := make([]int, len(old))
	for i := range pairs {
		pairs[i] = -1
	}
	taken := make(map[int]bool)   // places in new that have a partner or were added
	dropped := make(map[int]bool) // places in old that have no partner by name
	for _, change := range changes {
		switch change.Op {
		case AddColumn:
			if at := findName(new, change.New, change.Position); at >= 0 {
				taken[at] = true
			}
		case DropColumn:
			if at := findName(old, change.Old, change.Position); at >= 0 {
				dropped[at] = true
			}
		case RenameColumn:
			from := findName(old, change.Old, -1)
			to := findName(new, change.New, change.Position)
			if from >= 0 && to >= 0 {
				pairs[from], dropped[from], taken[to] = to, true, true
			}
		}
	}
	free := make(map[string][]int)
	for at, name := range new {
		if !taken[at] {
			free[name] = append(free[name], at)
		}
	}
	for i, name := range old {
		if places := free[name]; len(places) > 0 && !dropped[i] {
			pairs[i], free[name] = places[0], places[1:]
		}
	}
	return pairs
}

// findName returns a place of the name in header: hint if it is there, else the
// first, else -1.
func findName(header []string, name string, hint int) int {
	if hint >= 0 && hint < len(header) && header[hint] == name {
		return hint
	}
	for i, candidate := range header {
		if candidate == name {
			return i
		}
	}
	return -1
}

// cellAt returns a cell of a record that may be short; missing cells are empty.
func cellAt(cells []string, i int) string {
	if i < 0 || i >= len(cells) {
		return ""
	}
	return cells[i]
}
