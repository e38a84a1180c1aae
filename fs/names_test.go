package fs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func wantErrno(t *testing.T, what string, err error, want syscall.Errno) {
	t.Helper()
	if want == 0 && err == nil {
		return
	}
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func TestMountRename(t *testing.T) {
	m := start(t, Options{})
	m.mkdir("a")
	m.mkdir("b")
	m.write("a/one", "1")
	m.write("b/two", "2")
	rename := func(from, to string, flags uint) error {
		return unix.Renameat2(unix.AT_FDCWD, m.path(from), unix.AT_FDCWD, m.path(to), flags)
	}
	wantErrno(t, "noreplace", rename("a/one", "b/two", unix.RENAME_NOREPLACE), syscall.EEXIST)
	wantErrno(t, "noreplace to a free name", rename("a/one", "a/uno", unix.RENAME_NOREPLACE), 0)
	wantErrno(t, "exchange", rename("a/uno", "b/two", unix.RENAME_EXCHANGE), 0)
	m.wantContent("a/uno", "2")
	m.wantContent("b/two", "1")
	wantErrno(t, "directory onto a full one", rename("a", "b", 0), syscall.ENOTEMPTY)
	wantErrno(t, "directory", rename("a", "b/sub", 0), 0)
	m.wantContent("b/sub/uno", "2")
	wantErrno(t, "rmdir of a full one", os.Remove(m.path("b/sub")), syscall.ENOTEMPTY)
	if _, err := os.Stat(m.path("a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
}

func TestMountKindsOfNames(t *testing.T) {
	m := start(t, Options{})
	wantErrno(t, "fifo", unix.Mkfifo(m.path("fifo"), 0o640), 0)
	wantErrno(t, "socket", unix.Mknod(m.path("socket"), unix.S_IFSOCK|0o600, 0), 0)
	wantErrno(t, "mknod of a file", unix.Mknod(m.path("file"), unix.S_IFREG|0o640, 0), 0)
	wantErrno(t, "symlink", os.Symlink("user@host.1", m.path("link")), 0)
	wantErrno(t, "hard link", os.Link(m.path("file"), m.path("file2")), 0)
	wantErrno(t, "hard link to a symlink", os.Link(m.path("link"), m.path("link2")), syscall.EPERM)
	if target, err := os.Readlink(m.path("link")); err != nil || target != "user@host.1" {
		t.Errorf("readlink: %q, %v", target, err)
	}
	for name, want := range map[string]os.FileMode{
		"fifo":   os.ModeNamedPipe | 0o640,
		"socket": os.ModeSocket | 0o600,
		"file2":  0o640,
		"link":   os.ModeSymlink | 0o777,
	} {
		if info, err := os.Lstat(m.path(name)); err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	out, err := exec.Command("ls", "-a", m.dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	names := strings.Fields(string(out))
	for _, want := range []string{".", "..", "fifo", "file", "file2", "link", "qa.csv"} {
		if want != "qa.csv" && !slices.Contains(names, want) {
			t.Errorf("ls has no %s: %v", want, names)
		}
	}
}

func TestMountWhatIsNotThere(t *testing.T) {
	m := start(t, Options{})
	m.write("f", "x")
	_, err := unix.Getxattr(m.path("f"), "user.x", nil)
	wantErrno(t, "getxattr", err, syscall.EOPNOTSUPP)
	wantErrno(t, "setxattr", unix.Setxattr(m.path("f"), "user.x", nil, 0), syscall.EOPNOTSUPP)
	_, err = unix.Open(m.dir, unix.O_TMPFILE|unix.O_RDWR, 0o600)
	wantErrno(t, "O_TMPFILE", err, syscall.EOPNOTSUPP)
}

// Modes count for those who are not root.
func TestMountModesAreChecked(t *testing.T) {
	m := start(t, Options{})
	m.write("f", "x")
	if err := os.Chmod(m.path("f"), 0o400); err != nil {
		t.Fatal(err)
	}
	want := syscall.EACCES
	if os.Geteuid() == 0 {
		want = 0
	}
	m.wantContent("f", "x")
	wantErrno(t, "access", unix.Access(m.path("f"), unix.W_OK), want)
	f, err := os.OpenFile(m.path("f"), os.O_WRONLY, 0)
	wantErrno(t, "open for writing", err, want)
	if err == nil {
		wantErrno(t, "close", f.Close(), 0)
	}
	// The creator of a file may write it, whatever its mode.
	wantErrno(t, "creating a read-only file", os.WriteFile(m.path("g"), []byte("y"), 0o400), 0)
	m.wantContent("g", "y")
}

// Modes, times and owners can be set and read back; mode 0 is 0.
func TestMountAttributesReadBack(t *testing.T) {
	m := start(t, Options{})
	m.write("f", "x")
	m.mkdir("d")
	for _, name := range []string{"f", "d"} {
		path := m.path(name)
		times := []unix.Timespec{{Sec: 100, Nsec: 1}, {Sec: 200, Nsec: 123456789}}
		wantErrno(t, "utimensat", unix.UtimesNanoAt(unix.AT_FDCWD, path, times, 0), 0)
		wantErrno(t, "chown to oneself", unix.Chown(path, os.Geteuid(), os.Getegid()), 0)
		wantErrno(t, "chown of the group only", unix.Chown(path, -1, os.Getegid()), 0)
		wantErrno(t, "chmod", unix.Chmod(path, 0), 0)
		var st unix.Stat_t
		wantErrno(t, "stat", unix.Stat(path, &st), 0)
		if st.Mode&0o7777 != 0 || st.Mtim != times[1] || st.Blksize != 4096 {
			t.Errorf("%s: %+v", name, st)
		}
	}
	d, err := os.Open(m.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	wantErrno(t, "fsync of a directory", d.Sync(), 0)
	var st unix.Statfs_t
	if err := unix.Statfs(m.dir, &st); err != nil || st.Bavail == 0 || st.Ffree == 0 || st.Namelen != 255 {
		t.Errorf("statfs: %+v, %v", st, err)
	}
}

// The kernel tells when it lets go of a file, and then nothing is kept for it.
func TestMountForgottenFilesAreNotKept(t *testing.T) {
	m := start(t, Options{})
	known := func() int {
		n, err := strconv.Atoi(m.tell("known ."))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := known()
	for i := range 50 {
		name := "f" + strconv.Itoa(i)
		m.write(name, "x")
		defer func() { _ = os.Remove(m.path(name)) }()
	}
	if known() < before+50 {
		t.Fatalf("%d files known", known())
	}
	for i := range 50 {
		if err := os.Remove(m.path("f" + strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "forgotten", func() bool { return known() <= before })
}

// Names come in a stable order, and rewinding shows what is there now.
func TestMountReadingADirectory(t *testing.T) {
	m := start(t, Options{})
	dir := m.mkdir("d")
	for i := range 500 {
		m.write(filepath.Join("d", strings.Repeat("x", 100)+strconv.Itoa(i)), "")
	}
	d, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	first, err := d.Readdirnames(-1)
	if err != nil || len(first) != 500 {
		t.Fatalf("%d names, %v", len(first), err)
	}
	m.write("d/new", "")
	if _, err := d.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	again, err := d.Readdirnames(-1)
	if err != nil || len(again) != 501 {
		t.Errorf("after rewinding %d names, %v", len(again), err)
	}
	out, err := exec.Command("ls", "-l", dir).Output() // READDIRPLUS
	if err != nil || strings.Count(string(out), "\n") != 502 {
		t.Errorf("ls -l: %d lines, %v", strings.Count(string(out), "\n"), err)
	}
}
