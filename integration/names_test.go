package integration

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// small is a valid table.
const small = "q,a\nx,1\ny,2\n"

// tree lists all files below a directory with their content. What local/csv
// keeps beside its tables for some seconds, with names that no reader of Ragas
// takes for tables, is left out.
func tree(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".ragasfs-") {
			return err
		}
		relative, err := filepath.Rel(root, path)
		files[relative] = readFile(t, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// same compares two sets of files.
func same(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	t.Errorf("%s:\n got %q\nwant %q", what, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	for name, content := range want {
		if other, ok := got[name]; ok && other != content {
			t.Errorf("%s: %s is %q, want %q", what, name, other, content)
		}
	}
}

// TestTableNames: what is a table goes to the store, everything else stays on
// this machine, over remounts; what stands beside the tables in root_dir is
// neither shown nor touched.
func TestTableNames(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms")
	outside := map[string]string{"stray.txt": "1", "p/notes.md": "2", "p/datasets/readme": "3", "p/datasets/.hidden.csv": small, "p/other/x.csv": small}
	for name, content := range outside {
		m.Seed(name, content)
	}
	m.Mount()
	tables, scratch := map[string]string{}, map[string]string{}
	for _, name := range []string{"qa.csv", "a b.csv", "x.y.csv", "Größe.csv", "0.csv", "qa.csv.csv", strings.Repeat("n", 251) + ".csv"} {
		tables["p/datasets/"+name], tables["p/experiments/"+name] = small, small
	}
	for _, name := range []string{
		"p/datasets/.qa.csv", "p/datasets/~qa.csv", "p/datasets/#qa.csv#", "p/datasets/#qa.csv", "p/datasets/qa.csv~", "p/datasets/qa.csv.tmp",
		"p/datasets/.~lock.qa.csv#", "p/datasets/.qa.csv.swp", "p/datasets/4913", "p/datasets/sedAbC123", "p/datasets/qa.CSV", "p/datasets/.csv",
		"p/datasets/report.pdf", "p/datasets/sub/qa.csv", "p/qa.csv", "p/sub/datasets/qa.csv", "qa.csv", ".DS_Store", ".scratch/datasets/qa.csv",
	} {
		scratch[name] = "scratch " + name
	}
	for name, content := range mergeFiles(tables, scratch) {
		if err := os.MkdirAll(filepath.Dir(m.Path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		m.Write(name, content)
	}
	m.Flush()
	same(t, "root_dir", tree(t, m.Root), mergeFiles(outside, tables))
	same(t, "the mount", tree(t, m.Dir), mergeFiles(tables, scratch))
	m.Remount()
	same(t, "the mount after a remount", tree(t, m.Dir), mergeFiles(tables, scratch))
	m.Kill9()
	m.Mount()
	same(t, "the mount after a kill", tree(t, m.Dir), mergeFiles(tables, scratch))

	// Files that look as if they mattered are named, once they are an hour old.
	m.Sh("touch -d '2 hours ago' p/datasets/report.pdf p/datasets/qa.csv.tmp p/datasets/.qa.csv.swp")
	if notices := fmt.Sprint(m.Status().Notices); !strings.Contains(notices, "1 file is only on this machine") || !strings.Contains(notices, "report.pdf") {
		t.Errorf("the status says %s", notices)
	}
	r := m.Run("unmount", m.Dir)
	if !strings.Contains(r.Err, "report.pdf") || strings.Contains(r.Err, ".swp") || r.Code != 0 {
		t.Errorf("unmount: %+v", r)
	}
}

func mergeFiles(sets ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// TestRefusedNames: EINVAL for what can't be the name of a table or project, and
// EEXIST for what is another name but for case. Scratch may be called anything.
func TestRefusedNames(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms")
	m.Seed(qa, small)
	m.Mount()
	m.Write("p/datasets/temp", small)
	refuse := func(name string, want syscall.Errno) {
		t.Helper()
		path := m.Path(filepath.Join("p/datasets", name+".csv"))
		_, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
		if got := errnoOf(err); got != want {
			t.Errorf("create %q: %v", name, got)
		}
		if got := errnoOf(os.Rename(m.Path("p/datasets/temp"), path)); got != want {
			t.Errorf("rename onto %q: %v", name, got)
		}
		if got := errnoOf(os.Rename(m.Path(qa), path)); got != want && name != "QA" { // a table may change its case
			t.Errorf("rename a table to %q: %v", name, got)
		}
		if m.Read("p/datasets/temp") != small || name != "QA" && m.Read(qa) != small {
			t.Errorf("%q: the source is gone", name)
		}
	}
	for _, name := range []string{`a\b`, "tab\tbed", "new\nline", " outer", "outer ", "bell\a", "\u200b", "no\xffutf8"} {
		refuse(name, syscall.EINVAL)
		if name[0] == ' ' || name[len(name)-1] == ' ' || !strings.HasSuffix(name, "/") {
			if got := errnoOf(os.Mkdir(m.Path(name), 0o755)); got != syscall.EINVAL {
				t.Errorf("mkdir %q: %v", name, got)
			}
		}
	}
	refuse(strings.Repeat("x", 300), syscall.ENAMETOOLONG)
	refuse("QA", syscall.EEXIST)
	if got := errnoOf(os.Mkdir(m.Path("P"), 0o755)); got != syscall.EEXIST {
		t.Errorf("mkdir P beside p: %v", got)
	}
	m.Sh(`cd p/datasets; [ "$(ls | sort | tr '\n' ' ')" = 'QA.csv temp ' ] && mv QA.csv qa.csv
		touch 'a\b' "tab$(printf '\t')" ' x' 'x ' X x "$(printf 'no\377utf8')" && rm -- *x* X "$(printf 'no\377utf8')"`)
	m.Sh(`rm p/datasets/qa.csv; printf 'q,a\nx,1\ny,2\n' > p/datasets/QA.csv`) // its name is free
	m.Flush()
	same(t, "root_dir", tree(t, m.Root), map[string]string{"p/datasets/QA.csv": small})
	m.leaveNothing()
}

// leaveNothing unmounts; nothing of the program's own is left in root_dir.
func (m *mounted) leaveNothing() {
	m.t.Helper()
	m.Unmount()
	if m.Source != "local/csv" {
		return
	}
	if r := m.TrySh(`cd / && find "$R" -name '.*'`); r.Out != "" {
		m.t.Errorf("after the unmount root_dir holds\n%s", r.Out)
	}
}

// TestMissingNamesAskNobody: a lookup of what is not there never goes to the
// network, and neither do listings.
func TestMissingNamesAskNobody(t *testing.T) {
	t.Parallel()
	e := startMemory(t)
	m := mount(t, "memory", "address="+e.Address, "ttl=1h")
	m.Sh("mkdir -p p/datasets p/experiments; printf 'q,a\nx,1\n' > p/datasets/qa.csv")
	m.Flush()
	// After a remount, and the listing that comes with it, nothing is to be asked.
	m.Remount()
	var before calls
	eventually(t, "the store is listed", func() bool {
		before = m.Calls()
		return before.List == 2 // the projects, and the tables of one
	}, &before)
	e.faults(t, fault{Action: "stall"})
	start := time.Now()
	for _, name := range []string{"none", "none/none", "p/none", "p/datasets/none.csv", "p/experiments/none.csv", "p/datasets/QA.csv", ".git"} {
		if _, err := os.Stat(m.Path(name)); errnoOf(err) != syscall.ENOENT {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.ReadFile(m.Path(name)); errnoOf(err) != syscall.ENOENT {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.Sh("ls -lR > /dev/null; cat p/datasets/qa.csv > /dev/null; rm -f p/none; [ ! -e p/datasets/none.csv ]")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if now := m.Calls(); now != before {
		t.Errorf("calls %+v, before %+v", now, before)
	}
	e.call(t, "DELETE", "/_emulator/faults", nil, nil)
}

// TestAttributes: what is set reads back, also after a remount, and what is not
// supported says so with an errno that programs know.
func TestAttributes(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms")
	m.Seed(qa, small)
	m.Mount()
	m.Write("p/datasets/new.csv", small)
	m.Write("p/scratch", "x")
	when := time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
	files := []string{qa, "p/datasets/new.csv", "p/scratch"}
	for _, name := range files {
		path := m.Path(name)
		m.t.Helper()
		for _, err := range []error{
			os.Chmod(path, 0o640), os.Chtimes(path, when, when), os.Chown(path, os.Getuid(), os.Getgid()), os.Chown(path, -1, -1),
		} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	check := func(when2 string) {
		t.Helper()
		for _, name := range files {
			info, err := os.Stat(m.Path(name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o640 || !info.ModTime().Equal(when) {
				t.Errorf("%s, %s: %v %v", name, when2, info.Mode(), info.ModTime())
			}
		}
	}
	check("at once")
	m.Flush()
	check("after the flush")
	m.Remount()
	check("after a remount")
	if got := m.Calls().rows(); got != (calls{}) {
		t.Errorf("attributes took %+v", got)
	}

	buffer := make([]byte, 64)
	if _, err := unix.Getxattr(m.Path(qa), "user.x", buffer); err != unix.ENOTSUP {
		t.Errorf("getxattr: %v", err)
	}
	if err := unix.Setxattr(m.Path(qa), "user.x", buffer, 0); err != unix.ENOTSUP {
		t.Errorf("setxattr: %v", err)
	}
	if n, err := unix.Listxattr(m.Path(qa), buffer); n > 0 || err != nil && err != unix.ENOTSUP {
		t.Errorf("listxattr: %d, %v", n, err)
	}
	if _, err := os.OpenFile(m.Path("p/datasets"), os.O_RDWR|unix.O_TMPFILE, 0o600); errnoOf(err) != unix.ENOTSUP {
		t.Errorf("O_TMPFILE: %v", err)
	}
	for _, name := range files {
		file, err := os.OpenFile(m.Path(name), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 1<<16); err != nil && err != unix.ENOTSUP {
			t.Errorf("fallocate %s: %v", name, err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, from := range files {
		for _, to := range []string{"p/copy", filepath.Join(t.TempDir(), "copy")} {
			if !filepath.IsAbs(to) {
				to = m.Path(to)
			}
			_, err := copyRange(m.Path(from), to)
			if errno := errnoOf(err); errno != 0 && errno != unix.ENOTSUP && errno != unix.EXDEV && errno != unix.ENOSYS {
				t.Errorf("copy_file_range of %s to %s: %v", from, to, err)
			}
		}
	}
	m.Sh("rm p/copy")
	var st unix.Statfs_t
	if err := unix.Statfs(m.Dir, &st); err != nil || st.Bavail*uint64(st.Bsize) < 1<<40 || st.Namelen < 255 {
		t.Errorf("statfs: %v, %+v", err, st)
	}
	if err := os.Link(m.Path(qa), m.Path("p/datasets/second.csv")); errnoOf(err) != syscall.EPERM {
		t.Errorf("a hard link of a table: %v", err)
	}
	if err := os.Symlink("qa.csv", m.Path("p/datasets/second.csv")); errnoOf(err) != syscall.EPERM {
		t.Errorf("a symlink with the name of a table: %v", err)
	}
	m.Flush()
	same(t, "root_dir", tree(t, m.Root), map[string]string{qa: small, "p/datasets/new.csv": small})
}

// copyRange is copy_file_range(2).
func copyRange(from, to string) (int, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close() //nolint:errcheck // only read
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	defer out.Close() //nolint:errcheck // a copy for nobody
	return unix.CopyFileRange(int(in.Fd()), nil, int(out.Fd()), nil, 1<<20, 0)
}

// TestInodesStay: inode numbers, mtime and ctime of everything are the same
// after a remount and after a kill.
func TestInodesStay(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms")
	m.Seed(qa, small)
	m.Seed("p/experiments/unread.csv", small)
	m.Mount()
	m.Sh(`mkdir -p n/datasets p/dir/sub; cp p/datasets/qa.csv n/datasets/copy.csv; echo x > p/dir/sub/file; ln -s file p/dir/link
		mkdir -m 700 private; chmod 750 n p/datasets; touch -d 2018-01-01 p/dir/sub p/experiments; mv p/dir/sub p/dir/moved
		sed -i s/x,1/x,3/ p/datasets/qa.csv; echo z,3 >> n/datasets/copy.csv; touch -d 2019-01-01 n/datasets/copy.csv; chmod 600 p/datasets/qa.csv`)
	m.Flush()
	m.Sh("for d in n/experiments private/datasets private/experiments p/dir; do until [ -d $d ]; do sleep 0.05; done; done")
	const look = `find . -printf '%i %m %s %T@ %C@ %p\n' | sort`
	before := m.Sh(look)
	m.Remount()
	if after := m.Sh(look); after != before {
		t.Errorf("before the remount\n%sand after it\n%s", before, after)
	}
	m.Sh("cat p/datasets/qa.csv n/datasets/copy.csv > /dev/null")
	m.Kill9()
	m.Mount()
	if after := m.Sh(look); after != before {
		t.Errorf("before the kill\n%sand after it\n%s", before, after)
	}
}

// TestEqualNames: of tables with one name in the store the oldest keeps it, the
// others show their id; what was shown stays as long as the mount does.
func TestEqualNames(t *testing.T) {
	t.Parallel()
	e := startMemory(t, "--duplicate-names")
	ids := map[string]string{} // by content of the one cell
	for _, cell := range []string{"first", "second", "third"} {
		if cell == "first" {
			e.call(t, "POST", "/projects", map[string]any{"name": "p"}, nil)
		}
		var made struct {
			ID string `json:"id"`
		}
		e.call(t, "POST", "/projects/p/datasets", map[string]any{"name": "qa", "columns": []map[string]any{{"name": "q"}}}, &made)
		ids[cell] = made.ID
	}
	m := mount(t, "memory", "address="+e.Address, "write_back=200ms")
	want := fmt.Sprintf("qa (%s).csv\nqa (%s).csv\nqa.csv\n", ids["second"], ids["third"])
	if got := m.Sh("ls p/datasets"); got != want {
		t.Errorf("the names are\n%swant\n%s", got, want)
	}
	m.Sh(fmt.Sprintf(`echo ',mine' >> 'p/datasets/qa (%s).csv'`, ids["second"]))
	m.Flush()
	var state struct {
		Projects []struct {
			Tables []struct {
				ID   string `json:"id"`
				Rows []any  `json:"rows"`
			} `json:"tables"`
		} `json:"projects"`
	}
	e.call(t, "GET", "/_emulator/state", nil, &state)
	for _, table := range state.Projects[0].Tables {
		if want := map[bool]int{true: 1, false: 0}[table.ID == ids["second"]]; len(table.Rows) != want {
			t.Errorf("table %s has %d rows, want %d", table.ID, len(table.Rows), want)
		}
	}
	if got := m.Sh("rm p/datasets/qa.csv; ls p/datasets"); got != strings.TrimSuffix(want, "qa.csv\n") {
		t.Errorf("after the first has gone the names are\n%s", got)
	}
	m.Flush()
	if got := m.Sh("ls p/datasets"); got != strings.TrimSuffix(want, "qa.csv\n") {
		t.Errorf("after the first was deleted the names are\n%s", got)
	}
}
