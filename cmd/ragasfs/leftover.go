package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ragasfs/ragasfs/cache"
)

// leftover is what is not in the store as it is in the mount.
type leftover struct {
	tables   []cache.TableStatus
	projects []cache.ProjectStatus
}

func (l leftover) none() bool { return len(l.tables) == 0 && len(l.projects) == 0 }

// under returns what of a status is not in the store and stands under one of the
// paths ("" is everything).
func under(status cache.Status, paths ...string) (left leftover) {
	stands := func(at string) bool {
		return slices.ContainsFunc(paths, func(path string) bool {
			return path == "" || at == path || strings.HasPrefix(at, path+"/")
		})
	}
	for _, t := range status.Tables {
		if t.State != "clean" && stands(t.Path) {
			left.tables = append(left.tables, t)
		}
	}
	for _, p := range status.Projects {
		if stands(p.Path) {
			left.projects = append(left.projects, p)
		}
	}
	return left
}

// name writes a line for each project and table: what is the matter with it, and
// which command helps.
func (l leftover) name(w io.Writer, mountpoint string) {
	for _, p := range l.projects {
		fmt.Fprintf(w, "ragasfs: %s: %s; %s\n", full(mountpoint, p.Path), projectTrouble(p), projectRemedy(mountpoint, p))
	}
	for _, t := range l.tables {
		fmt.Fprintf(w, "ragasfs: %s: %s; %s\n", full(mountpoint, t.Path), trouble(t), remedy(mountpoint, t))
	}
}

// projectTrouble says what the store has yet to hear of a project.
func projectTrouble(p cache.ProjectStatus) string {
	text := map[string]string{
		"create": "the project is not in the store yet",
		"delete": "the project is not deleted in the store yet",
		"rename": "the project has its old name in the store",
	}[p.Op]
	if p.Error != "" {
		text += ": " + p.Error
	}
	return text
}

func projectRemedy(mountpoint string, p cache.ProjectStatus) string {
	path := p.Path
	if p.Op == "delete" {
		path = "" // there is nothing any more that could be named
	}
	text := "send it with `ragasfs flush " + quote(full(mountpoint, path)) + "`"
	if p.Op == "rename" && p.Error != "" {
		text += ", or rename it again"
	}
	return text
}

// trouble says what is the matter with a table.
func trouble(t cache.TableStatus) string {
	text := t.State
	if t.State == "dirty" || t.State == "pushing" {
		text = "not sent yet"
		if changes := pendingText(t); changes != "" {
			text += " (" + changes + ")"
		}
	}
	for _, why := range []string{withoutCommand(t.Reason), t.Error} {
		if why != "" {
			text += ": " + why
		}
	}
	return text
}

// withoutCommand cuts off the command with which a reason ends, for those who read
// it in status.json: remedy says it with the whole path.
func withoutCommand(reason string) string {
	for _, start := range []string{" (ragasfs ", "; ragasfs ", "; save a better version"} {
		reason, _, _ = strings.Cut(reason, start)
	}
	return reason
}

// remedy names the command that settles the state of a table.
func remedy(mountpoint string, t cache.TableStatus) string {
	path := quote(full(mountpoint, t.Path))
	switch t.State {
	case "held":
		return "send it with `ragasfs confirm " + path + "` or go back with `ragasfs discard " + path + "`"
	case "invalid":
		return "save it again, or go back with `ragasfs discard " + path + "`"
	case "rejected":
		return "change the rows in rejected.csv, or try again with `ragasfs flush --retry " + path + "`"
	case "conflict":
		return "send yours with `ragasfs confirm " + path + "` or take theirs with `ragasfs discard " + path + "`"
	}
	return "send it with `ragasfs flush " + path + "`"
}

// pendingText counts what is not sent of a table, "" for nothing.
func pendingText(t cache.TableStatus) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	if t.TableOp != nil {
		parts = append(parts, *t.TableOp+" table")
	}
	add(t.Pending.Append, "new")
	add(t.Pending.Update, "changed")
	add(t.Pending.Delete, "deleted")
	add(t.Pending.Columns, "columns")
	return strings.Join(parts, ", ")
}
