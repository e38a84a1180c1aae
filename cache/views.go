package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
)

// View is one thing below MOUNTPOINT/.ragasfs: a directory, or a file to read.
type View struct {
	// Names are the entries of a directory, those of directories with a slash
	// behind them; nil for a file.
	Names []string
	// Data is what a file holds, made at this moment; nil: it is the file at Path
	// on disk, which does not change.
	Data []byte
	Path string
}

// The columns of the views (design section 4).
var (
	rowsHeader     = []string{"project", "kind", "table", "op", "row_id", "column", "before", "after", "reason", "since"}
	conflictHeader = []string{"row_id", "column", "base", "theirs", "ours", "since"}
)

// View returns the view of a path below .ragasfs, "" for .ragasfs itself;
// fs.ErrNotExist if there is none. It never waits for the store.
func (c *Cache) View(p string) (View, error) {
	top, rest, _ := strings.Cut(p, "/")
	switch {
	case p == "":
		return View{Names: []string{"conflicts/", "history/", "pending.csv", "rejected.csv", "status.json"}}, nil
	case p == "status.json":
		return c.statusView()
	case p == "pending.csv":
		return csvView(rowsHeader, c.pendingRows())
	case p == "rejected.csv":
		return csvView(rowsHeader, c.rejectedRows())
	case top == "conflicts":
		return c.conflictView(rest)
	case top == "history":
		return c.historyView(rest)
	}
	return View{}, fmt.Errorf(".ragasfs/%s: %w", p, fs.ErrNotExist)
}

func (c *Cache) statusView() (View, error) {
	status, err := c.Status("")
	if err != nil {
		return View{}, err
	}
	data, err := json.Marshal(status)
	return View{Data: append(data, '\n')}, err
}

// csvView renders rows as a new table is written.
func csvView(header []string, rows [][]string) (View, error) {
	var out bytes.Buffer
	w := table.NewWriter(&out, table.Python)
	for _, row := range append([][]string{header}, rows...) {
		if err := w.Write(row); err != nil {
			return View{}, err
		}
	}
	err := w.Close()
	return View{Data: out.Bytes()}, err
}

// pendingRows has one row for each cell that is to be sent, as far as that is
// known without the store.
func (c *Cache) pendingRows() (rows [][]string) {
	for _, t := range c.tablesByPath() {
		t.mu.Lock()
		look := t.dirtyLocked() && !t.rec.L.none() && t.rec.Gone == nil
		since, reason := t.rec.Save.Time, ""
		if d := t.rec.Decision; d != nil && t.decidedLocked() {
			reason = d.State + ": " + d.Reason
		}
		t.mu.Unlock()
		if !look {
			continue
		}
		v, err := t.ifConfirmed()
		if err != nil {
			c.log.Warn("what is pending could not be shown", "path", t.path(), "error", err)
			continue
		}
		changes := v.Merged.Send
		for _, col := range changes.Columns {
			rows = append(rows, append(t.names(), columnOp(col.Op), "", columnName(col), col.Old, col.New, reason, stamp(since)))
		}
		for i := range changes.Rows {
			rows = append(rows, t.cellRows(changes, &changes.Rows[i], reason, since)...)
		}
	}
	return rows
}

// rejectedRows has one row for each cell of the rows that the store has refused.
func (c *Cache) rejectedRows() (rows [][]string) {
	for _, t := range c.tablesByPath() {
		t.mu.Lock()
		parked := slices.Clone(t.parked)
		var header []string
		for _, col := range t.rec.Columns {
			header = append(header, col.Name)
		}
		t.mu.Unlock()
		changes := table.Changes{OldHeader: header, NewHeader: header}
		for _, p := range parked {
			row := table.Change{Op: p.Op, Key: p.Key, Before: p.Before, After: p.After}
			rows = append(rows, t.cellRows(changes, &row, p.Reason, p.Since)...)
		}
	}
	return rows
}

// cellRows are the cells of a row that a change touches: all of a row that comes
// or goes.
func (t *Table) cellRows(changes table.Changes, row *table.Change, reason string, since time.Time) (rows [][]string) {
	header := changes.NewHeader
	if row.Op == table.Delete {
		header = changes.OldHeader
	}
	op := map[table.Op]string{table.Append: "append", table.Update: "update", table.Delete: "delete"}[row.Op]
	for i, name := range header {
		before, after := at(row.Before, slices.Index(changes.OldHeader, name)), at(row.After, slices.Index(changes.NewHeader, name))
		if row.Op == table.Update && before == after {
			continue
		}
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		rows = append(rows, append(t.names(), op, string(row.Key), name, before, after, reason, stamp(since)))
	}
	return rows
}

// names are project, kind and name of the table.
func (t *Table) names() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []string{t.rec.Project, string(t.rec.Kind), t.rec.Name}
}

func columnOp(op table.ColumnOp) string {
	return map[table.ColumnOp]string{table.AddColumn: "add column", table.DropColumn: "drop column", table.RenameColumn: "rename column"}[op]
}

func columnName(c table.ColumnChange) string {
	if c.Old != "" {
		return c.Old
	}
	return c.New
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func (c *Cache) tablesByPath() []*Table {
	list := c.allTables()
	slices.SortFunc(list, func(a, b *Table) int { return strings.Compare(a.path(), b.path()) })
	return list
}

// conflictView shows the cells in conflict, in one file a table.
func (c *Cache) conflictView(p string) (View, error) {
	names := map[string]bool{}
	for _, t := range c.tablesByPath() {
		t.mu.Lock()
		conflicts := slices.Clone(t.conflicts)
		t.mu.Unlock()
		conflicts = slices.DeleteFunc(conflicts, func(c conflictRecord) bool { return c.Decided != table.Hold })
		at := t.path()
		if len(conflicts) == 0 {
			continue
		}
		if at == p {
			var rows [][]string
			for _, x := range conflicts {
				rows = append(rows, []string{string(x.Key), x.Column, x.Base, x.Theirs, x.Ours, stamp(x.Since)})
			}
			return csvView(conflictHeader, rows)
		}
		if below, found := strings.CutPrefix(at, p+"/"); p == "" || found {
			if p == "" {
				below = at
			}
			name, more, isDir := strings.Cut(below, "/")
			if isDir && more != "" {
				name += "/"
			}
			names[name] = true
		}
	}
	if len(names) == 0 && p != "" {
		return View{}, fmt.Errorf(".ragasfs/conflicts/%s: %w", p, fs.ErrNotExist)
	}
	view := View{Names: []string{}}
	for name := range names {
		view.Names = append(view.Names, name)
	}
	slices.Sort(view.Names)
	return view, nil
}

// historyView shows the versions that are kept, as they lie on disk.
func (c *Cache) historyView(p string) (View, error) {
	full := filepath.Join(c.dir.History(), path.Clean("/"+p))
	info, err := os.Stat(full)
	if p == "" && os.IsNotExist(err) {
		return View{Names: []string{}}, nil
	}
	if err != nil {
		return View{}, err
	}
	if !info.IsDir() {
		return View{Path: full}, nil
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return View{}, err
	}
	view := View{Names: []string{}}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() {
			name += "/"
		}
		view.Names = append(view.Names, name)
	}
	return view, nil
}
