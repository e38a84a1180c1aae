package cache

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// splitID splits "TABLE/REST".
func splitID(id string) (tableID, rest string) {
	tableID, rest, _ = strings.Cut(id, "/")
	return tableID, rest
}

// numbered makes ids that sort by number.
func numbered(tableID string, n int64) string { return fmt.Sprintf("%s/%012d", tableID, n) }

// encode and decode keep cells byte for byte: JSON would replace what is not UTF-8.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func decode(data []byte, v any) error { return gob.NewDecoder(bytes.NewReader(data)).Decode(v) }

// recordArrival numbers what came in from elsewhere and keeps its changes.
func (t *Table) recordArrival(changes table.Changes) (int64, error) {
	t.mu.Lock()
	n := t.rec.Arrivals + 1
	t.mu.Unlock()
	data, err := encode(changes)
	if err != nil {
		return 0, fmt.Errorf("%s: arrival %d: %w", t.path(), n, err)
	}
	if err := t.c.disk.WriteFile("arrival:write", t.arrivalPath(n), data, 0o600); err != nil {
		return 0, err
	}
	body := arrivalRecord{Number: n, Time: time.Now(), Rows: len(changes.Rows)}
	err = t.c.db.Update(state.Normal, func(tx *state.Tx) error {
		return tx.Put(kindArrival, numbered(t.id, n), body)
	})
	if err != nil {
		return 0, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rec.Arrivals = n
	return n, nil
}

// readArrivals returns the arrivals up to number last, oldest first. One whose
// file is gone or damaged is left out: what it changed can then not be told
// from what the writer knew, which the log says.
func (t *Table) readArrivals(last int64) ([]judge.Arrival, error) {
	var list []judge.Arrival
	err := t.c.db.View(func(tx *state.Tx) error {
		return tx.Each(kindArrival, t.id+"/", func(_ string, read func(any) error) error {
			var a arrivalRecord
			if err := read(&a); err != nil {
				return err
			}
			if a.Number <= last {
				list = append(list, judge.Arrival{Number: a.Number, Time: a.Time})
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	kept := list[:0]
	for _, a := range list {
		data, err := os.ReadFile(t.arrivalPath(a.Number))
		if err == nil {
			err = decode(data, &a.Changes)
		}
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				t.c.log.Error("arrival not readable", "path", t.path(), "arrival", a.Number, "error", err)
			}
			continue
		}
		kept = append(kept, a)
	}
	return kept, nil
}
