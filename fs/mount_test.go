package fs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Without rights mounts go through fusermount3 and files are cached. Everything
// that needs no root runs again as such a user.
func TestRootRunsTheRestAsAnOrdinaryUser(t *testing.T) {
	needRoot(t)
	needFUSE(t)
	if _, err := exec.LookPath("fusermount3"); err != nil {
		skip(t, "needs fusermount3: apt-get install fuse3")
	}
	dir, err := os.MkdirTemp("", "ragasfs-fs-")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}()
	binary, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	const uid = 65534 // nobody: fusermount3 wants a name
	device := filepath.Join(dir, "fuse")
	err = errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, uid, uid),
		os.WriteFile(filepath.Join(dir, "fs.test"), binary, 0o755),
		unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))), os.Chmod(device, 0o666))
	if err != nil {
		t.Fatal(err)
	}
	// In a name space of its own it may open /dev/fuse, as on a machine where the
	// package fuse3 is installed; the machine itself stays as it is.
	cmd := exec.Command("sh", "-c", `mount --bind fuse /dev/fuse && exec setpriv --reuid=65534 --regid=65534 --clear-groups ./fs.test -test.run=^TestMount -test.v`)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as user %d: %v\n%s", uid, err, out)
	}
	if !strings.Contains(string(out), "--- PASS: TestMountPosix/FileBasic") {
		t.Errorf("nothing ran as user %d:\n%s", uid, out)
	}
}

func mountEntry(t *testing.T, mountpoint string) (MountEntry, bool) {
	t.Helper()
	mounts, err := MountInfo()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(mounts, func(m MountEntry) bool { return m.Mountpoint == mountpoint })
	if i < 0 {
		return MountEntry{}, false
	}
	return mounts[i], true
}

func TestMountIsListed(t *testing.T) {
	m := start(t, Options{})
	entry, ok := mountEntry(t, m.dir)
	if !ok || entry.Source != "local/csv" || entry.Alive() != nil || slices.Contains(entry.Options, "ro") {
		t.Errorf("%+v, listed %v", entry, ok)
	}
	if err := Unmount(m.dir, false); err != nil {
		t.Fatal(err)
	}
	if _, ok := mountEntry(t, m.dir); ok {
		t.Error("still listed")
	}
	if err := Unmount(m.dir, false); !errors.Is(err, ErrNotMounted) {
		t.Errorf("a second unmount: %v", err)
	}
}

func TestMountBusyNamesWhoUsesIt(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "x\n")
	f, err := os.Open(m.path("qa.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	err = Unmount(m.dir, false)
	var busy *BusyError
	if !errors.Is(err, ErrBusy) || !errors.As(err, &busy) {
		t.Fatalf("unmount of a mount in use: %v", err)
	}
	i := slices.IndexFunc(busy.Processes, func(p Process) bool { return p.PID == os.Getpid() })
	if i < 0 || busy.Processes[i].Path != m.path("qa.csv") || !strings.Contains(err.Error(), busy.Processes[i].Name) {
		t.Errorf("%v: this process is not named", err)
	}
	if err := Unmount(m.dir, true); err != nil {
		t.Errorf("lazily: %v", err)
	}
	if b := make([]byte, 2); func() bool { _, err := f.ReadAt(b, 0); return err != nil }() {
		t.Error("a lazy unmount took the file away")
	}
	_ = f.Close()
}

// A working directory and a mapping are uses as well.
func TestMountUsersFindsDirectoriesAndMappings(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "x\n")
	inside := exec.Command("sleep", "1000")
	inside.Dir = m.dir
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(m.path("qa.csv"))
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := unix.Mmap(int(f.Fd()), 0, 2, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	users := Users(m.dir)
	for _, pid := range []int{inside.Process.Pid, os.Getpid()} {
		if !slices.ContainsFunc(users, func(p Process) bool { return p.PID == pid }) {
			t.Errorf("%v lacks %d", users, pid)
		}
	}
	_ = inside.Process.Kill()
	_ = inside.Wait()
	if err := unix.Munmap(mapping); err != nil {
		t.Error(err)
	}
}

// What a daemon that was killed leaves behind is cleared by the next mount.
func TestMountOverADeadMount(t *testing.T) {
	m := start(t, Options{})
	m.kill()
	entry, ok := mountEntry(t, m.dir)
	if !ok || !isDead(entry.Alive()) {
		t.Fatalf("%+v, listed %v: not dead", entry, ok)
	}
	again, err := tryStart(t, Options{Mountpoint: m.dir})
	if err != nil {
		t.Fatal(err)
	}
	again.write("qa.csv", "x\n")
	again.wantContent("qa.csv", "x\n")
	again.wantLog("has ended without unmounting")
}

// Aborting the connection frees whoever hangs in it, and ends the daemon, which
// then clears the mount point.
func TestRootAbortedConnectionIsCleared(t *testing.T) {
	needRoot(t)
	m := start(t, Options{})
	entry, _ := mountEntry(t, m.dir)
	control := t.TempDir()
	if err := unix.Mount("none", control, "fusectl", 0, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(control, 0); err != nil {
			t.Error(err)
		}
	}()
	_, minor, _ := strings.Cut(entry.Device, ":")
	if err := os.WriteFile(filepath.Join(control, minor, "abort"), []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "cleared", func() bool {
		_, listed := mountEntry(t, m.dir)
		return !listed
	})
}

// A mount point is also found by another name.
func TestMountIsUnmountedThroughASymlink(t *testing.T) {
	m := start(t, Options{})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(m.dir, link); err != nil {
		t.Fatal(err)
	}
	if err := Unmount(link, false); err != nil {
		t.Error(err)
	}
	if _, ok := mountEntry(t, m.dir); ok {
		t.Error("still listed")
	}
}

func TestMountRefusals(t *testing.T) {
	m := start(t, Options{})
	if _, err := tryStart(t, Options{Mountpoint: m.dir}); err == nil || !strings.Contains(err.Error(), ErrMounted.Error()) {
		t.Errorf("over a mount that is alive: %v", err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Mount(Options{Mountpoint: full}); !errors.Is(err, ErrNotEmptyDir) {
		t.Errorf("over a full directory: %v", err)
	}
	if _, err := Mount(Options{Mountpoint: filepath.Join(full, "file")}); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("over a file: %v", err)
	}
	if _, err := Mount(Options{Mountpoint: filepath.Join(full, "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("over nothing: %v", err)
	}
	over, err := tryStart(t, Options{Mountpoint: full, NonEmpty: true})
	if err != nil {
		t.Fatalf("with nonempty: %v", err)
	}
	over.wantContent("virtual.txt", "made up\n")
	if err := checkFUSE("/dev/no-fuse"); !errors.Is(err, ErrNoFUSE) || !strings.Contains(err.Error(), "modprobe fuse") {
		t.Errorf("without the device: %v", err)
	}
}

func TestMountReadOnly(t *testing.T) {
	m := start(t, Options{ReadOnly: true})
	m.wantContent("virtual.txt", "made up\n")
	wantErrno(t, "create", os.WriteFile(m.path("new"), nil, 0o644), syscall.EROFS)
	wantErrno(t, "unlink", os.Remove(m.path("virtual.txt")), syscall.EROFS)
	if entry, ok := mountEntry(t, m.dir); !ok || !slices.Contains(entry.Options, "ro") {
		t.Errorf("%+v", entry)
	}
}

func TestMountOwnerOptions(t *testing.T) {
	uid, gid, umask := uint32(4321), uint32(1234), uint32(0o077)
	// Whoever gives the mount away may be shut out; the mount stands all the same.
	away := start(t, Options{UID: &uid, GID: &gid, Umask: &umask})
	if _, err := os.ReadDir(away.dir); os.Geteuid() != 0 {
		wantErrno(t, "reading what belongs to another", err, syscall.EACCES)
		uid, gid = uint32(os.Geteuid()), uint32(os.Getegid())
	}
	m := start(t, Options{UID: &uid, GID: &gid, Umask: &umask})
	m.write("f", "x")
	var st unix.Stat_t
	wantErrno(t, "stat", unix.Stat(m.path("f"), &st), 0)
	if st.Uid != uid || st.Gid != gid || st.Mode&0o777 != 0o600 {
		t.Errorf("owner %d:%d mode %o", st.Uid, st.Gid, st.Mode)
	}
	wantErrno(t, "chown to the owner shown", unix.Chown(m.path("f"), int(uid), int(gid)), 0)
}

// Other users get in with allow_other only, and then modes count.
func TestRootAllowOther(t *testing.T) {
	needRoot(t)
	for _, allow := range []bool{false, true} {
		m := start(t, Options{AllowOther: allow})
		for dir := filepath.Dir(m.dir); dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		m.write("open", "x")
		m.write("closed", "x")
		if err := os.Chmod(m.path("closed"), 0o600); err != nil {
			t.Fatal(err)
		}
		cat := func(name string) bool {
			cmd := exec.Command("cat", m.path(name))
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1001, Gid: 1001}}
			return cmd.Run() == nil
		}
		if cat("open") != allow || cat("closed") {
			t.Errorf("allow_other %v: others read open %v, closed %v", allow, cat("open"), cat("closed"))
		}
	}
}

func TestParseMountInfo(t *testing.T) {
	const lines = `22 27 0:21 / /proc rw,relatime - proc proc rw
36 35 0:57 / /mnt/a\040b\134c rw,nosuid,nodev shared:1 master:2 - fuse.ragasfs ragas/app rw,user_id=0,group_id=0,allow_other
37 35 0:58 / /mnt/other rw - fuse.sshfs host: rw
38 35 0:59 / /mnt/ro ro,nosuid - fuse.ragasfs local/csv ro,user_id=1001
torn
`
	mounts, err := parseMountInfo(strings.NewReader(lines))
	if err != nil || len(mounts) != 2 {
		t.Fatalf("%+v, %v", mounts, err)
	}
	first, second := mounts[0], mounts[1]
	if first.Mountpoint != `/mnt/a b\c` || first.Source != "ragas/app" || first.Device != "0:57" || !slices.Contains(first.Options, "allow_other") {
		t.Errorf("%+v", first)
	}
	if second.Mountpoint != "/mnt/ro" || !slices.Contains(second.Options, "ro") || !slices.Contains(second.Options, "user_id=1001") {
		t.Errorf("%+v", second)
	}
}
