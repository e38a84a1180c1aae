package integration

import (
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCommands runs testdata/commands.sh on the local disk and in mounts. After
// every step exit code, output, and name, kind, size, mode, order of mtime and
// sha256 of every file are the same; at the end the store has the same tables.
//
// What may differ: the size, the number of links, the blocks and the order of a
// directory (every file system has its own), with that order the mtimes of files
// that one step wrote, and .git/index, which holds inode numbers and times. And
// the mtimes below .git: git writes an object again, or only looks at it, by
// whether its index was written in the same second as the file.
func TestCommands(t *testing.T) {
	for _, store := range []string{"local/csv", "ragas/app"} {
		t.Run(store, func(t *testing.T) { testCommands(t, store) })
	}
}

func testCommands(t *testing.T, store string) {
	t.Parallel()
	for _, name := range []string{"file", "flock", "git", "patch", "perl", "rsync", "sqlite3", "unzip", "xxd", "zip"} {
		program(t, name)
	}
	steps := readSteps(t)
	m := mountOn(t, store, "write_back=200ms")
	disk := newTree(t, t.TempDir(), t.TempDir())
	tree := newTree(t, m.Dir, t.TempDir())
	for _, w := range []*stepTree{disk, tree} {
		w.seed()
	}
	for _, step := range steps {
		want, got := disk.step(step), tree.step(step)
		if want != got {
			t.Fatalf("step %s\non the disk: %+v\nin the mount: %+v", step.title, want, got)
		}
		if diff := disk.compare(tree); diff != "" {
			t.Fatalf("after step %s:\n%s", step.title, diff)
		}
	}
	m.Flush()
	sameTables(t, "after the flush", disk.top, m)
	m.Unmount()
	sameTables(t, "after the unmount", disk.top, m)
	m.Mount()
	tree.look()
	if diff := disk.compareNow(tree); diff != "" {
		t.Errorf("after a remount:\n%s", diff)
	}
}

type step struct{ title, script string }

func readSteps(t *testing.T) []step {
	t.Helper()
	var steps []step
	for i, text := range strings.Split(readFile(t, "testdata/commands.sh"), "\n#: ")[1:] {
		title, script, _ := strings.Cut(text, "\n")
		if number := fmt.Sprint(i+1, " "); !strings.HasPrefix(title, number) {
			t.Fatalf("step %q should have the number %s", title, number)
		}
		steps = append(steps, step{title, script})
	}
	if len(steps) < 60 {
		t.Fatalf("only %d steps", len(steps))
	}
	return steps
}

// stepTree is a directory in which the steps run, and what is seen in it.
type stepTree struct {
	t            *testing.T
	top, in, out string
	env          []string
	files        map[string]seen // by path relative to top; those of out by "OUT/..."
	before       map[string]seen
	looks        int // how often it was looked
}

// seen is what is compared of a file.
type seen struct {
	kind  fs.FileMode // with permissions
	size  int64       // of anything but directories
	sum   string      // sha256, or the target of a link
	mtime time.Time
	step  int // that last changed mtime
}

// newTree works in top; other is a directory for everything outside of it.
func newTree(t *testing.T, top, other string) *stepTree {
	t.Helper()
	w := &stepTree{t: t, top: top, in: filepath.Join(other, "in"), out: filepath.Join(other, "out"), files: map[string]seen{}}
	w.env = append(os.Environ(),
		"IN="+w.in, "OUT="+w.out, "PY="+python(t), "HOME="+other, "TZ=UTC", "LC_ALL=C.UTF-8", "TIME_STYLE=+", "COLUMNS=80",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_AUTHOR_DATE=@0 +0000",
		"GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b", "GIT_COMMITTER_DATE=@0 +0000", "GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=init.defaultBranch", "GIT_CONFIG_VALUE_0=master")
	return w
}

// seed writes what the steps find: files outside, and a project made in place.
func (w *stepTree) seed() {
	w.t.Helper()
	script := `
umask 022
mkdir -p "$IN/project/datasets" "$IN/project/experiments" "$OUT"
printf 'question,answer,score\nWhat is the capital of France?,Paris,1\n"Is ""yes"" an answer?","yes, it is",2\n' > "$IN/qa.csv"
printf 'name,n,m\na,1,0\nb,2,0\n' > "$IN/more.csv"
printf 'name,n,m\na,1,0\nb,2,0\nc,3,0\n' > "$IN/more2.csv"
printf 'name,n\r\nold,1\r\n' > "$IN/dated.csv"
printf 'name,n,m\nalpha,1,1\nbeta,2,2\n' > "$IN/project/datasets/one.csv"
printf 'name,n,m\nrun,1,1\n' > "$IN/project/experiments/run.csv"
printf 'about\n' > "$IN/project/README.md"
chmod 640 "$IN/dated.csv"
touch -d '2021-01-02 03:04:05' "$IN"/*.csv
touch -d '2021-01-02 03:04:06' "$IN/project"/*/*.csv
mkdir -p p/datasets p/experiments
cp "$IN/qa.csv" p/datasets/qa.csv
{ echo id,answer,score; for i in $(seq 60); do echo "$i,answer $i,$((i % 7))"; done; } > p/datasets/big.csv
`
	if r := w.run(script); r.Code != 0 {
		w.t.Fatalf("seed: %+v", r)
	}
	w.look()
}

func (w *stepTree) run(script string) result {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), "bash", "-c", script, "step")
	cmd.Dir, cmd.Env, cmd.WaitDelay = w.top, w.env, time.Second
	return run(w.t, cmd)
}

// blocks is what ls says about the blocks of a directory, and directories are
// their lines: mode, links, owner and group, size.
var (
	blocks      = regexp.MustCompile(`(?m)^total \d+\n`)
	directories = regexp.MustCompile(`(?m)^(d\S+) +\d+( +\S+ +\S+ +)\d+`)
	spaces      = regexp.MustCompile(` +`)
)

// step runs a step and returns what it did, without what may differ.
func (w *stepTree) step(s step) result {
	w.t.Helper()
	r := w.run("umask 022\n" + s.script)
	for _, text := range []*string{&r.Out, &r.Err} {
		*text = strings.NewReplacer(w.top, "TOP", w.in, "IN", w.out, "OUT").Replace(*text)
		*text = blocks.ReplaceAllString(*text, "")
		*text = directories.ReplaceAllString(*text, "$1 N$2 N")
		*text = spaces.ReplaceAllString(*text, " ") // ls aligns columns
	}
	w.look()
	return r
}

// look takes in what there is now.
func (w *stepTree) look() {
	w.t.Helper()
	w.before, w.files = w.files, map[string]seen{}
	w.looks++
	for prefix, root := range map[string]string{"": w.top, "OUT": w.out} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(root, path)
			if err != nil || relative == "." {
				return err
			}
			name := filepath.Join(prefix, relative)
			s, err := look(path, entry)
			s.step = w.looks
			if before := w.before[name]; before.mtime.Equal(s.mtime) {
				s.step = before.step
			}
			w.files[name] = s
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func look(path string, entry fs.DirEntry) (seen, error) {
	info, err := entry.Info()
	if err != nil {
		return seen{}, err
	}
	s := seen{kind: info.Mode(), mtime: info.ModTime()}
	switch {
	case info.IsDir():
	case info.Mode().IsRegular():
		s.size = info.Size()
		data, err := os.ReadFile(path)
		if err != nil {
			return seen{}, err
		}
		sum := sha256.Sum256(data)
		s.sum = hex.EncodeToString(sum[:])
	default:
		if s.sum, err = os.Readlink(path); err != nil {
			return seen{}, err
		}
	}
	return s, nil
}

// compare says what differs between w and o, of what there is and of what the
// last step touched.
func (w *stepTree) compare(o *stepTree) string {
	diff := w.compareNow(o)
	for name, now := range w.files {
		before, there := w.before[name]
		other, known := o.before[name]
		if !there || !known || now.kind.IsDir() || strings.HasPrefix(name, "OUT") || inGit(name) {
			continue
		}
		if here, there := !now.mtime.Equal(before.mtime), !o.files[name].mtime.Equal(other.mtime); here != there {
			diff += fmt.Sprintf("%s: mtime moves: %v on the disk, %v in the mount\n", name, here, there)
		}
	}
	return diff
}

// compareNow is compare of what there is.
func (w *stepTree) compareNow(o *stepTree) string {
	var diff strings.Builder
	names := maps.Clone(w.files)
	maps.Copy(names, o.files)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		a, onDisk := w.files[name]
		b, inMount := o.files[name]
		if strings.HasSuffix(name, ".git/index") {
			a.sum, b.sum = "", ""
		}
		a.mtime, a.step, b.mtime, b.step = time.Time{}, 0, time.Time{}, 0 // below
		if onDisk != inMount || a != b {
			fmt.Fprintf(&diff, "%s:\n  on the disk:  %v %+v\n  in the mount: %v %+v\n", name, onDisk, a, inMount, b)
		}
	}
	if diff.Len() > 0 {
		return diff.String()
	}
	diff.WriteString(w.compareOrder(o))
	return diff.String()
}

// inGit reports whether a file is one of git's own.
func inGit(name string) bool { return strings.Contains(name, ".git/") }

// compareOrder compares the order of mtimes. Files that one of both wrote within
// one tick of its clock have no order.
func (w *stepTree) compareOrder(o *stepTree) string {
	diff := ""
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(w.files)), func(name string) bool { return w.files[name].kind.IsDir() || inGit(name) })
	for i, a := range names {
		for _, b := range names[:i] {
			onDisk, inMount := w.files[a].mtime.Compare(w.files[b].mtime), o.files[a].mtime.Compare(o.files[b].mtime)
			if onDisk*inMount < 0 && w.files[a].step != w.files[b].step {
				diff += fmt.Sprintf("mtimes of %s and %s: %+d on the disk, %+d in the mount\n", a, b, onDisk, inMount)
			}
		}
	}
	return diff
}

// sameTables compares the tables of a directory of projects with those of
// root_dir.
func sameTables(t *testing.T, when, top string, m *mounted) {
	t.Helper()
	tables := func(dir string) map[string]string {
		paths, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.csv"))
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for _, path := range paths {
			relative, err := filepath.Rel(dir, path)
			if err != nil {
				t.Fatal(err)
			}
			kind := filepath.Base(filepath.Dir(path))
			if kind == "datasets" || kind == "experiments" {
				found[relative] = readFile(t, path)
			}
		}
		return found
	}
	want := tables(top)
	if len(want) < 10 {
		t.Errorf("only %d tables are compared", len(want))
	}
	if m.Source == "ragas/app" {
		for name, content := range want {
			if got := m.Store(name); !slices.Equal(sortedRecords(t, got), sortedRecords(t, content)) {
				t.Errorf("%s: the store has of %s\n%s, want\n%s", when, name, got, content)
			}
		}
		return
	}
	got := tables(m.Root)
	if maps.Equal(want, got) {
		return
	}
	for name := range want {
		if content, ok := got[name]; !ok || content != want[name] {
			t.Errorf("%s: root_dir has %s: %v, of %d bytes instead of %d", when, name, ok, len(content), len(want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: root_dir has %s, which is no more", when, name)
		}
	}
}

// sortedRecords are the rows of a table in a fixed order, whatever its dialect.
func sortedRecords(t *testing.T, content string) []string {
	t.Helper()
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(content, "\ufeff")))
	reader.LazyQuotes, reader.FieldsPerRecord = true, -1
	records, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, record := range records {
		rows = append(rows, fmt.Sprintf("%q", record))
	}
	slices.Sort(rows)
	return rows
}
