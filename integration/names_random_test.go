package integration

import (
	"cmp"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestRandomNames makes the same changes of names, at random, on the local disk
// and in a mount: each gives the same errno, and afterwards both show the same.
// In between the mount is flushed, unmounted and killed. At the end, when
// everything that is held is confirmed, the store has exactly the tables that are
// shown. RAGASFS_NAMES=SEED repeats a run, RAGASFS_STEPS makes it longer.
func TestRandomNames(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		seed, steps := rand.Uint64(), 150
		if text := os.Getenv("RAGASFS_NAMES"); text != "" {
			var err error
			if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := strconv.Atoi(os.Getenv("RAGASFS_STEPS")); err == nil {
			steps = n
		}
		t.Logf("RAGASFS_NAMES=%d", seed)
		r := namesRun{t: t, m: m, disk: t.TempDir(), rand: rand.New(rand.NewPCG(seed, 0)),
			options: []string{"write_back=1h", "delete_after=1h", "guard=off"}}
		for _, name := range []string{qa, "p/experiments/run.csv"} {
			s.put(name, r.table())
			r.on(name, func(p string) error { return os.MkdirAll(filepath.Dir(p), 0o755) })
			if err := os.WriteFile(filepath.Join(r.disk, name), []byte(s.tables()[name]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		m.Mount(r.options...)
		for _, dir := range []string{"p/sub", ".scratch", "p/datasets/deep", "new", "new/datasets"} {
			r.both("mkdir "+dir, func(root string) error { return os.Mkdir(filepath.Join(root, dir), 0o755) })
		}
		r.compare("at first")
		for range steps {
			r.step()
			if t.Failed() {
				t.Fatalf("the steps:\n%s", strings.Join(r.log, "\n"))
			}
		}
		r.compare("at the end")
		m.Run("flush", m.Dir)
		m.Run("confirm", m.Dir) // exit code 1 if nothing is held
		m.Flush()
		r.compare("after the flush")
		want := map[string]string{}
		for name, content := range tree(t, r.disk) {
			parts := strings.Split(name, "/")
			if len(parts) == 3 && (parts[1] == "datasets" || parts[1] == "experiments") && strings.HasSuffix(name, ".csv") && !strings.HasPrefix(parts[2], ".") && !strings.HasPrefix(name, ".") {
				want[name] = plain(content)
			}
		}
		got := s.tables()
		for name := range got {
			if strings.HasSuffix(name, "/") { // projects without tables
				delete(got, name)
			}
		}
		same(t, "the store", got, want)
		if t.Failed() {
			t.Fatalf("the steps:\n%s", strings.Join(r.log, "\n"))
		}
	})
}

type namesRun struct {
	t       *testing.T
	m       *mounted
	disk    string
	rand    *rand.Rand
	options []string
	log     []string
	made    int
}

// table is a content that was never there before.
func (r *namesRun) table() string {
	r.made++
	return fmt.Sprintf("q,a\nx,%d\ny,%d\n", r.made, r.made+1)
}

// on does something on the disk only.
func (r *namesRun) on(name string, do func(path string) error) {
	r.t.Helper()
	if err := do(filepath.Join(r.disk, name)); err != nil {
		r.t.Fatal(err)
	}
}

func pick[T any](r *namesRun, from ...T) T { return from[r.rand.IntN(len(from))] }

func (r *namesRun) dir() string {
	return pick(r, "p/datasets", "p/datasets", "p/datasets", "p/experiments", "p", "p/sub", "new/datasets", "new", ".scratch", "p/datasets/deep")
}

func (r *namesRun) file() string {
	return filepath.Join(r.dir(), pick(r, "qa.csv", "qa.csv", "b.csv", "c.csv", "run.csv", "qa.csv~", ".hidden.csv", "x", "tmp_b.csv", "4913"))
}

// existing is a file that is there, most of the time.
func (r *namesRun) existing() string {
	r.t.Helper()
	var names []string
	err := filepath.WalkDir(r.disk, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, strings.TrimPrefix(path, r.disk+"/"))
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(names) == 0 || r.rand.IntN(5) == 0 {
		return r.file()
	}
	return pick(r, names...)
}

// isTable: the name is a table's, if its folder is there.
func isTable(name string) bool {
	parts := strings.Split(name, "/")
	return len(parts) == 3 && parts[0] != ".scratch" && parts[1] != "sub" && strings.HasSuffix(name, ".csv") && parts[2][0] != '.'
}

// both does something in both trees; the errno must be the same.
func (r *namesRun) both(what string, do func(root string) error) {
	r.t.Helper()
	want := errnoOf(do(r.disk))
	got := errnoOf(do(r.m.Dir))
	r.log = append(r.log, fmt.Sprintf("%s: %v", what, want))
	if got != want {
		r.t.Errorf("%s: %v, on the disk %v", what, got, want)
	}
}

func (r *namesRun) step() {
	r.t.Helper()
	name, other := r.existing(), r.file()
	in := filepath.Join
	switch n := r.rand.IntN(100); {
	case n < 25:
		content, name := r.table(), other
		r.both("write "+name+" "+strconv.Quote(content), func(root string) error { return os.WriteFile(in(root, name), []byte(content), 0o644) })
	case n < 50:
		if isTable(name) && isTable(other) && filepath.Dir(name) != filepath.Dir(other) {
			return // EXDEV: see TestRenameElsewhere
		}
		if info, err := os.Stat(in(r.disk, name)); err == nil && isTable(other) && info.Sys().(*syscall.Stat_t).Nlink > 1 {
			return // a table has one name
		}
		r.both("mv "+name+" "+other, func(root string) error { return os.Rename(in(root, name), in(root, other)) })
	case n < 65:
		r.both("rm "+name, func(root string) error { return os.Remove(in(root, name)) })
	case n < 70:
		r.both("cp "+name+" "+other, func(root string) error {
			data, err := os.ReadFile(in(root, name))
			if err != nil {
				return err
			}
			return os.WriteFile(in(root, other), data, 0o644)
		})
	case n < 75:
		if isTable(name) || isTable(other) {
			return // see TestLinkOfTable
		}
		r.both("ln "+name+" "+other, func(root string) error { return os.Link(in(root, name), in(root, other)) })
	case n < 82:
		dir := r.dir()
		r.both("mkdir "+dir, func(root string) error { return os.Mkdir(in(root, dir), 0o755) })
	case n < 86:
		dir := r.dir()
		if !strings.ContainsAny(dir, "./") {
			return // a project goes with its folders, if they are empty
		}
		r.both("rmdir "+dir, func(root string) error { return os.Remove(in(root, dir)) })
	case n < 88:
		dir := pick(r, "new", "p/datasets/deep", "p/sub", "p/experiments")
		r.both("rm -r "+dir, func(root string) error { return os.RemoveAll(in(root, dir)) })
	case n < 96:
		r.compare("in between")
	case n < 98:
		r.log = append(r.log, "flush")
		r.m.Run("flush", r.m.Dir)
	case n < 99:
		r.log = append(r.log, "remount")
		r.m.Run("unmount", r.m.Dir)
		r.m.Mount(r.options...)
		r.compare("after a remount")
	default:
		r.log = append(r.log, "kill")
		r.m.Kill9()
		r.m.Mount(r.options...)
		r.compare("after a kill")
	}
}

// compare compares what both trees show.
func (r *namesRun) compare(when string) {
	r.t.Helper()
	want, got := r.look(r.disk), r.look(r.m.Dir)
	if !slices.Equal(got, want) {
		r.t.Errorf("%s the mount shows\n%s\nwant\n%s", when, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (r *namesRun) look(root string) []string {
	r.t.Helper()
	var lines []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		if entry.IsDir() {
			lines = append(lines, name+"/")
			return nil
		}
		data, err := os.ReadFile(path)
		lines = append(lines, name+" "+strconv.Quote(plain(string(data))))
		return err
	})
	if err != nil {
		r.t.Errorf("%v", err)
	}
	slices.SortFunc(lines, cmp.Compare[string])
	return lines
}
