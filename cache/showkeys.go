package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ragasfs/ragasfs/backends/table"
)

// withKeys writes a content of a row store that lacks the id column again, with
// the ids as its first column. Every record keeps its own bytes behind the id.
func (t *Table) withKeys(l table.Content) (content, error) {
	g, err := t.newGeneration()
	if err != nil {
		return content{}, err
	}
	if err := prefixKeys(g, l); err != nil {
		g.drop()
		return content{}, fmt.Errorf("%s: showing row ids: %w", t.path(), err)
	}
	return g.finish(false)
}

func prefixKeys(w io.Writer, l table.Content) error {
	r := table.NewReader(l.Source, 0, table.Dialect{})
	for i := -1; ; i++ {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		cell := table.RowIDColumn
		if i >= l.Keys.Len() {
			return fmt.Errorf("record %d has no id: %w", i, errNoKeys)
		}
		if i >= 0 {
			cell = string(l.Keys.At(i))
		}
		raw := make([]byte, rec.End-rec.Start)
		if _, err := l.Source.ReadAt(raw, rec.Start); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bom := []byte("\ufeff"); i < 0 && bytes.HasPrefix(raw, bom) {
			raw = raw[len(bom):]
			if _, err := w.Write(bom); err != nil {
				return err
			}
		}
		if _, err := w.Write(append(quoteCell(cell), ',')); err != nil {
			return err
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
}

// quoteCell is one cell as it stands in CSV.
func quoteCell(cell string) []byte {
	var b bytes.Buffer
	w := table.NewWriter(&b, table.Dialect{EOL: "\n", Quoting: table.QuoteSpreadsheet})
	_ = w.Write([]string{cell}) // a bytes.Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// showsKeys reports whether a content of a row store has the id column.
func showsKeys(src table.Source) (bool, error) {
	rec, err := table.NewReader(src, 0, table.Dialect{}).Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return false, err
	}
	header := texts(rec.Cells)
	for i := range header {
		name := string(bytes.TrimSpace(bytes.TrimPrefix([]byte(header[i]), []byte("\ufeff"))))
		if name == table.RowIDColumn || name == table.RowIDAlias {
			return true, nil
		}
	}
	return false, nil
}
