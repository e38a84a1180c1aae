package cache

import (
	"cmp"
	"slices"
	"strings"
)

// op is what the store has yet to hear of a project, as in ProjectStatus; empty:
// nothing.
func (r *projectRecord) op() string {
	switch {
	case r.Stays, r.Removed && !r.InStore:
		return ""
	case r.Removed:
		return "delete"
	case !r.InStore:
		return "create"
	case r.NewName != "":
		return "rename"
	}
	return ""
}

// pendingProjects are the projects of which the store has yet to hear, of those
// that are wanted.
func (c *Cache) pendingProjects(wanted func(path string) bool) []*project {
	c.names.Lock()
	defer c.names.Unlock()
	var list []*project
	for _, p := range c.projects {
		if p.rec.op() != "" && wanted(c.outside(p.rec.Name)) {
			list = append(list, p)
		}
	}
	return list
}

// projectStatus tells of the projects of which the store has yet to hear, of
// those that are wanted.
func (c *Cache) projectStatus(wanted func(path string) bool) []ProjectStatus {
	pending := c.pendingProjects(wanted)
	c.names.Lock()
	defer c.names.Unlock()
	var list []ProjectStatus
	for _, p := range pending {
		if op := p.rec.op(); op != "" {
			list = append(list, ProjectStatus{Path: c.outside(p.rec.Name), Op: op, Error: cmp.Or(p.rec.Error, p.failure)})
		}
	}
	slices.SortFunc(list, func(a, b ProjectStatus) int { return strings.Compare(a.Path, b.Path) })
	return list
}

// projectsAt is which projects the paths mean: one by its own path, all by that of
// the mount.
func projectsAt(paths ...string) func(path string) bool {
	var want []string
	for _, p := range paths {
		want = append(want, strings.Trim(p, "/"))
	}
	return func(path string) bool { return slices.Contains(want, "") || slices.Contains(want, path) }
}

// noProject is which projects the path of a table means.
func noProject(string) bool { return false }
