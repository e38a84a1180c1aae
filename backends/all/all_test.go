package all_test

import (
	"slices"
	"testing"

	"github.com/ragasfs/ragasfs/backends/all"
)

func TestEveryBackendIsDescribed(t *testing.T) {
	registry := all.Registry()
	for _, name := range []string{"local/csv", "memory", "ragas/app", "box/csv"} {
		if !slices.Contains(registry.Names(), name) {
			t.Errorf("%s is missing in %v", name, registry.Names())
		}
	}
	for _, f := range registry.All() {
		if f.Help == "" {
			t.Errorf("%s has no help", f.Name)
		}
		for _, o := range f.Options {
			if o.Name == "" || o.Help == "" {
				t.Errorf("%s: option %+v has no name or no help", f.Name, o)
			}
		}
	}
}
