package boxservice

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// State is what GET /_emulator/state shows.
type State struct {
	Items   []StateItem `json:"items"`
	Waiting int         `json:"waiting"` // clients that wait for events
}

// StateItem is one file or folder outside the trash.
type StateItem struct {
	Type     string         `json:"type"`
	ID       string         `json:"id"`
	Path     string         `json:"path"` // names from the root, with slashes
	Etag     int            `json:"etag"`
	Content  string         `json:"content,omitempty"`
	SHA1     string         `json:"sha1,omitempty"`
	Versions []StateVersion `json:"versions,omitempty"` // oldest first, the current one last
}

// StateVersion is one version of a file.
type StateVersion struct {
	ID   string `json:"id"`
	SHA1 string `json:"sha1"`
	Size int    `json:"size"`
}

func (s *Service) state() any {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	state := State{Items: []StateItem{}, Waiting: s.store.waiting}
	var add func(folder, path string)
	add = func(folder, path string) {
		for _, i := range s.store.children(folder) {
			entry := StateItem{Type: i.kind, ID: i.id, Path: path + i.name, Etag: i.etag}
			for _, v := range i.versions {
				entry.Versions = append(entry.Versions, StateVersion{ID: v.id, SHA1: v.sha1, Size: len(v.content)})
			}
			if i.isFile() {
				entry.Content, entry.SHA1 = string(i.current().content), i.current().sha1
			}
			state.Items = append(state.Items, entry)
			if !i.isFile() {
				add(i.id, path+i.name+"/")
			}
		}
	}
	add("0", "")
	return state
}

// errNoItem: there is nothing at that path.
var errNoItem = errors.New("no such item in the emulated Box")

// at finds an item by names from the root, with slashes.
func (s *store) at(path string) (*item, error) {
	i := s.items["0"]
	for name := range strings.SplitSeq(path, "/") {
		if i = s.named(i.id, name); i == nil {
			return nil, fmt.Errorf("%s: %w", path, errNoItem)
		}
	}
	return i, nil
}

// Put gives a file a content, as another user of Box would: the next version of
// one that is there, or a new file in new folders.
func (s *Service) Put(path, content string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	names := strings.Split(path, "/")
	folder := "0"
	for _, name := range names[:len(names)-1] {
		if next := s.store.named(folder, name); next != nil {
			folder = next.id
			continue
		}
		folder = s.store.addFolder(folder, name).id
	}
	name := names[len(names)-1]
	if file := s.store.named(folder, name); file != nil {
		s.store.addVersion(file, []byte(content), time.Time{})
		return
	}
	s.store.addFile(folder, name, []byte(content), time.Time{})
}

// Content returns a file's content.
func (s *Service) Content(path string) (string, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	file, err := s.store.at(path)
	if err != nil {
		return "", err
	}
	return string(file.current().content), nil
}

// Versions returns how many versions a file has, with the current one.
func (s *Service) Versions(path string) (int, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	file, err := s.store.at(path)
	if err != nil {
		return 0, err
	}
	return len(file.versions), nil
}

// Rename renames an item, as another user would.
func (s *Service) Rename(path, name string) error {
	return s.peer(path, func(i *item) { i.name = name; s.store.touch(i); s.store.record("ITEM_RENAME", i) })
}

// Touch changes an item's description, and so its etag.
func (s *Service) Touch(path string) error {
	return s.peer(path, func(i *item) { i.description += "."; s.store.touch(i); s.store.record("ITEM_MODIFY", i) })
}

// Trash deletes an item, as another user would.
func (s *Service) Trash(path string) error { return s.peer(path, s.store.trash) }

// Lock locks a file for another user.
func (s *Service) Lock(path string) error {
	return s.peer(path, func(i *item) { i.lockedBy = "someone else" })
}

// PromoteFirst makes the oldest version of a file the current one.
func (s *Service) PromoteFirst(path string) error {
	return s.peer(path, func(i *item) {
		etag := i.versions[0].etag
		s.store.addVersion(i, i.versions[0].content, time.Time{})
		if s.knobs.KeepEtag {
			i.etag = etag
		}
	})
}

func (s *Service) peer(path string, change func(*item)) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i, err := s.store.at(path)
	if err != nil {
		return err
	}
	change(i)
	return nil
}
