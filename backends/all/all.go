// Package all is the one place that names every backend. It holds nothing else.
package all

import (
	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/boxcsv"
	"github.com/ragasfs/ragasfs/backends/localcsv"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/ragasapp"
)

// Registry returns all backends of this program.
func Registry() backends.Registry {
	var registry backends.Registry
	registry.Register(localcsv.Factory())
	registry.Register(memory.Factory())
	registry.Register(ragasapp.Factory())
	registry.Register(boxcsv.Factory())
	return registry
}
