package fs

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A truncating open of a table gets a new generation: the kernel is told ESTALE,
// looks again, and no program notices. Whoever reads keeps what it has.
func TestMountTruncatingOpenMakesANewGeneration(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "a,b\n1,2\n")
	reader, err := os.Open(m.path("qa.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	var before unix.Stat_t
	if err := unix.Fstat(int(reader.Fd()), &before); err != nil {
		t.Fatal(err)
	}
	writers := map[string]func() error{
		"open('w')": func() error { return os.WriteFile(m.path("qa.csv"), []byte("new\n"), 0o644) },
		"sh >":      func() error { return exec.Command("sh", "-c", "echo new > "+m.path("qa.csv")).Run() },
		"tee": func() error {
			cmd := exec.Command("tee", m.path("qa.csv"))
			cmd.Stdin = strings.NewReader("new\n")
			return cmd.Run()
		},
	}
	for name, write := range writers {
		if err := write(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		m.wantContent("qa.csv", "new\n")
	}
	old := make([]byte, 100)
	if n, err := reader.ReadAt(old, 0); err != io.EOF || string(old[:n]) != "a,b\n1,2\n" {
		t.Errorf("the reader lost its content: %q, %v", old[:n], err)
	}
	var after unix.Stat_t
	if err := unix.Stat(m.path("qa.csv"), &after); err != nil {
		t.Fatal(err)
	}
	if after.Ino != before.Ino || after.Size != 4 {
		t.Errorf("inode %d, was %d; size %d", after.Ino, before.Ino, after.Size)
	}
	m.wantLog("stale file handle") // else nothing was tested
}

// New content that comes in from elsewhere shows at once, though the kernel was
// told to believe names for a minute. An open file keeps the old content.
func TestMountReplacedContentShows(t *testing.T) {
	m := start(t, Options{})
	m.mkdir("p")
	for _, name := range []string{"qa.csv", "p/qa.csv"} {
		m.write(name, "old\n")
		m.wantContent(name, "old\n")
		reader, err := os.Open(m.path(name))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reader.Close() }()
		m.tell("replace %s from elsewhere", name)
		eventually(t, "new content", func() bool {
			b, err := os.ReadFile(m.path(name))
			return err == nil && string(b) == "from elsewhere\n"
		})
		if b, err := io.ReadAll(reader); err != nil || string(b) != "old\n" {
			t.Errorf("%s: the open file shows %q, %v", name, b, err)
		}
		// Appending to a stale inode would overwrite what has come.
		if err := exec.Command("sh", "-c", "echo more >> "+m.path(name)).Run(); err != nil {
			t.Error(err)
		}
		m.wantContent(name, "from elsewhere\nmore\n")
	}
}

func TestMountChangedAttributesAndGoneNamesShow(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "x\n")
	mode := func() os.FileMode {
		info, err := os.Stat(m.path("qa.csv"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if mode() != 0o644 {
		t.Fatalf("mode %v", mode())
	}
	m.tell("chmod qa.csv")
	eventually(t, "new mode", func() bool { return mode() == 0o600 })
	m.tell("remove qa.csv")
	eventually(t, "no name", func() bool {
		_, err := os.Stat(m.path("qa.csv"))
		return errors.Is(err, os.ErrNotExist)
	})
}

// A size that is only the last known one is asked for every time.
func TestMountProvisionalSizeIsNotRemembered(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "x\n")
	m.tell("pretend qa.csv 5000")
	m.tell("chmod qa.csv") // to forget the size of before
	size := func() int64 {
		info, err := os.Stat(m.path("qa.csv"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	eventually(t, "provisional size", func() bool { return size() == 5000 })
	m.tell("pretend qa.csv 6000")
	if size() != 6000 {
		t.Errorf("size %d: it was remembered", size())
	}
}

// A handler must not wait for the kernel, nor the kernel for a handler.
func TestMountManyNotificationsWhileNamesChange(t *testing.T) {
	m := start(t, Options{})
	m.mkdir("d")
	done := make(chan error, 1)
	go func() {
		for i := range 100 {
			name := filepath.Join(m.dir, "d", "f"+string(rune('0'+i%10)))
			if err := os.WriteFile(name, nil, 0o644); err != nil {
				done <- err
				return
			}
			if err := errors.Join(os.Rename(name, name+"x"), os.Remove(name+"x")); err != nil {
				done <- err
				return
			}
			if _, err := os.ReadDir(m.path("d")); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for {
		m.tell("storm d")
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// Reader and writer of one file see the same bytes, in either order of opening,
// through descriptors and mappings.
func TestMountReaderAndWriterAgree(t *testing.T) {
	m := start(t, Options{})
	for _, readerFirst := range []bool{true, false} {
		m.write("qa.csv", strings.Repeat("0123456789\n", 1000))
		open := func(flags int) *os.File {
			f, err := os.OpenFile(m.path("qa.csv"), flags, 0)
			if err != nil {
				t.Fatalf("reader first %v: %v", readerFirst, err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return f
		}
		var reader, writer *os.File
		if readerFirst {
			reader, writer = open(os.O_RDONLY), open(os.O_RDWR)
		} else {
			writer, reader = open(os.O_RDWR), open(os.O_RDONLY)
		}
		seen, err := unix.Mmap(int(reader.Fd()), 0, 11000, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		made, err := unix.Mmap(int(writer.Fd()), 0, 11000, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		check := func(off int, want string) {
			t.Helper()
			got := make([]byte, len(want))
			if _, err := reader.ReadAt(got, int64(off)); err != nil || string(got) != want {
				t.Errorf("reader first %v: %q at %d, want %q, %v", readerFirst, got, off, want, err)
			}
			if string(seen[off:off+len(want)]) != want {
				t.Errorf("reader first %v: the mapping has %q at %d, want %q", readerFirst, seen[off:off+len(want)], off, want)
			}
		}
		check(0, "0123")
		if _, err := writer.WriteAt([]byte("WRITTEN"), 5000); err != nil {
			t.Fatal(err)
		}
		check(5000, "WRITTEN")
		copy(made[9000:], "MAPPED")
		check(9000, "MAPPED")

		appender := open(os.O_WRONLY | os.O_APPEND)
		for _, text := range []string{"one\n", "two\n"} {
			if _, err := appender.WriteString(text); err != nil {
				t.Fatal(err)
			}
		}
		tail := make([]byte, 8)
		if _, err := reader.ReadAt(tail, 11000); err != nil || string(tail) != "one\ntwo\n" {
			t.Errorf("appended: %q, %v", tail, err)
		}
		if info, err := reader.Stat(); err != nil || info.Size() != 11008 {
			t.Errorf("size %d, %v", info.Size(), err)
		}
		if err := errors.Join(unix.Munmap(seen), unix.Munmap(made)); err != nil {
			t.Fatal(err)
		}
		for _, f := range []*os.File{reader, writer, appender} {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		// Changed pages of the mapping are stored as well, where they belong.
		want := []byte(strings.Repeat("0123456789\n", 1000) + "one\ntwo\n")
		copy(want[5000:], "WRITTEN")
		copy(want[9000:], "MAPPED")
		m.wantContent("qa.csv", string(want))
		m.wantStored("qa.csv", string(want))
	}
}

// A changed page goes where it belongs, or is refused; never behind the end.
func TestMountMappingOfAnAppendingHandle(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "0123456789\n")
	f, err := os.OpenFile(m.path("qa.csv"), os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := unix.Mmap(int(f.Fd()), 0, 11, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	copy(mapping, "MAPPED")
	err = unix.Msync(mapping, unix.MS_SYNC)
	if os.Geteuid() == 0 {
		wantErrno(t, "msync", err, 0)
		m.wantStored("qa.csv", "MAPPED6789\n")
	} else {
		wantErrno(t, "msync", err, syscall.EIO)
		m.wantStored("qa.csv", "0123456789\n")
	}
	if err := errors.Join(unix.Munmap(mapping), f.Close()); err != nil {
		t.Error(err)
	}
}

// How files are opened is the same for all, and is what the user's rights allow.
func TestMountPassthroughIsUsedByRoot(t *testing.T) {
	m := start(t, Options{})
	m.write("qa.csv", "still here\n")
	reader, err := os.Open(m.path("qa.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	if os.Geteuid() != 0 {
		m.wantLog("passthrough=false")
		return
	}
	m.wantLog("passthrough=true")
	// The proof: it can be read without the daemon.
	m.kill()
	b := make([]byte, 20)
	if n, err := reader.ReadAt(b, 0); err != io.EOF || string(b[:n]) != "still here\n" {
		t.Errorf("%q, %v", b[:n], err)
	}
	if err := Unmount(m.dir, true); err != nil {
		t.Error(err)
	}
}

func TestMountErrorsReachTheProgram(t *testing.T) {
	m := start(t, Options{})
	for name, want := range map[string]syscall.Errno{
		"offline.csv": syscall.ENETUNREACH,
		"auth.csv":    syscall.EKEYEXPIRED,
		"damaged.csv": syscall.ESTALE, // not ENOENT: it would be made anew
		"panic.csv":   syscall.EIO,
		"missing.csv": syscall.ENOENT,
	} {
		if _, err := os.ReadFile(m.path(name)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	f, err := os.Create(m.path("bad.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("INVALID"); err != nil {
		t.Error("write:", err)
	}
	if err := f.Close(); !errors.Is(err, syscall.EBADMSG) {
		t.Errorf("close: %v", err)
	}
	m.wantContent("bad.csv", "INVALID")

	// After a panic the mount goes on.
	m.write("other.csv", "x\n")
	m.wantContent("other.csv", "x\n")
	for _, want := range []string{"on purpose", "behave", "path=offline.csv", "network is unreachable"} {
		m.wantLog(want)
	}
}

// A first load that takes long ends when the program is interrupted.
func TestMountOpenCanBeInterrupted(t *testing.T) {
	m := start(t, Options{})
	caught := make(chan os.Signal, 100)
	signal.Notify(caught, unix.SIGUSR1)
	defer signal.Stop(caught)
	thread := make(chan int, 1)
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		_, err := syscall.Open(m.path("slow.csv"), syscall.O_RDONLY, 0)
		result <- err
	}()
	tid := <-thread
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := unix.Tgkill(os.Getpid(), tid, unix.SIGUSR1); err != nil {
				t.Fatal(err)
			}
		case err := <-result:
			if !errors.Is(err, syscall.EINTR) {
				t.Errorf("open: %v", err)
			}
			return
		case <-deadline:
			t.Fatal("open is not interrupted")
		}
	}
}

// Content without a descriptor is read through the daemon.
func TestMountVirtualContent(t *testing.T) {
	m := start(t, Options{})
	m.wantContent("virtual.txt", "made up\n")
	out, err := exec.Command("cat", m.path("virtual.txt")).Output()
	if err != nil || string(out) != "made up\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// Large copies: every size of request, splice, and the kernel's own copying.
func TestMountCopies(t *testing.T) {
	m := start(t, Options{})
	content := bytes.Repeat([]byte("0123456789abcdef\n"), 300_000)
	outside := filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(m.path("in"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{m.path("in"), m.path("copy")}, {m.path("copy"), outside}, {outside, m.path("back")}} {
		if out, err := exec.Command("cp", c[0], c[1]).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got, err := os.ReadFile(c[1]); err != nil || !bytes.Equal(got, content) {
			t.Errorf("cp %v: %d bytes, %v", c, len(got), err)
		}
	}
	small := exec.Command("dd", "if="+m.path("in"), "of="+m.path("small"), "bs=1000", "count=500")
	if out, err := small.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(m.path("small")); err != nil || !bytes.Equal(got, content[:500_000]) {
		t.Errorf("dd: %d bytes, %v", len(got), err)
	}
}
