package main

import (
	"path/filepath"
)

// stateDir returns the state directory: the one given, else
// $XDG_STATE_HOME/ragasfs, else that of the home directory, else the machine's.
func (a *app) stateDir(given string) (string, error) {
	switch {
	case given != "":
		return filepath.Abs(given)
	// The specification says that a relative path there must be ignored.
	case filepath.IsAbs(a.getenv("XDG_STATE_HOME")):
		return filepath.Join(a.getenv("XDG_STATE_HOME"), "ragasfs"), nil
	case filepath.IsAbs(a.getenv("HOME")):
		return filepath.Join(a.getenv("HOME"), ".local", "state", "ragasfs"), nil
	}
	return "/var/lib/ragasfs", nil
}

// samePath compares two paths by what they lead to, where they exist.
func samePath(a, b string) bool { return realPath(a) == realPath(b) }

// realPath returns path absolute and without links, as far as it exists.
func realPath(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved
	}
	parent := filepath.Dir(absolute)
	if parent == absolute {
		return absolute
	}
	return filepath.Join(realPath(parent), filepath.Base(absolute))
}

// inside reports whether path is dir or below it.
func inside(path, dir string) bool {
	rel, err := filepath.Rel(realPath(dir), realPath(path))
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}
