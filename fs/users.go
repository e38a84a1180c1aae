package fs

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is one that uses a mount.
type Process struct {
	PID  int
	Name string
	Path string // one that it uses
}

func (p Process) String() string { return fmt.Sprintf("%s (pid %d: %s)", p.Name, p.PID, p.Path) }

// Users lists the processes that have their working directory, their root, an
// open file or a mapping below a mount point. Names are compared, nothing is
// asked of the mount, which may be dead. Processes of other users are only seen
// by root.
func Users(mountpoint string) []Process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		if path := usedBelow(dir, mountpoint); path != "" {
			name, err := os.ReadFile(filepath.Join(dir, "comm"))
			if err != nil {
				continue // it has ended
			}
			found = append(found, Process{pid, strings.TrimSpace(string(name)), path})
		}
	}
	return found
}

// usedBelow is a path below mountpoint that the process of this directory of
// /proc uses, or "". What can't be read is somebody else's, or has ended.
func usedBelow(proc, mountpoint string) string {
	below := func(path string) bool {
		return path == mountpoint || strings.HasPrefix(path, strings.TrimSuffix(mountpoint, "/")+"/")
	}
	links := []string{"cwd", "root", "exe"}
	if fds, err := os.ReadDir(filepath.Join(proc, "fd")); err == nil {
		for _, fd := range fds {
			links = append(links, filepath.Join("fd", fd.Name()))
		}
	}
	for _, link := range links {
		if path, err := os.Readlink(filepath.Join(proc, link)); err == nil && below(path) {
			return path
		}
	}
	maps, err := os.Open(filepath.Join(proc, "maps"))
	if err != nil {
		return ""
	}
	defer func() { _ = maps.Close() }() // only read
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		if i := strings.IndexByte(lines.Text(), '/'); i >= 0 && below(lines.Text()[i:]) {
			return lines.Text()[i:]
		}
	}
	return ""
}
