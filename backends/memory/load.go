package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
)

// Load implements backends.Backend: rows are decoded as they come.
func (c *Client) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	answer, err := c.transport.send(ctx, request{
		method: http.MethodGet, path: objectPath(ref) + "/rows", query: idsOf(ref),
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", ref, err)
	}
	decoder := json.NewDecoder(answer.body)
	var head memoryapi.Head
	if err := decoder.Decode(&head); err != nil {
		answer.close()
		return nil, fmt.Errorf("load %s: %w", ref, answer.lost(err))
	}
	return &backends.Loaded{
		Version: c.version(head.Version),
		ModTime: head.Modified,
		Total:   head.Total,
		Columns: ColumnsFromWire(head.Columns),
		Rows:    streamedRows(ref, answer, decoder),
		Close:   func() error { answer.close(); return nil },
	}, nil
}

// streamedRows yields rows up to the line that says how many they were. A
// stream that ends before it is not whole.
func streamedRows(ref backends.Ref, answer *answer, decoder *json.Decoder) iter.Seq2[backends.Row, error] {
	return func(yield func(backends.Row, error) bool) {
		fail := func(err error) { yield(backends.Row{}, fmt.Errorf("load %s: %w", ref, err)) }
		for count := int64(0); ; count++ {
			var line memoryapi.Line
			if err := decoder.Decode(&line); err != nil {
				fail(answer.lost(err))
				return
			}
			if end := line.End; end != nil {
				switch {
				case end.Error != nil:
					fail(errorFromWire(end.Error, backends.ErrIncomplete))
				case end.Rows != count:
					fail(fmt.Errorf("%d rows came, %d were sent: %w", count, end.Rows, backends.ErrIncomplete))
				}
				return
			}
			if !yield(RowFromWire(line.Row), nil) {
				return
			}
		}
	}
}
