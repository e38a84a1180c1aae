package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/ragasfs/ragasfs/cache"
)

// under returns those tables that are not clean and stand under one of the paths
// ("" is everything).
func under(tables []cache.TableStatus, paths ...string) []cache.TableStatus {
	var left []cache.TableStatus
	for _, t := range tables {
		for _, path := range paths {
			if t.State != "clean" && (path == "" || t.Path == path || strings.HasPrefix(t.Path, path+"/")) {
				left = append(left, t)
				break
			}
		}
	}
	return left
}

// nameLeft writes a line for each table that is not in the store as it is in the
// mount: what is the matter with it, and which command helps.
func nameLeft(w io.Writer, mountpoint string, tables []cache.TableStatus) {
	for _, t := range tables {
		fmt.Fprintf(w, "ragasfs: %s: %s; %s\n", full(mountpoint, t.Path), trouble(t), remedy(mountpoint, t))
	}
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
