package backends

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// Option documents one -o option of a backend.
type Option struct {
	Name    string // as in Ragas
	Default string // shown in help; empty: none
	Env     string // environment variable that is read when the option is absent
	Help    string // one line
}

// Factory makes backends of one kind.
type Factory struct {
	Name    string // "local/csv"
	Help    string // one line
	Options []Option
	// Open opens the store. It must not need the network where it can be avoided,
	// so that a mount starts from the cache while the store is away.
	Open func(ctx context.Context, config Config) (Opened, error)
}

// Config is what a factory gets to open a store.
type Config struct {
	Options map[string]string // only names that Factory.Options lists
	Getenv  func(string) string
	Project string // -o project=; empty: all projects
	Log     *slog.Logger
}

// Registry is a set of factories. It is a value, filled in backends/all.
type Registry struct{ factories []Factory }

// Register adds a factory. It panics on a name that is empty or taken: that is
// a mistake in the program, seen by its first test.
func (r *Registry) Register(f Factory) {
	if f.Name == "" || f.Open == nil {
		panic("backends: a factory needs a name and an Open function")
	}
	if _, err := r.Lookup(f.Name); err == nil {
		panic("backends: " + f.Name + " is registered twice")
	}
	r.factories = append(r.factories, f)
}

// Lookup returns the factory of that name.
// The error wraps ErrBackendNotFound and lists what there is.
func (r *Registry) Lookup(name string) (Factory, error) {
	for _, f := range r.factories {
		if f.Name == name {
			return f, nil
		}
	}
	return Factory{}, &notFoundError{name: name, available: r.Names()}
}

// Names returns the names of all factories, sorted.
func (r *Registry) Names() []string {
	var names []string
	for _, f := range r.factories {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	return names
}

// All returns all factories by name.
func (r *Registry) All() []Factory {
	all := slices.Clone(r.factories)
	slices.SortFunc(all, func(a, b Factory) int { return strings.Compare(a.Name, b.Name) })
	return all
}

type notFoundError struct {
	name      string
	available []string
}

func (e *notFoundError) Error() string {
	return fmt.Sprintf("backend %q not found; available: %s", e.name, strings.Join(e.available, ", "))
}

func (e *notFoundError) Is(target error) bool { return target == ErrBackendNotFound }
