package boxservice

import (
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Types of items.
const (
	typeFile   = "file"
	typeFolder = "folder"
)

// version is one content of a file.
type version struct {
	id      string
	content []byte
	sha1    string
	created time.Time
	etag    int // of the file when this version was made
	trashed time.Time
}

// item is a file or a folder.
type item struct {
	id, kind, name  string
	parent          string // id of the folder; empty for the root
	etag, sequence  int
	created         time.Time
	modified        time.Time
	contentModified time.Time
	made, removed   time.Time // exactly, for listings that lag behind
	description     string
	trashed         bool
	lockedBy        string
	shared          string    // access of its shared link; empty: it has none
	versions        []version // of a file, oldest first; the last is the current one
}

func (i *item) isFile() bool      { return i.kind == typeFile }
func (i *item) current() *version { return &i.versions[len(i.versions)-1] }

// store is everything the service remembers. Its methods want mu held.
type store struct {
	mu       sync.Mutex
	now      func() time.Time
	ahead    time.Duration // of the clock
	nextID   int
	items    map[string]*item
	events   []event
	changed  chan struct{} // closed at the next event, and when the clock is set
	sessions map[string]*session
	waiting  int // clients that wait for events
	ring     int // most past versions kept; 0: all
}

func newStore(now func() time.Time) *store {
	const firstID = 1000
	s := &store{
		now: now, nextID: firstID, items: map[string]*item{},
		changed: make(chan struct{}), sessions: map[string]*session{},
	}
	s.items["0"] = &item{id: "0", kind: typeFolder, name: "All Files"}
	return s
}

func (s *store) exactClock() time.Time { return s.now().Add(s.ahead) }

// clock is the time as Box tells it.
func (s *store) clock() time.Time { return s.exactClock().Truncate(time.Second) }

func (s *store) id() string {
	s.nextID++
	return strconv.Itoa(s.nextID)
}

// find returns an item that is there and not in the trash, nor below a folder
// that is.
func (s *store) find(kind, id string) (*item, *failure) {
	i, known := s.items[id]
	if !known || i.kind != kind {
		return nil, notFound(kind, id)
	}
	if s.inTrash(i) {
		return nil, fail(404, "trashed", "Item is trashed")
	}
	return i, nil
}

func (s *store) inTrash(i *item) bool {
	for i != nil {
		if i.trashed {
			return true
		}
		i = s.items[i.parent]
	}
	return false
}

// children are the items of a folder that are not in the trash, in the order
// of a listing: folders first, by name.
func (s *store) children(folder string) []*item {
	var found []*item
	for _, i := range s.items {
		if i.parent == folder && i.id != "0" && !i.trashed {
			found = append(found, i)
		}
	}
	sortItems(found)
	return found
}

// listed is children as a listing shows them that lags behind.
func (s *store) listed(folder string, lag time.Duration) []*item {
	if lag == 0 {
		return s.children(folder)
	}
	then := s.exactClock().Add(-lag)
	var found []*item
	for _, i := range s.items {
		if i.parent == folder && i.id != "0" && !i.made.After(then) && (!i.trashed || i.removed.After(then)) {
			found = append(found, i)
		}
	}
	sortItems(found)
	return found
}

// named returns the item that has a name in a folder. Names are equal without
// regard to case.
func (s *store) named(folder, name string) *item {
	for _, i := range s.children(folder) {
		if strings.EqualFold(i.name, name) {
			return i
		}
	}
	return nil
}

func (s *store) newVersion(content []byte, etag int) version {
	sum := sha1.Sum(content)
	return version{id: s.id(), content: content, sha1: hex.EncodeToString(sum[:]), created: s.clock(), etag: etag}
}

func (s *store) addFile(folder, name string, content []byte, contentModified time.Time) *item {
	now := s.clock()
	i := &item{
		id: s.id(), kind: typeFile, name: name, parent: folder, created: now, modified: now, contentModified: now,
		made: s.exactClock(),
	}
	if !contentModified.IsZero() {
		i.contentModified = contentModified
	}
	i.versions = []version{s.newVersion(content, 0)}
	s.items[i.id] = i
	s.record("ITEM_UPLOAD", i)
	return i
}

func (s *store) addFolder(parent, name string) *item {
	now := s.clock()
	i := &item{id: s.id(), kind: typeFolder, name: name, parent: parent, created: now, modified: now, contentModified: now, made: s.exactClock()}
	s.items[i.id] = i
	s.record("ITEM_CREATE", i)
	return i
}

// addVersion gives a file a new content.
func (s *store) addVersion(i *item, content []byte, contentModified time.Time) {
	s.touch(i)
	i.contentModified = i.modified
	if !contentModified.IsZero() {
		i.contentModified = contentModified
	}
	i.versions = append(i.versions, s.newVersion(content, i.etag))
	if s.ring > 0 && len(i.versions) > s.ring+1 {
		i.versions = i.versions[len(i.versions)-s.ring-1:]
	}
	s.record("ITEM_UPLOAD", i)
}

// touch counts a change of an item.
func (s *store) touch(i *item) {
	i.etag++
	i.sequence++
	i.modified = s.clock()
}

func (s *store) trash(i *item) {
	i.sequence++
	i.trashed, i.removed = true, s.exactClock()
	s.record("ITEM_TRASH", i)
}

// purge forgets an item and all below it.
func (s *store) purge(i *item) {
	for _, child := range s.items {
		if child.parent == i.id && child.id != "0" {
			s.purge(child)
		}
	}
	delete(s.items, i.id)
}

// below reports whether a folder is i or inside it.
func (s *store) below(folder string, i *item) bool {
	for at := s.items[folder]; at != nil; at = s.items[at.parent] {
		if at == i {
			return true
		}
	}
	return false
}
