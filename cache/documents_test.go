package cache

import (
	"bytes"
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// documents is a store of whole documents in memory, as an object store is:
// versions are checked, nothing is watched.
type documents struct {
	mu       sync.Mutex
	sequence int
	projects map[string]map[string]document // guarded by mu: project -> kind/name -> document
}

type document struct {
	data    []byte
	version backends.Version
	when    time.Time
	created time.Time
}

func newDocuments() *documents { return &documents{projects: map[string]map[string]document{}} }

func (s *documents) opened() backends.Opened {
	return backends.Opened{Backend: s, Close: func() error { return nil },
		Properties: backends.Properties{Form: backends.Documents, Identity: "documents", CompareAndSwap: true}}
}

func keyOf(ref backends.Ref) string { return string(ref.Kind) + "/" + ref.Name }

// putLocked stores a document under a new version.
func (s *documents) putLocked(ref backends.Ref, data []byte) document {
	s.sequence++
	d := document{data: data, version: backends.Version(strconv.Itoa(s.sequence)), when: time.Now(), created: time.Now()}
	if old, there := s.projects[ref.Project][keyOf(ref)]; there {
		d.created = old.created
	}
	s.projects[ref.Project][keyOf(ref)] = d
	return d
}

func (s *documents) findLocked(ref backends.Ref) (document, error) {
	d, there := s.projects[ref.Project][keyOf(ref)]
	if !there {
		return d, fmt.Errorf("%s: %w", ref, backends.ErrNotFound)
	}
	return d, nil
}

// put is what a colleague does.
func (s *documents) put(ref backends.Ref, data string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.putLocked(ref, []byte(data))
}

func entryOf(ref backends.Ref, d document) backends.Entry {
	return backends.Entry{Ref: ref, Version: d.version, Size: int64(len(d.data)), Rows: -1, ModTime: d.when, Created: d.created}
}

// List implements backends.Backend.
func (s *documents) List(_ context.Context, scope backends.Ref) ([]backends.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []backends.Entry
	if scope.Project == "" {
		for name := range maps.Keys(s.projects) {
			entries = append(entries, backends.Entry{Ref: backends.Ref{Project: name}, Size: -1, Rows: -1})
		}
		return entries, nil
	}
	tables, there := s.projects[scope.Project]
	if !there {
		return nil, fmt.Errorf("%s: %w", scope, backends.ErrNotFound)
	}
	for _, kind := range backends.Kinds {
		for key, d := range tables {
			if name, ok := bytes.CutPrefix([]byte(key), []byte(kind+"/")); ok {
				entries = append(entries, entryOf(backends.Ref{Project: scope.Project, Kind: kind, Name: string(name)}, d))
			}
		}
	}
	return entries, nil
}

// Create implements backends.Backend.
func (s *documents) Create(_ context.Context, request backends.Create) (backends.Entry, error) {
	ref := request.Ref
	var data bytes.Buffer
	if ref.IsTable() {
		if _, err := csvstore.Copy(&data, request.Document, 0); err != nil {
			return backends.Entry{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tables, there := s.projects[ref.Project]
	switch {
	case !ref.IsTable() && there:
		return backends.Entry{}, fmt.Errorf("%s: %w", ref, backends.ErrExists)
	case !ref.IsTable():
		s.projects[ref.Project] = map[string]document{}
		return backends.Entry{Ref: ref, Size: -1, Rows: -1}, nil
	case !there:
		return backends.Entry{}, fmt.Errorf("%s: %w", ref, backends.ErrNotFound)
	}
	if _, taken := tables[keyOf(ref)]; taken {
		return backends.Entry{}, fmt.Errorf("%s: %w", ref, backends.ErrExists)
	}
	return entryOf(ref, s.putLocked(ref, data.Bytes())), nil
}

// Delete implements backends.Backend.
func (s *documents) Delete(_ context.Context, ref backends.Ref, base backends.Version) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ref.IsTable() {
		if len(s.projects[ref.Project]) > 0 {
			return fmt.Errorf("%s: %w", ref, backends.ErrNotEmpty)
		}
		delete(s.projects, ref.Project)
		return nil
	}
	d, err := s.findLocked(ref)
	if err != nil {
		return nil //nolint:nilerr // not there: the wish is fulfilled
	}
	if base != "" && base != d.version {
		return fmt.Errorf("%s is at version %s, not %s: %w", ref, d.version, base, backends.ErrConflict)
	}
	delete(s.projects[ref.Project], keyOf(ref))
	return nil
}

// Load implements backends.Backend.
func (s *documents) Load(_ context.Context, ref backends.Ref) (*backends.Loaded, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.findLocked(ref)
	if err != nil {
		return nil, err
	}
	return &backends.Loaded{Version: d.version, ModTime: d.when, Total: int64(len(d.data)),
		Document: io.NopCloser(bytes.NewReader(d.data)), Close: func() error { return nil }}, nil
}

// Apply implements backends.Backend.
func (s *documents) Apply(_ context.Context, batch backends.Batch) (backends.Result, error) {
	var data bytes.Buffer
	if _, err := csvstore.Copy(&data, batch.Document, 0); err != nil {
		return backends.Result{}, err
	}
	if batch.Document.SHA1 != sha1.Sum(data.Bytes()) {
		return backends.Result{}, fmt.Errorf("%s: wrong checksum: %w", batch.Ref, backends.ErrIncomplete)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.findLocked(batch.Ref)
	if err != nil {
		return backends.Result{}, err
	}
	if batch.Base != "" && batch.Base != d.version {
		return backends.Result{}, fmt.Errorf("%s is at version %s, not %s: %w", batch.Ref, d.version, batch.Base, backends.ErrConflict)
	}
	if batch.Grows >= 0 && !bytes.HasPrefix(data.Bytes(), d.data) {
		return backends.Result{}, fmt.Errorf("%s: not a continuation: %w", batch.Ref, backends.ErrRefused)
	}
	d = s.putLocked(batch.Ref, data.Bytes())
	return backends.Result{Version: d.version, ModTime: d.when}, nil
}

// Rename implements backends.Renamer.
func (s *documents) Rename(_ context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.findLocked(ref)
	if err != nil {
		return backends.Entry{}, err
	}
	to := ref
	to.Name = name
	if _, taken := s.projects[ref.Project][keyOf(to)]; taken {
		return backends.Entry{}, fmt.Errorf("%s: %w", to, backends.ErrExists)
	}
	delete(s.projects[ref.Project], keyOf(ref))
	s.projects[ref.Project][keyOf(to)] = d
	return entryOf(to, d), nil
}

// Probe implements backends.Prober.
func (s *documents) Probe(_ context.Context, ref backends.Ref) (backends.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.findLocked(ref)
	return entryOf(ref, d), err
}
