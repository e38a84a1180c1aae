package boxcsv

import (
	"context"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// fresh is how long a listing may lag behind what was done here.
const fresh = 10 * time.Second

// tree remembers what was seen at Box, so that it is not asked for again. It
// may be wrong at any time: who relies on it does so by ids and etags, which
// Box checks.
type tree struct {
	root     string // id of the root folder
	mu       sync.Mutex
	projects map[string]string    // id by name
	folders  map[string]place     // of the folders of a kind, by id
	kinds    map[place]string     // the other way round
	files    map[string]item      // by id
	made     map[string]time.Time // files and folders of projects made here, by id
	removed  map[string]time.Time
	writing  map[string]*writing // by id of the file, or of the folder that gets a new one
}

// writing is a write of ours whose answer has not come yet.
type writing struct {
	n    int
	done chan struct{} // closed when there is none any more
}

// place is where tables of a kind are.
type place struct {
	project string // id
	kind    backends.Kind
}

func newTree(root string) *tree {
	return &tree{
		root: root, projects: map[string]string{}, folders: map[string]place{}, kinds: map[place]string{},
		files: map[string]item{}, made: map[string]time.Time{}, removed: map[string]time.Time{},
		writing: map[string]*writing{},
	}
}

// writes notes that a write begins; ended is called when its answer is noted.
func (t *tree) writes(id string) (ended func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.writing[id]
	if w == nil {
		w = &writing{done: make(chan struct{})}
		t.writing[id] = w
	}
	w.n++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if w.n--; w.n == 0 {
			close(w.done)
			delete(t.writing, id)
		}
	}
}

// settled waits, for a moment, until no write of ours is under way: the event that
// tells of it comes before its answer at times, and would pass for somebody else's.
func (t *tree) settled(ctx context.Context, id string) {
	const moment = 5 * time.Second
	t.mu.Lock()
	w := t.writing[id]
	t.mu.Unlock()
	if w == nil {
		return
	}
	timer := time.NewTimer(moment)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (t *tree) project(name string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, known := t.projects[name]
	return id, known
}

func (t *tree) projectName(id string) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, known := range t.projects {
		if known == id {
			return name, true
		}
	}
	return "", false
}

// setProject remembers a project under its present name.
func (t *tree) setProject(name, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for old, known := range t.projects {
		if known == id {
			delete(t.projects, old)
		}
	}
	t.projects[name] = id
}

// projectMadeHere remembers a project that was just made.
func (t *tree) projectMadeHere(name, id string) {
	t.setProject(name, id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.made[id] = time.Now()
}

// projectsMadeHere are the projects, by name, that were made here so recently that
// a listing may lack them.
func (t *tree) projectsMadeHere() map[string]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[string]string{}
	for name, id := range t.projects {
		if at, own := t.made[id]; own && time.Since(at) <= fresh {
			found[name] = id
		}
	}
	return found
}

// setProjects remembers a complete listing of the root.
func (t *tree) setProjects(projects map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.projects = projects
}

func (t *tree) forgetProject(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.made, id)
	for name, known := range t.projects {
		if known == id {
			delete(t.projects, name)
		}
	}
	for where, folder := range t.kinds {
		if where.project == id {
			delete(t.kinds, where)
			delete(t.folders, folder)
		}
	}
}

func (t *tree) folder(where place) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, known := t.kinds[where]
	return id, known
}

func (t *tree) placeOf(folder string) (place, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	where, known := t.folders[folder]
	return where, known
}

func (t *tree) setFolder(where place, id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, known := t.kinds[where]; known && old != id {
		delete(t.folders, old)
	}
	t.kinds[where], t.folders[id] = id, where
}

func (t *tree) forgetFolder(where place) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.folders, t.kinds[where])
	delete(t.kinds, where)
}

func (t *tree) file(id string) (item, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	file, known := t.files[id]
	return file, known
}

// named returns the file that has a name in a folder.
func (t *tree) named(folder, name string) (item, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, file := range t.files {
		if file.Name == name && file.parentID() == folder {
			return file, true
		}
	}
	return item{}, false
}

func (t *tree) setFile(file item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files[string(file.ID)] = file
}

func (t *tree) forgetFile(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.files, id)
}

// madeHere remembers a file that was just made.
func (t *tree) madeHere(file item) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.files[string(file.ID)], t.made[string(file.ID)] = file, time.Now()
}

// removedHere remembers that a file was just deleted.
func (t *tree) removedHere(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.files, id)
	delete(t.made, id)
	t.removed[id] = time.Now()
}

// restored: somebody has taken it out of the trash.
func (t *tree) restored(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.removed, id)
}

// listed corrects a listing of a folder by what was done here so recently that
// it may not be in it yet. missing are the ids of files made here that it lacks.
func (t *tree) listed(folder string, entries []item) (corrected []item, missing []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, at := range t.removed {
		if time.Since(at) > fresh {
			delete(t.removed, id)
		}
	}
	present := map[string]bool{}
	for _, entry := range entries {
		id := string(entry.ID)
		if _, gone := t.removed[id]; gone {
			continue
		}
		present[id] = true
		corrected = append(corrected, entry)
		if entry.Type == typeFile && checkFile(entry) == nil {
			t.files[id] = entry
		}
	}
	for id, at := range t.made {
		if time.Since(at) > fresh {
			delete(t.made, id)
			continue
		}
		if t.files[id].ID != "" && t.files[id].Parent != nil && string(t.files[id].Parent.ID) == folder && !present[id] {
			missing = append(missing, id)
		}
	}
	for id, file := range t.files { // what is gone is no answer to a name any more
		if file.Parent != nil && string(file.Parent.ID) == folder && !present[id] {
			if _, own := t.made[id]; !own {
				delete(t.files, id)
			}
		}
	}
	return corrected, missing
}
