package localcsv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/ragasfs/ragasfs/backends"
)

// Name is the registry name of the backend, as in Ragas.
const Name = "local/csv"

// defaultRoot is Ragas' own default of root_dir.
const defaultRoot = "./ragas_data"

// rootProject is the name of the project that is the root directory itself.
const rootProject = "."

// Backend is one root directory. It implements backends.Backend, Renamer,
// Prober and Watcher.
type Backend struct {
	path  string   // of the root, absolute and clean
	root  *os.Root // the directory that path meant when it was opened
	place place
	// rootIsProject: the layout of ragas 0.3, with the one project ".".
	rootIsProject bool
	log           *slog.Logger
	calls         *calls
	late          *keeper
}

// place is a directory's device and inode.
type place struct{ dev, ino uint64 }

func (p place) String() string { return fmt.Sprintf("%d:%d", p.dev, p.ino) }

// Factory opens directories of CSV files.
func Factory() backends.Factory {
	return backends.Factory{
		Name: Name,
		Help: "CSV files in a local directory",
		Options: []backends.Option{
			{Name: "root_dir", Default: defaultRoot, Help: "the directory that holds the projects (with project=.: that is itself a project)"},
		},
		Open: func(_ context.Context, config backends.Config) (backends.Opened, error) {
			root := config.Options["root_dir"]
			if root == "" {
				root = defaultRoot
			}
			b, err := Open(root, config.Project == rootProject, config.Log)
			if err != nil {
				return backends.Opened{}, err
			}
			return b.Opened(), nil
		},
	}
}

// Open opens a root directory. rootIsProject: it is itself the one project.
//
// A directory that is missing is an error that wraps backends.ErrNotFound:
// creating it might hide a typing error or a disk that is not mounted.
func Open(path string, rootIsProject bool, log *slog.Logger) (*Backend, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, failed("find", path, err)
	}
	info, err := os.Stat(absolute)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("root_dir %s does not exist; if it should, make it with: mkdir -p %q: %w",
			absolute, absolute, backends.ErrNotFound)
	case err != nil:
		return nil, failed("open root_dir", absolute, err)
	case !info.IsDir():
		return nil, fmt.Errorf("root_dir %s is not a directory: %w", absolute, backends.ErrOption)
	}
	root, err := os.OpenRoot(absolute)
	if err != nil {
		return nil, failed("open root_dir", absolute, err)
	}
	if info, err = root.Stat("."); err != nil {
		return nil, errors.Join(failed("open root_dir", absolute, err), root.Close())
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	calls := systemCalls()
	b := &Backend{
		path: absolute, root: root, place: placeOf(info),
		rootIsProject: rootIsProject, log: log, calls: calls, late: newKeeper(log, calls),
	}
	b.recover()
	return b, nil
}

func placeOf(info fs.FileInfo) place {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return place{}
	}
	return place{dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // Dev is narrower on some systems
}

// Opened returns the backend as an open backend.
func (b *Backend) Opened() backends.Opened {
	return backends.Opened{
		Backend: b,
		Properties: backends.Properties{
			Form:           backends.Documents,
			Identity:       Name + ":" + b.path,
			Place:          b.place.String(),
			CompareAndSwap: true,
			RenameProject:  !b.rootIsProject,
			Root:           b.path,
		},
		Close: b.Close,
	}
}

// Close releases the directory. Files that were replaced, and that a program
// still has open for writing, stay under their hidden names for the next Open.
func (b *Backend) Close() error {
	b.late.close()
	return b.root.Close()
}

// enter begins every call: it makes sure that the root directory is still the
// one that was opened. A disk that was unmounted must not look like a store
// without projects.
func (b *Backend) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := os.Stat(b.path)
	if err != nil {
		return fmt.Errorf("root_dir %s is not there any more: %w: %w", b.path, backends.ErrUnavailable, err)
	}
	if now := placeOf(info); now != b.place {
		return fmt.Errorf("root_dir %s is another directory than before (%s, was %s), is a disk unmounted?: %w",
			b.path, now, b.place, backends.ErrUnavailable)
	}
	return nil
}
