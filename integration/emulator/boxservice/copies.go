package boxservice

import (
	"net/http"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

func (s *Service) copyFile(q request, w http.ResponseWriter, r *http.Request) *failure {
	file, f := s.store.find(typeFile, q.id)
	if f != nil {
		return f
	}
	var wanted struct {
		newItem
		Version string `json:"version"`
	}
	if f := q.decode(&wanted); f != nil {
		return f
	}
	if wanted.Name == "" {
		wanted.Name = file.name
	}
	name, taken, f := s.free(wanted.Parent.ID, wanted.Name)
	if f != nil {
		return f
	}
	if taken != nil {
		return nameTaken(mini(taken))
	}
	v := file.current()
	if wanted.Version != "" {
		if v = versionOf(file, wanted.Version); v == nil {
			return notFound("file_version", wanted.Version)
		}
	}
	added := s.store.addFile(wanted.Parent.ID, name, v.content, file.contentModified)
	faults.WriteJSON(w, http.StatusCreated, selected(r, s.full(added)))
	return nil
}

// copyFolder copies a folder with all that is in it.
func (s *Service) copyFolder(q request, w http.ResponseWriter, r *http.Request) *failure {
	folder, f := s.store.find(typeFolder, q.id)
	if f != nil {
		return f
	}
	var wanted newItem
	if f := q.decode(&wanted); f != nil {
		return f
	}
	if wanted.Name == "" {
		wanted.Name = folder.name
	}
	name, taken, f := s.free(wanted.Parent.ID, wanted.Name)
	if f != nil {
		return f
	}
	if taken != nil {
		return nameTaken([]any{mini(taken)})
	}
	if q.id == "0" || s.store.below(wanted.Parent.ID, folder) {
		return fail(http.StatusBadRequest, "cyclical_folder_structure", "A folder can't be copied into itself")
	}
	added := s.copyInto(folder, wanted.Parent.ID, name)
	faults.WriteJSON(w, http.StatusCreated, selected(r, s.full(added)))
	return nil
}

func (s *Service) copyInto(folder *item, parent, name string) *item {
	added := s.store.addFolder(parent, name)
	for _, child := range s.store.children(folder.id) {
		if child.isFile() {
			s.store.addFile(added.id, child.name, child.current().content, child.contentModified)
			continue
		}
		s.copyInto(child, added.id, child.name)
	}
	return added
}
