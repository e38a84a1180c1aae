package disk_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// failing is a disk on which the calls with that label fail.
func failing(label string, err error) *disk.FS {
	return &disk.FS{Fail: func(got, _ string) error {
		if got == label {
			return err
		}
		return nil
	}}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wants fails the test if a file does not have that content.
func wants(t *testing.T, path, content string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil || string(data) != content {
		t.Errorf("%s has %q, %v; want %q", path, data, err, content)
	}
}

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return strings.Join(all, " ")
}

// otherFS is a directory on another file system.
func otherFS(t *testing.T, than string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "ragasfs-test-*")
	if err != nil {
		t.Skipf("there is no other file system: %v", err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	var here, there syscall.Stat_t
	if err := errors.Join(syscall.Stat(dir, &here), syscall.Stat(than, &there)); err != nil {
		t.Fatal(err)
	}
	if here.Dev == there.Dev {
		t.Skip("there is no other file system")
	}
	return dir
}

// Every call asks with its label and path, gives the error in a form that names
// both, and does nothing then.
func TestEveryCallCanFail(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write(t, path, "content")
	open, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close() }()
	other := filepath.Join(dir, "other")
	for name, call := range map[string]func(d *disk.FS) error{
		"OpenFile":        func(d *disk.FS) error { _, err := d.OpenFile("label", other, os.O_CREATE, 0o600); return err },
		"ReadFile":        func(d *disk.FS) error { _, err := d.ReadFile("label", path); return err },
		"WriteAt":         func(d *disk.FS) error { _, err := d.WriteAt("label", open, []byte("x"), 0); return err },
		"Truncate":        func(d *disk.FS) error { return d.Truncate("label", open, 0) },
		"Rename":          func(d *disk.FS) error { return d.Rename("label", path, other) },
		"RenameNoReplace": func(d *disk.FS) error { return d.RenameNoReplace("label", path, other) },
		"Exchange":        func(d *disk.FS) error { return d.Exchange("label", path, other) },
		"Link":            func(d *disk.FS) error { return d.Link("label", path, other) },
		"Symlink":         func(d *disk.FS) error { return d.Symlink("label", path, other) },
		"Mkdir":           func(d *disk.FS) error { return d.Mkdir("label", other, 0o700) },
		"MkdirAll":        func(d *disk.FS) error { return d.MkdirAll("label", other, 0o700) },
		"Remove":          func(d *disk.FS) error { return d.Remove("label", path) },
		"RemoveAll":       func(d *disk.FS) error { return d.RemoveAll("label", path) },
		"Sync":            func(d *disk.FS) error { return d.Sync("label", open) },
		"SyncDir":         func(d *disk.FS) error { return d.SyncDir("label", dir) },
		"WriteFile":       func(d *disk.FS) error { return d.WriteFile("label", path, nil, 0o600) },
		"Copy":            func(d *disk.FS) error { _, err := d.Copy("label", other, path, -1); return err },
		"Move":            func(d *disk.FS) error { return d.Move("label", path, other) },
		"Quarantine":      func(d *disk.FS) error { _, err := d.Quarantine("label", path, filepath.Join(dir, "lf")); return err },
		"Free":            func(d *disk.FS) error { _, err := d.Free("label", dir); return err },
	} {
		asked := ""
		err := call(&disk.FS{Fail: func(label, path string) error {
			asked += label + " " + path + "\n"
			if label != "label" {
				return nil
			}
			return syscall.ENOSPC
		}})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "label") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(asked, "label "+dir) {
			t.Errorf("%s asked %q", name, asked)
		}
		if err := os.RemoveAll(filepath.Join(dir, "lf")); err != nil {
			t.Fatal(err)
		}
		if names(t, dir) != "file" {
			t.Fatalf("%s did something: %s", name, names(t, dir))
		}
		wants(t, path, "content")
	}
}

// Real errors keep their cause and say what was done to which path.
func TestErrorsNameLabelAndPath(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	var d *disk.FS // the real one, too
	for name, err := range map[string]error{
		"Remove":  d.Remove("gone:remove", none),
		"Rename":  d.Rename("gone:rename", none, none+"2"),
		"SyncDir": d.SyncDir("gone:sync", none),
		"Copy":    second(d.Copy("gone:copy", none+"2", none, -1)),
		"Free":    second(d.Free("gone:free", none)),
	} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), none) || !strings.HasPrefix(err.Error(), "gone:") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestRenameFamily(t *testing.T) {
	dir, d := t.TempDir(), &disk.FS{}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	write(t, a, "a")
	write(t, b, "b")
	if err := d.RenameNoReplace("x", a, b); !errors.Is(err, fs.ErrExist) {
		t.Errorf("RenameNoReplace: %v", err)
	}
	if err := d.Exchange("x", a, b); err != nil {
		t.Error(err)
	}
	wants(t, a, "b")
	wants(t, b, "a")
	if err := d.Rename("x", a, b); err != nil {
		t.Error(err)
	}
	wants(t, b, "b")
	if names(t, dir) != "b" {
		t.Errorf("left: %s", names(t, dir))
	}
}

func TestWriteFileIsAllOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("n", 255)) // the temporary name must fit, too
	for _, step := range []string{"w", "w/write", "w/sync", "w/rename", "w/syncdir"} {
		write(t, path, "old")
		err := failing(step, syscall.EIO).WriteFile("w", path, []byte("new"), 0o640)
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", step, err)
		}
		if step == "w/syncdir" {
			wants(t, path, "new")
		} else {
			wants(t, path, "old")
		}
		if names(t, dir) != filepath.Base(path) {
			t.Errorf("%s left %s", step, names(t, dir))
		}
	}
	if err := (*disk.FS)(nil).WriteFile("w", path, []byte("newer"), 0o640); err != nil {
		t.Fatal(err)
	}
	wants(t, path, "newer")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestCopy(t *testing.T) {
	dir, d := t.TempDir(), &disk.FS{}
	content := bytes.Repeat([]byte("0123456789abcdef\n"), 200_000) // 3.4 MB
	for name, to := range map[string]string{"same file system": dir, "other file system": ""} {
		t.Run(name, func(t *testing.T) {
			if to == "" {
				to = otherFS(t, dir)
			}
			src, dst := filepath.Join(dir, "src"), filepath.Join(to, "dst")
			write(t, src, string(content))
			mtime := time.Date(2020, 2, 29, 1, 2, 3, 456789, time.UTC)
			if err := errors.Join(os.Chmod(src, 0o640), os.Chtimes(src, mtime.Add(time.Hour), mtime)); err != nil {
				t.Fatal(err)
			}
			for _, length := range []int64{-1, int64(len(content)), int64(len(content)) - 1, 4096, 1, 0} {
				size, err := d.Copy("c", dst, src, length)
				if err != nil {
					t.Fatal(err)
				}
				want := length
				if want < 0 {
					want = int64(len(content))
				}
				got, err := os.ReadFile(dst)
				if err != nil || size != want || !bytes.Equal(got, content[:want]) {
					t.Errorf("length %d: answered %d, wrote %d, %v", length, size, len(got), err)
				}
				info, err := os.Stat(dst)
				if err != nil || info.Mode() != 0o640 || !info.ModTime().Equal(mtime) {
					t.Errorf("length %d: %v, %v, %v", length, info.Mode(), info.ModTime(), err)
				}
				stat := info.Sys().(*syscall.Stat_t)
				if atime := time.Unix(stat.Atim.Unix()); !atime.Equal(mtime.Add(time.Hour)) && atime.Before(time.Now().Add(-time.Minute)) {
					t.Errorf("length %d: atime %v", length, atime)
				}
				if err := os.Remove(dst); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestCopyFails(t *testing.T) {
	dir, d := t.TempDir(), &disk.FS{}
	src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	write(t, src, "12345")
	if _, err := d.Copy("c", dst, src, 6); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short source: %v", err)
	}
	if _, err := failing("c/bytes", syscall.ENOSPC).Copy("c", dst, src, -1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	if names(t, dir) != "src" {
		t.Errorf("left behind: %s", names(t, dir))
	}
	write(t, dst, "precious")
	if _, err := d.Copy("c", dst, src, -1); !errors.Is(err, fs.ErrExist) {
		t.Errorf("onto a file: %v", err)
	}
	wants(t, dst, "precious")
}

func TestMove(t *testing.T) {
	here, d := t.TempDir(), &disk.FS{}
	for name, to := range map[string]string{"same file system": t.TempDir(), "other file system": ""} {
		t.Run(name, func(t *testing.T) {
			if to == "" {
				to = otherFS(t, here)
			}
			src, dst := filepath.Join(here, "src"), filepath.Join(to, "dst")
			write(t, src, "new")
			write(t, dst, "old")
			if err := d.Move("m", src, dst); err != nil {
				t.Fatal(err)
			}
			wants(t, dst, "new")
			if names(t, here) != "" || names(t, to) != "dst" {
				t.Errorf("left %q and %q", names(t, here), names(t, to))
			}
		})
	}
}

// Between file systems every step can fail; until the last one the source stays
// and the target is whole.
func TestMoveBetweenFileSystemsFails(t *testing.T) {
	here := t.TempDir()
	there := otherFS(t, here)
	src, dst := filepath.Join(here, "src"), filepath.Join(there, "dst")
	for _, step := range []string{"m/copy", "m/copy/bytes", "m/sync", "m/rename", "m/syncdir", "m/remove"} {
		write(t, src, "new")
		write(t, dst, "old")
		if err := failing(step, syscall.EIO).Move("m", src, dst); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v", step, err)
		}
		wants(t, src, "new")
		if step == "m/syncdir" || step == "m/remove" {
			wants(t, dst, "new")
		} else {
			wants(t, dst, "old")
		}
		if names(t, there) != "dst" {
			t.Errorf("%s left %s", step, names(t, there))
		}
	}
	if err := (&disk.FS{}).Move("m", here, filepath.Join(there, "dir")); !errors.Is(err, syscall.EXDEV) {
		t.Errorf("a directory: %v", err)
	}
}

func TestQuarantine(t *testing.T) {
	dir, d := t.TempDir(), &disk.FS{}
	lost := filepath.Join(dir, "lost+found")
	path := filepath.Join(dir, strings.Repeat("n", 255))
	seen := map[string]bool{}
	for _, content := range []string{"first", "second"} {
		write(t, path, content)
		to, err := d.Quarantine("q", path, lost)
		if err != nil {
			t.Fatal(err)
		}
		wants(t, to, content)
		if seen[to] || filepath.Dir(to) != lost || !strings.HasPrefix(filepath.Base(to), "nnn") {
			t.Errorf("moved to %s", to)
		}
		seen[to] = true
	}
	if info, err := os.Stat(lost); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("lost+found: %v, %v", info, err)
	}
	tree := filepath.Join(dir, "tree")
	if err := os.Mkdir(tree, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tree, "x"), "inside")
	to, err := d.Quarantine("q", tree, lost)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, filepath.Join(to, "x"), "inside")
	if names(t, dir) != "lost+found" {
		t.Errorf("left: %s", names(t, dir))
	}

	write(t, path, "kept")
	if _, err := failing("q", syscall.EIO).Quarantine("q", path, lost); !errors.Is(err, syscall.EIO) {
		t.Errorf("a failed quarantine: %v", err)
	}
	wants(t, path, "kept")
	other := otherFS(t, dir)
	to, err = d.Quarantine("q", path, other)
	if err != nil {
		t.Fatal(err)
	}
	wants(t, to, "kept")
}

func TestFree(t *testing.T) {
	free, err := (&disk.FS{}).Free("f", t.TempDir())
	if err != nil || free <= 0 {
		t.Errorf("Free = %d, %v", free, err)
	}
}
