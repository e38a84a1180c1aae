package fs

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// MountEntry is one mount of type fuse.ragasfs, of this or another process.
type MountEntry struct {
	Mountpoint string
	Source     string   // what was mounted, e.g. "local/csv"
	Device     string   // MAJOR:MINOR; MINOR names its directory under /sys/fs/fuse/connections
	Options    []string // of the mount and of its file system: "ro", "allow_other", "user_id=1000"
}

// MountInfo lists the ragasfs mounts that this process can see, also those
// whose daemon is gone (which stat and ismount don't find), in the order in
// which they were mounted.
func MountInfo() ([]MountEntry, error) {
	const path = "/proc/self/mountinfo"
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	return parseMountInfo(f)
}

// mountAt finds the mount that was made last at a resolved path.
func mountAt(path string) (last MountEntry, listed bool, err error) {
	mounts, err := MountInfo()
	for _, m := range mounts {
		if m.Mountpoint == path {
			last, listed = m, true
		}
	}
	return last, listed, err
}

// parseMountInfo reads lines like (proc(5))
//
//	36 35 0:57 / /mnt/a\040b rw,nosuid shared:1 - fuse.ragasfs local/csv rw,user_id=0
func parseMountInfo(r io.Reader) ([]MountEntry, error) {
	var mounts []MountEntry
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		mount, fs, ok := strings.Cut(lines.Text(), " - ")
		before, after := strings.Fields(mount), strings.Fields(fs)
		if !ok || len(before) < 6 || len(after) < 3 || after[0] != "fuse."+subtype {
			continue
		}
		options := strings.Split(before[5], ",")
		options = append(options, strings.Split(after[2], ",")...)
		mounts = append(mounts, MountEntry{
			Mountpoint: unescape(before[4]),
			Source:     unescape(after[1]),
			Device:     before[2],
			Options:    options,
		})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("listing mounts: %w", err)
	}
	return mounts, nil
}

// unescape undoes the octal escapes of space, tab, newline and backslash.
func unescape(s string) string {
	var b bytes.Buffer
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Alive asks the mount point something. It gives ENOTCONN if the daemon is
// gone, and an error after a few seconds if it does not answer (stopped).
func (m MountEntry) Alive() error {
	const patience = 5 * time.Second
	answer := make(chan error, 1)
	go func() {
		var st unix.Statfs_t // not stat: the kernel may know that by heart
		answer <- unix.Statfs(m.Mountpoint, &st)
	}()
	select {
	case err := <-answer:
		return err
	case <-time.After(patience):
		return fmt.Errorf("no answer from %s within %s", m.Mountpoint, patience)
	}
}
