package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestProjects: mkdir makes one, empty as any directory; its folders come by
// themselves; the store gets it after the settle time or with its first table.
func TestProjects(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		m.Mount()
		m.Sh(`mkdir a && [ -z "$(ls -A a)" ]; mkdir .b b; mkdir a/.idea a/other; touch a/other/x.csv`)
		for name, want := range map[string]syscall.Errno{"a": syscall.EEXIST, "A": syscall.EEXIST, ".ragasfs": syscall.EEXIST, "a\nb": syscall.EINVAL, " a": syscall.EINVAL} {
			if got := errnoOf(os.Mkdir(m.Path(name), 0o755)); got != want {
				t.Errorf("mkdir %q: %v, want %v", name, got, want)
			}
		}
		eventually(t, "the folders are there", func() bool {
			_, err := os.Stat(m.Path("a/experiments"))
			_, err2 := os.Stat(m.Path("b/datasets"))
			return err == nil && err2 == nil
		})
		eventually(t, "the store has them", func() bool {
			names := keysOf(s.tables())
			return slices.Equal(names, []string{"a/", "b/"})
		})
		for _, name := range []string{"a/datasets", "a/experiments"} {
			if got := errnoOf(os.Mkdir(m.Path(name), 0o755)); got != syscall.EEXIST {
				t.Errorf("mkdir %s: %v", name, got)
			}
		}
		m.Sh(`rmdir a/other && exit 1; rm -r a/other a/.idea; rmdir a .b`)
		m.Flush()
		s.demand("after rmdir", map[string]string{"b/": ""})
		m.Unmount()
		m.Mount("write_back=1h") // nothing comes by itself
		m.Sh(`rmdir b; mkdir b; [ -z "$(ls -A b)" ]; mkdir b/datasets; [ "$(ls -A b)" = datasets ]; rmdir b/datasets; [ -z "$(ls -A b)" ]
			mkdir b/datasets; printf 'q,a\nx,1\ny,2\n' > b/datasets/qa.csv; mkdir gone; rmdir gone`)
		m.Flush()
		s.demand("made again", map[string]string{"b/datasets/qa.csv": small})
		m.Remount()
		same(t, "the mount", m.shown(), map[string]string{"b/datasets/qa.csv": small})
		var shown []string
		eventually(t, "both folders are there", func() bool {
			shown = strings.Fields(m.Sh("ls -A . b"))
			return slices.Equal(shown, []string{".:", "b", "b:", "datasets", "experiments"})
		}, &shown)
	})
}

// TestProjectsAreCopied by cp -r, cp -a, copytree and tar.
func TestProjectsAreCopied(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.put("p/experiments/run.csv", rowsOf(3))
		m.Mount()
		m.Sh("mkdir -p p/sub; echo x > p/sub/notes")
		copied := map[string]string{}
		for _, to := range []string{"r", "a", "tree", "tar", "back"} {
			copied[to+"/datasets/qa.csv"], copied[to+"/experiments/run.csv"] = rowsOf(5), rowsOf(3)
		}
		m.Sh(fmt.Sprintf(`cp -r p r; cp -a p a; mkdir tar; tar -C p -cf - . | tar -C tar -xf -
			'%s' -c 'import shutil; shutil.copytree("p", "tree"); shutil.copytree("p", "%s/p"); shutil.copytree("%[2]s/p", "back")'`,
			program(t, "python3"), t.TempDir()))
		m.Flush()
		want := mergeFiles(copied, map[string]string{qa: rowsOf(5), "p/experiments/run.csv": rowsOf(3)})
		s.demand("copied", want)
		notes := map[string]string{}
		for _, p := range []string{"p", "r", "a", "tree", "tar", "back"} {
			notes[p+"/sub/notes"] = "x\n"
		}
		same(t, "the mount", m.shown(), mergeFiles(want, notes))
		if s.e != nil {
			ids := map[string]bool{}
			for name := range want {
				for _, id := range s.ids(name) {
					if ids[id] {
						t.Errorf("%s: the id %s is also another row's", name, id)
					}
					ids[id] = true
				}
			}
		}
	})
}

// TestRmdirOfWhatIsNotEmpty: also while the store holds what the mount does not show.
func TestRmdirOfWhatIsNotEmpty(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.make("foreign")
		m.Mount("delete_after=1h", "ttl=1h")
		for _, name := range []string{"p", "p/datasets"} {
			if got := errnoOf(syscall.Rmdir(m.Path(name))); got != syscall.ENOTEMPTY {
				t.Errorf("rmdir %s: %v", name, got)
			}
		}
		m.Sh("touch p/experiments/scratch; rm p/datasets/qa.csv")
		if got := errnoOf(syscall.Rmdir(m.Path("p"))); got != syscall.ENOTEMPTY {
			t.Errorf("rmdir with scratch: %v", got)
		}
		m.Sh("rm p/experiments/scratch; rmdir p")
		if !s.has(qa) {
			t.Error("rmdir has deleted what waits for its time")
		}
		// Others put something there before the store hears of it: the project is back.
		s.put("foreign/experiments/new.csv", rowsOf(2))
		m.TrySh("rmdir foreign") // ENOTEMPTY if it is known by now
		m.Run("flush", m.Dir)
		m.must("refresh", m.Dir)
		m.Flush()
		s.demand("at the end", map[string]string{"foreign/experiments/new.csv": rowsOf(2)})
		same(t, "the mount", m.shown(), map[string]string{"foreign/experiments/new.csv": rowsOf(2)})
	})
}

// TestRmdirOfForeignFiles: a project of root_dir that holds files that are no
// tables is not deleted, and they are not touched.
func TestRmdirOfForeignFiles(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms", "delete_after=1h")
	foreign := map[string]string{"p/notes.md": "mine", "p/datasets/data.parquet": "mine too"}
	m.Seed(qa, small)
	for name, content := range foreign {
		m.Seed(name, content)
	}
	m.Mount()
	m.Sh("rm p/datasets/qa.csv; rmdir p")
	m.Run("flush", m.Dir)
	m.Flush()
	same(t, "root_dir", tree(t, m.Root), foreign)
	m.Sh(`[ "$(ls)" = p ] && [ "$(ls p)" = "$(printf 'datasets\nexperiments')" ] && [ -z "$(ls p/datasets)" ]`)
}

// TestExistsInTheStore: a new table whose name was taken elsewhere meanwhile is held.
func TestExistsInTheStore(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		theirs := "q,a\ntheirs,1\n"
		want := map[string]string{}
		s.make("p")
		m.Mount("write_back=manual")
		m.Sh("mkdir -p p/datasets || true")
		for _, name := range []string{"confirm", "discard", "mv"} {
			m.Write("p/datasets/"+name+".csv", small)
			s.put("p/datasets/"+name+".csv", theirs)
			want["p/datasets/"+name+".csv"] = theirs
		}
		if r := m.Run("flush", m.Dir); r.Code != 3 {
			t.Errorf("flush: %+v", r)
		}
		for _, name := range []string{"confirm", "discard", "mv"} {
			m.held("p/datasets/"+name+".csv", "exists in the store")
			if got := m.Read("p/datasets/" + name + ".csv"); got != small {
				t.Errorf("%s.csv is %q", name, got)
			}
		}
		s.demand("while they are held", want)
		m.must("confirm", m.Path("p/datasets/confirm.csv"))
		m.must("discard", m.Path("p/datasets/discard.csv"))
		m.Sh("mv p/datasets/mv.csv p/datasets/moved.csv")
		m.Flush()
		want["p/datasets/confirm.csv"] = small
		want["p/datasets/moved.csv"] = small
		s.demand("at the end", want)
		m.must("refresh", m.Dir)
		same(t, "the mount", m.shown(), want)
		// An edit of theirs, not another table.
		if got := m.Calls().rows(); got.Append != 3 || got.Update+got.Delete != 1 {
			t.Errorf("sent %+v", got)
		}
	})
}

// TestMemoryEnds: the store of a mount without an address ends with it. What it
// had is kept here.
func TestMemoryEnds(t *testing.T) {
	t.Parallel()
	m := mount(t, "memory", "write_back=200ms")
	want := map[string]string{}
	m.Sh("mkdir -p p/datasets p/experiments q/datasets")
	for i := range 7 {
		name := []string{"p/datasets", "p/experiments", "q/datasets"}[i%3] + fmt.Sprintf("/t%d.csv", i)
		want[name] = rowsOf(i + 1)
		m.Write(name, want[name])
	}
	m.Remount()
	m.Run("refresh", m.Dir) // it may say that this is another store
	same(t, "after a remount", m.shown(), want)
	m.Run("unmount", m.Dir)
	m.Mount()
	same(t, "after another", m.shown(), want)
}

// TestEncodedNames: names of the store that no file can have are shown encoded
// and stay what they are.
func TestEncodedNames(t *testing.T) {
	t.Parallel()
	e := startMemory(t)
	names := map[string]string{
		"a/b": "a%2Fb", `c\d`: "c%5Cd", ".hidden": "%2Ehidden", "~tilde": "%7Etilde", "#hash": "%23hash", " outer ": "%20outer%20",
		"new\nline": "new%0Aline", "\u00a0nbsp": "%C2%A0nbsp", "50%": "50%", "plain.csv": "plain.csv", "Größe": "Größe", strings.Repeat("é", 200): "",
	}
	e.call(t, "POST", "/projects", map[string]any{"name": "p/q"}, nil)
	for name := range names {
		e.call(t, "POST", "/projects/p%2Fq/datasets", map[string]any{"name": name, "columns": []map[string]any{{"name": "q"}}}, nil)
	}
	m := mount(t, "memory", "address="+e.Address, "write_back=200ms")
	for name, shown := range names {
		if shown == "" {
			continue
		}
		if got := m.Read("p%2Fq/datasets/" + shown + ".csv"); got != "_row_id,q\n" {
			t.Errorf("%q holds %q", name, got)
		}
	}
	for _, shown := range strings.Split(strings.TrimSpace(m.Sh("ls p%2Fq/datasets")), "\n") {
		if len(shown) > 255 {
			t.Errorf("%q has %d bytes", shown, len(shown))
		}
		m.Sh(fmt.Sprintf("echo ',1' >> 'p%%2Fq/datasets/%s'", shown))
	}
	m.Remount()
	state := e.memory()
	for _, table := range state.Projects[0].Tables {
		if _, known := names[table.Name]; !known || len(table.Rows) != 1 {
			t.Errorf("the table %q has %d rows", table.Name, len(table.Rows))
		}
	}
	if len(state.Projects) != 1 || state.Projects[0].Name != "p/q" || len(state.Projects[0].Tables) != len(names) {
		t.Errorf("the store has %d projects, the first is %q with %d tables", len(state.Projects), state.Projects[0].Name, len(state.Projects[0].Tables))
	}
}

// TestViewsAreNotListed: .ragasfs is reserved and not in listings.
func TestViewsAreNotListed(t *testing.T) {
	t.Parallel()
	m := mount(t, "local/csv")
	m.Sh(`mkdir p; [ "$(ls -A)" = p ]; [ "$(find . -maxdepth 1 | sort)" = "$(printf '.\n./p')" ]`)
	for _, err := range []error{os.Mkdir(m.Path(".ragasfs"), 0o755), os.WriteFile(m.Path(".ragasfs"), nil, 0o644), os.Rename(m.Path("p"), m.Path(".ragasfs"))} {
		if err == nil {
			t.Error("something could be made in its place")
		}
	}
	if _, err := os.Stat(filepath.Join(m.Dir, "p", ".ragasfs")); err == nil {
		t.Error("it is in a project")
	}
}

// TestGoneFromTheStore: a table that others delete goes, its content to the
// history; too many at once, and one with unsent edits, are not believed.
func TestGoneFromTheStore(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		want := map[string]string{}
		for i := range 7 {
			name := fmt.Sprintf("p/datasets/t%d.csv", i)
			want[name] = rowsOf(3 + i)
			s.put(name, want[name])
		}
		m.Mount("write_back=manual")
		m.Sh("cat p/datasets/* > /dev/null")
		s.drop("p/datasets/t0.csv")
		m.must("refresh", m.Dir)
		delete(want, "p/datasets/t0.csv")
		same(t, "one is gone", m.shown(), want)
		if kept := m.kept("history", "t0"); !slices.Contains(kept, rowsOf(3)) {
			t.Errorf("the history has %q", kept)
		}
		m.appendLines("p/datasets/t1.csv", "q9,a9\n")
		want["p/datasets/t1.csv"] += "q9,a9\n"
		s.drop("p/datasets/t1.csv")
		m.Run("refresh", m.Dir)
		same(t, "one with unsent edits is gone", m.shown(), want)
		for i := 2; i < 6; i++ {
			s.drop(fmt.Sprintf("p/datasets/t%d.csv", i))
		}
		m.Run("refresh", m.Dir)
		same(t, "most are gone", m.shown(), want)
		m.Run("unmount", m.Dir)
		m.Mount("write_back=manual")
		m.Run("refresh", m.Dir)
		same(t, "after a remount", m.shown(), want)
	})
}
