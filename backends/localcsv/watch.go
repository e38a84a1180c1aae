package localcsv

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/fsnotify/fsnotify"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// Watch implements backends.Watcher by file notification. It reports this
// process's own changes too. Where the system has no more watches to give it
// fails with ErrUnsupported. Changes made on other machines (NFS, SMB) are not
// noticed by the system, and so not here.
func (b *Backend) Watch(ctx context.Context, changed func(backends.Ref)) error {
	if err := b.enter(ctx); err != nil {
		return err
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w: %w", b.path, backends.ErrUnsupported, err)
	}
	defer watcher.Close() //nolint:errcheck // nothing can be lost
	if err := b.watchTree(watcher); err != nil {
		return fmt.Errorf("watch %s: %w: %w", b.path, backends.ErrUnsupported, err)
	}
	changed(backends.Ref{}) // what happened before the watches stood
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-watcher.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w: %w", b.path, backends.ErrUnavailable, err)
			}
			changed(backends.Ref{})
		case event, open := <-watcher.Events:
			if !open {
				return fmt.Errorf("watch %s: it ended: %w", b.path, backends.ErrUnavailable)
			}
			if event.Op == fsnotify.Chmod {
				continue // no change of bytes
			}
			ref, interesting := b.refOf(event.Name)
			if !interesting {
				continue
			}
			if event.Has(fsnotify.Create) && !ref.IsTable() {
				if err := b.watchTree(watcher); err != nil {
					return fmt.Errorf("watch %s: %w: %w", b.path, backends.ErrUnsupported, err)
				}
			}
			changed(ref)
		}
	}
}

// watchTree watches every directory that matters; those that are watched
// already stay so.
func (b *Backend) watchTree(watcher *fsnotify.Watcher) error {
	directories := []string{"."}
	if !b.rootIsProject {
		names, err := b.names(".")
		if err != nil {
			return err
		}
		for _, name := range names {
			if csvstore.CheckProject(name) == nil {
				directories = append(directories, name)
			}
		}
	}
	for i, project := range directories {
		if i == 0 && !b.rootIsProject {
			continue // the root itself has no folders
		}
		for _, kind := range backends.Kinds {
			directories = append(directories, filepath.Join(project, string(kind)))
		}
	}
	for _, relative := range directories {
		is, err := b.isDir(relative)
		if err != nil {
			return err
		}
		if !is {
			continue
		}
		err = watcher.Add(filepath.Join(b.path, relative))
		if still, statErr := b.isDir(relative); err != nil && (statErr != nil || still) {
			return err
		}
	}
	return nil
}

// refOf says what a path in the root stands for. Scratch stands for nothing.
func (b *Backend) refOf(path string) (backends.Ref, bool) {
	relative, err := filepath.Rel(b.path, path)
	if err != nil || relative == "." {
		return backends.Ref{}, true
	}
	parts := strings.Split(relative, string(filepath.Separator))
	if b.rootIsProject {
		parts = append([]string{rootProject}, parts...)
	} else if csvstore.CheckProject(parts[0]) != nil {
		return backends.Ref{}, false
	}
	ref := backends.Ref{Project: parts[0]}
	const tableDepth = 3
	if len(parts) < tableDepth {
		return ref, true
	}
	name, isTable := csvstore.TableName(parts[2])
	ref.Kind, ref.Name = backends.Kind(parts[1]), name
	return ref, isTable && len(parts) == tableDepth
}
