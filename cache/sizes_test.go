package cache

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
)

// TestSizesFourAtATime: a stat of tables of which no size is known loads four at
// a time; lookups and listings load nothing.
func TestSizesFourAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, backends.Rows, memory.Options{})
		const tables = 12
		for i := range tables {
			w.elsewhere(fmt.Sprintf("t%d.csv", i), "q,a", "1,one")
		}
		w.open()
		entries, err := w.c.ReadDir(t.Context(), datasets)
		must(t, err)
		var files []*File
		for _, e := range entries {
			node, err := w.c.Lookup(t.Context(), datasets, e.Name)
			must(t, err)
			files = append(files, node.File)
		}
		if len(files) != tables || len(w.gate.made("load")) > 0 {
			t.Fatalf("%d tables, %d loads", len(files), len(w.gate.made("load")))
		}
		w.gate.set(func(g *gate) { g.latency = time.Second })
		begun := time.Now()
		var all sync.WaitGroup
		for _, f := range files {
			all.Go(func() {
				attr, err := f.Attr(t.Context())
				if err != nil || attr.Size == 0 {
					t.Errorf("%+v, %v", attr, err)
				}
			})
		}
		all.Wait()
		if took := time.Since(begun); took != tables/sizeSlots*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, f := range files {
			if _, err := f.Attr(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n := len(w.gate.made("load")); n != tables {
			t.Errorf("%d loads", n)
		}
	})
}
