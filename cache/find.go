package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/ragasfs/ragasfs/backends/table"
)

// Find writes the rows of a table whose cell in the column is exactly value, as
// CSV with the header, and returns how many there are. It reads what the mount
// shows; a table that was never loaded is loaded.
func (c *Cache) Find(ctx context.Context, p, column, value string, w io.Writer) (int, error) {
	tables, named, err := c.select_(p)
	if err != nil {
		return 0, err
	}
	if !named || len(tables) != 1 {
		return 0, fmt.Errorf("%s is not one table: %w", p, fs.ErrInvalid)
	}
	t := tables[0]
	t.mu.Lock()
	f := t.fileLocked()
	isGone := t.rec.Gone != nil
	t.mu.Unlock()
	if isGone {
		return 0, fmt.Errorf("%s: %w", p, fs.ErrNotExist)
	}
	if f.tgenNow() == 0 {
		if err := t.loadFor(ctx, f); err != nil {
			return 0, err
		}
	}
	t.mu.Lock()
	l := t.rec.L
	t.mu.Unlock()
	src, err := t.openContent(l)
	if err != nil {
		return 0, err
	}
	defer src.close()
	return find(src, column, value, w)
}

func find(src table.Source, column, value string, w io.Writer) (int, error) {
	r := table.NewReader(src, 0, table.Dialect{})
	head, err := r.Next()
	if errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("the table is empty: %w", fs.ErrInvalid)
	}
	if err != nil {
		return 0, err
	}
	header := texts(head.Cells)
	at := slices.Index(header, column)
	if at < 0 {
		return 0, fmt.Errorf("no column %q; there are %q: %w", column, header, fs.ErrInvalid)
	}
	out := table.NewWriter(w, table.Rendered)
	if err := out.Write(header); err != nil {
		return 0, err
	}
	n := 0
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n, out.Close()
		}
		if err != nil {
			return n, err
		}
		if at < len(rec.Cells) && string(rec.Cells[at]) == value {
			n++
			if err := out.Write(texts(rec.Cells)); err != nil {
				return n, err
			}
		}
	}
}
