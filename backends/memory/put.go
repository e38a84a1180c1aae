package memory

import (
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// PutRow gives a row exactly these cells, by column name, as another program
// would that does not go through CSV: empty cells apart from missing ones, and
// columns that are new. Other cells of the row stay. A row that is not there is
// made.
func (s *Store) PutRow(ref backends.Ref, id string, cells map[string]backends.Cell) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, t, err := s.table(ref)
	if err != nil {
		return err
	}
	set := map[int]backends.Cell{}
	for name, cell := range cells {
		if _, err := t.content.addColumn(table.Column{Name: name}, len(t.content.columns), s.newID); err != nil {
			return fmt.Errorf("table %s: %w", ref, err)
		}
		i, _ := t.content.column(name)
		if cell.Null {
			cell.Text = ""
		}
		set[t.content.columns[i].slot] = cell
	}
	if old, there := t.content.byID[id]; there {
		t.content.replace(old, old.with(set))
	} else {
		t.content.append(id, (&row{}).with(set))
	}
	s.touch(p, t)
	return nil
}
