package memory

import (
	"context"
	"fmt"

	"github.com/ragasfs/ragasfs/backends"
)

// Name is the registry name of the backend.
const Name = "memory"

// Factory opens a store of this process, or one behind an address.
func Factory() backends.Factory {
	return backends.Factory{
		Name: Name,
		Help: "rows in memory, for tests and for trying things out",
		Options: []backends.Option{
			{Name: "address", Help: "unix:PATH or HOST:PORT of a store in another process; without it the store ends with the mount"},
			{Name: "versions", Default: "on", Help: "off: behave like a store that has no version tokens"},
		},
		Open: open,
	}
}

func open(_ context.Context, config backends.Config) (backends.Opened, error) {
	versionless, err := parseVersions(config.Options["versions"])
	if err != nil {
		return backends.Opened{}, err
	}
	if address := config.Options["address"]; address != "" {
		client, err := Dial(address, ClientOptions{Versionless: versionless})
		if err != nil {
			return backends.Opened{}, err
		}
		return client.Opened(), nil
	}
	return NewStore(Options{Versionless: versionless}).Opened(), nil
}

// Opened returns the store as an open backend. Closing it does nothing, so a
// test can open a store again and finds what it holds.
func (s *Store) Opened() backends.Opened {
	return backends.Opened{Backend: s, Properties: s.Properties(), Close: func() error { return nil }}
}

func parseVersions(value string) (versionless bool, err error) {
	switch value {
	case "", "on":
		return false, nil
	case "off":
		return true, nil
	}
	return false, fmt.Errorf("versions=%s: on or off is needed: %w", value, backends.ErrOption)
}
