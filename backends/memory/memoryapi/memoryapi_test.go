package memoryapi_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/backends/memory/memoryapi"
)

// Any bytes come through JSON as they were.
func TestTextSurvivesJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := memoryapi.Row{ID: memoryapi.Text(rapid.SliceOf(rapid.Byte()).Draw(t, "id"))}
		for _, cell := range rapid.SliceOf(rapid.Ptr(rapid.SliceOf(rapid.Byte()), true)).Draw(t, "cells") {
			if cell == nil {
				want.Cells = append(want.Cells, nil)
				continue
			}
			text := memoryapi.Text(*cell)
			want.Cells = append(want.Cells, &text)
		}
		encoded, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got memoryapi.Row
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		if got.ID != want.ID || len(got.Cells) != len(want.Cells) {
			t.Fatalf("%+v became %s", want, encoded)
		}
		for i, cell := range want.Cells {
			if (cell == nil) != (got.Cells[i] == nil) || cell != nil && *cell != *got.Cells[i] {
				t.Errorf("cell %d became another in %s", i, encoded)
			}
		}
	})
}
