package integration

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPendingProject: a project that the store does not have yet is pending work:
// status, flush and unmount name it and exit with 3, and the next mount makes it.
func TestPendingProject(t *testing.T) {
	t.Run("local/csv", func(t *testing.T) {
		t.Parallel()
		m := mount(t, "local/csv", "write_back=manual")
		away := m.Root + ".away"
		testPendingProject(t, m,
			func() error { return os.Rename(m.Root, away) },
			func() error { return os.Rename(away, m.Root) },
			func() bool { _, err := os.Stat(filepath.Join(m.Root, "fresh")); return err == nil })
	})
	t.Run("ragas/app", func(t *testing.T) {
		t.Parallel()
		m, e, r := prepareRelayed(t)
		m.Mount("write_back=manual")
		other := newPeer(t, e)
		testPendingProject(t, m,
			func() error { r.down(); return nil },
			func() error { r.up(); return nil },
			func() bool { return slices.Contains(other.projects(), "fresh") })
	})
}

func testPendingProject(t *testing.T, m *mounted, down, up func() error, there func() bool) {
	m.Sh("mkdir fresh")
	if err := down(); err != nil {
		t.Fatal(err)
	}
	named := func(r result, what string) {
		t.Helper()
		if r.Code != 3 || !strings.Contains(r.Err, m.Path("fresh")+": the project is not in the store yet") {
			t.Errorf("%s: exit code %d, %s%s", what, r.Code, r.Out, r.Err)
		}
	}
	named(m.Run("status", m.Dir), "status of the mount")
	named(m.Run("status", m.Path("fresh")), "status of the project")
	named(m.Run("flush", "--timeout", "1s", m.Dir), "flush of the mount")
	named(m.Run("flush", "--timeout", "1s", m.Path("fresh")), "flush of the project")
	if p := m.Status().Projects; len(p) != 1 || p[0].Path != "fresh" || p[0].Op != "create" || p[0].Error == "" {
		t.Errorf("status --json: %+v", p)
	}
	named(m.Run("unmount", "--timeout", "1s", m.Dir), "unmount")
	if r := m.Run("status", "--state-dir", m.State); !strings.Contains(r.Out, "1 project not sent") || !strings.Contains(r.Out, "ragasfs mount "+m.Source) {
		t.Errorf("status of all: exit code %d, %s%s", r.Code, r.Out, r.Err)
	}
	if err := up(); err != nil {
		t.Fatal(err)
	}
	m.Mount("write_back=manual")
	m.must("flush", m.Path("fresh"))
	m.must("status", m.Dir)
	if !there() {
		t.Error("the store does not have the project")
	}
	// An unmount waits for a store that is away, for projects as for tables.
	m.Sh("rm -r fresh")
	if err := down(); err != nil {
		t.Fatal(err)
	}
	tries := func() int { return strings.Count(readFile(t, m.Log), "project not settled") }
	before, ended := tries(), make(chan result)
	go func() { ended <- m.Run("unmount", m.Dir) }()
	eventually(t, "the unmount has tried", func() bool { return tries() > before })
	if err := up(); err != nil {
		t.Fatal(err)
	}
	if r := <-ended; r.Code != 0 {
		t.Errorf("unmount: exit code %d, %s", r.Code, r.Err)
	}
	if there() {
		t.Error("the store still has the project")
	}
	if r := m.Run("status", "--state-dir", m.State); !strings.Contains(r.Out, "nothing waits") {
		t.Errorf("at the end: %s%s", r.Out, r.Err)
	}
}

// TestStatusChangesNothing: who asks what waits in a store whose daemon was killed
// leaves every file as it is, so that the next mount still looks what became of
// the last push.
func TestStatusChangesNothing(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=manual")
	m.Seed(qa, tableOf(0, 10))
	m.Mount()
	m.Write(qa, tableOf(0, 11))
	m.Kill9()
	before := snapshot(t, m.State)
	for range 2 {
		r := m.Run("status", "--state-dir", m.State)
		if r.Code != 0 || !strings.Contains(r.Out, "1 table not sent") {
			t.Errorf("status: exit code %d, %s%s", r.Code, r.Out, r.Err)
		}
	}
	if r := m.Run("unmount", m.Dir); r.Code != 3 || !strings.Contains(r.Err, "ragasfs mount local/csv") {
		t.Errorf("unmount of the dead mount: exit code %d, %s%s", r.Code, r.Out, r.Err)
	}
	if after := snapshot(t, m.State); !maps.Equal(before, after) {
		t.Errorf("the state directory was\n%q and is\n%q", before, after)
	}
	m.Mount()
	m.Flush()
	if m.Store(qa) != tableOf(0, 11) {
		t.Errorf("the store has\n%s", m.Store(qa))
	}
}

// snapshot is mode, time and content of all files below dir but the log.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(d.Name(), "ragasfs.log") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found[path] = info.Mode().String() + info.ModTime().String()
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			found[path] += string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
