package backends_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

func factory(name string) backends.Factory {
	return backends.Factory{Name: name, Open: func(context.Context, backends.Config) (backends.Opened, error) {
		return backends.Opened{}, nil
	}}
}

func TestRegistryFindsByName(t *testing.T) {
	var registry backends.Registry
	registry.Register(factory("ragas/app"))
	registry.Register(factory("local/csv"))
	found, err := registry.Lookup("local/csv")
	if err != nil || found.Name != "local/csv" {
		t.Errorf("found %q, error %v", found.Name, err)
	}
	if got, want := registry.Names(), []string{"local/csv", "ragas/app"}; !slices.Equal(got, want) {
		t.Errorf("names are %q, want %q", got, want)
	}
	all := registry.All()
	if len(all) != 2 || all[0].Name != "local/csv" {
		t.Errorf("all are %v, want them sorted by name", all)
	}
}

func TestUnknownBackendNamesTheOthers(t *testing.T) {
	var registry backends.Registry
	registry.Register(factory("ragas/app"))
	registry.Register(factory("local/csv"))
	_, err := registry.Lookup("x")
	if !errors.Is(err, backends.ErrBackendNotFound) {
		t.Errorf("error %v is not ErrBackendNotFound", err)
	}
	const want = `backend "x" not found; available: local/csv, ragas/app`
	if err.Error() != want {
		t.Errorf("error is %q, want %q", err, want)
	}
}

func TestRegisterRefusesMistakes(t *testing.T) {
	for name, f := range map[string]backends.Factory{
		"twice": factory("local/csv"), "no name": factory(""), "no Open": {Name: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			var registry backends.Registry
			registry.Register(factory("local/csv"))
			defer func() {
				if recover() == nil {
					t.Error("Register took it")
				}
			}()
			registry.Register(f)
		})
	}
}

func TestUnknownResult(t *testing.T) {
	batch := backends.Batch{Changes: table.Changes{Rows: make([]table.Change, 3)}}
	doubt := &backends.RetryAfter{Err: backends.ErrUnknown, Wait: time.Second}
	result := backends.UnknownResult(batch, doubt)
	if len(result.Outcomes) != 3 {
		t.Fatalf("%d outcomes for 3 changes", len(result.Outcomes))
	}
	for _, o := range result.Outcomes {
		if o.Verdict != backends.Unknown || !errors.Is(o.Err, backends.ErrUnknown) {
			t.Errorf("outcome %+v, want unknown", o)
		}
	}
	if result := backends.UnknownResult(batch, backends.ErrUnavailable); result.Outcomes != nil {
		t.Errorf("nothing has happened, and yet there are outcomes %+v", result.Outcomes)
	}
}

func TestRefString(t *testing.T) {
	for want, ref := range map[string]backends.Ref{
		"(store)":          {},
		"demo":             {Project: "demo"},
		"demo/datasets/qa": {Project: "demo", Kind: backends.Datasets, Name: "qa"},
	} {
		if ref.String() != want {
			t.Errorf("%#v is written %q, want %q", ref, ref, want)
		}
		if ref.IsTable() != (ref.Name != "") {
			t.Errorf("%#v: IsTable is %t", ref, ref.IsTable())
		}
	}
}
