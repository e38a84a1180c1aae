package cache

import (
	"context"
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

// timeless is a store that knows no times.
type timeless struct{ backends.Backend }

func (s timeless) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	entries, err := s.Backend.List(ctx, scope)
	for i := range entries {
		entries[i].ModTime = time.Time{}
	}
	return entries, err
}

func (s timeless) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	loaded, err := s.Backend.Load(ctx, ref)
	if err == nil {
		loaded.ModTime = time.Time{}
	}
	return loaded, err
}

func (s timeless) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	entry, err := s.Backend.(backends.Prober).Probe(ctx, ref)
	entry.ModTime = time.Time{}
	return entry, err
}

// TestTimesOfTimelessStore: where the store knows none, a table has the time when
// it was first seen, over remounts and its first load.
func TestTimesOfTimelessStore(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newStore(t, form)
		w.backend = func(b backends.Backend) backends.Backend { return timeless{b} }
		w.elsewhere("qa.csv", "q,a", "1,one")
		t.Cleanup(w.close)
		w.open()
		mtime := func() time.Time {
			t.Helper()
			node, err := w.c.Lookup(t.Context(), datasets, "qa.csv")
			must(t, err)
			return node.Attr.Mtime
		}
		first := mtime()
		w.close()
		w.open()
		must(t, w.c.listAll(t.Context()))
		if got := mtime(); !got.Equal(first) {
			t.Errorf("after a remount %v, before %v", got, first)
		}
		w.wantShown("qa.csv", "q,a", "1,one")
		w.crash()
		if got := mtime(); !got.Equal(first) {
			t.Errorf("after the load %v, before %v", got, first)
		}
	})
}
