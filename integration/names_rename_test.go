package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestRenameOntoTable is an edit of it: committed at once, sent later, and the
// rows keep what they are, also when the file that was renamed is still open.
func TestRenameOntoTable(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		m.Mount()
		before := s.ids(qa)
		m.Write("p/datasets/temp", strings.Replace(rowsOf(5), "a2", "new", 1))
		m.Sh("mv p/datasets/temp p/datasets/qa.csv")
		m.Flush()
		if got := m.Calls().rows(); got != (calls{Update: 1}) {
			t.Errorf("sent %+v, want one update", got)
		}

		// Still open: what is written after the rename belongs to it too.
		file, err := os.Create(m.Path("p/datasets/.goutputstream-X"))
		if err != nil {
			t.Fatal(err)
		}
		half := len(rowsOf(5)) / 2
		write := func(text string) {
			t.Helper()
			if _, err := file.WriteString(text); err != nil {
				t.Fatal(err)
			}
		}
		write(rowsOf(5)[:half])
		if err := os.Rename(file.Name(), m.Path(qa)); err != nil {
			t.Fatal(err)
		}
		write(rowsOf(5)[half:])
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		m.Flush()
		if got := m.Calls().rows(); got != (calls{Update: 2}) {
			t.Errorf("sent %+v, want two updates", got)
		}
		s.demand("at the end", map[string]string{qa: rowsOf(5)})
		if after := s.ids(qa); !slices.Equal(after, before) {
			t.Errorf("the rows are %q, before %q", after, before)
		}
		m.Remount()
		same(t, "the mount", m.shown(), map[string]string{qa: rowsOf(5)})
		m.leaveNothing()
	})
}

// ids are the ids of a table's rows in a row store.
func (s shelf) ids(name string) []string {
	s.m.t.Helper()
	var ids []string
	if s.e == nil {
		return nil
	}
	for _, p := range s.e.memory().Projects {
		for _, table := range p.Tables {
			if p.Name+"/"+table.Kind+"/"+table.Name+".csv" != name {
				continue
			}
			ids = append(ids, "table "+table.ID)
			for _, row := range table.Rows {
				ids = append(ids, row.ID)
			}
		}
	}
	return ids
}

// TestRenameCommits at once: a kill right after it loses nothing, and nothing
// was sent.
func TestRenameCommits(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		m.Mount("write_back=manual")
		content := strings.Replace(rowsOf(5), "a2", "new", 1)
		m.Write("p/datasets/temp", content)
		m.Sh("mv p/datasets/temp p/datasets/qa.csv")
		if got := m.Calls().rows(); got != (calls{}) {
			t.Errorf("sent %+v", got)
		}
		m.Kill9()
		m.Mount("write_back=manual")
		same(t, "after the kill", m.shown(), map[string]string{qa: content})
		if table := m.Table(qa); table.State != "dirty" {
			t.Errorf("after the kill: %+v", table)
		}
		m.Flush()
		s.demand("after the flush", map[string]string{qa: content})
	})
}

// TestRefusedRename has changed nothing; the refused bytes are in lost+found.
func TestRefusedRename(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		want := map[string]string{qa: rowsOf(5), "p/datasets/other.csv": "x,y,z\n1,2,3\n"}
		for name, content := range want {
			s.put(name, content)
		}
		m.Mount()
		m.Sh("cat p/datasets/*.csv > /dev/null") // the columns of a table that was never loaded are not known
		shown := mergeFiles(want)
		for i, content := range []string{rowsOf(5) + "1,2,3,4,5,6\n", strings.Replace(rowsOf(5), "q2", `q"2`, 1), "x,y,z\n1,2,3\n"} {
			name := fmt.Sprintf("p/datasets/temp%d", i)
			m.Write(name, content)
			shown[name] = content
			if got := errnoOf(os.Rename(m.Path(name), m.Path(qa))); got != syscall.EBADMSG {
				t.Errorf("rename of %q: %v", content, got)
			}
			if got := m.kept("lost+found", "qa"); !slices.Contains(got, content) {
				t.Errorf("lost+found has %q", got)
			}
		}
		// A table onto one with quite another header.
		if got := errnoOf(os.Rename(m.Path("p/datasets/other.csv"), m.Path(qa))); got != syscall.EBADMSG {
			t.Errorf("rename of other.csv: %v", got)
		}
		if got := m.Status(); len(got.Tables) > 0 {
			t.Errorf("the status is %+v", got)
		}
		same(t, "the mount", m.shown(), shown)
		m.Flush()
		s.demand("after the flush", want)
		if got := m.Calls().rows(); got != (calls{}) {
			t.Errorf("sent %+v", got)
		}
	})
}

// TestRenamedAway: a table that gets a scratch name is held in the store.
func TestRenamedAway(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		want := map[string]string{}
		for _, name := range []string{"confirm", "discard", "back", "fast", "top"} {
			s.put("p/datasets/"+name+".csv", rowsOf(5))
			want["p/datasets/"+name+".csv"] = rowsOf(5)
		}
		m.Mount()
		// Back within the settle time, as editors do it: an edit.
		m.Sh(`sed -i.bak s/a3/new/ p/datasets/fast.csv; rm p/datasets/fast.csv.bak`)
		m.Flush()
		want["p/datasets/fast.csv"] = strings.Replace(rowsOf(5), "a3", "new", 1)
		s.demand("an edit", want)

		m.Sh(`cd p/datasets; mv confirm.csv confirm.bak; mv discard.csv ../../discard.txt; mv back.csv back.csv~; mv top.csv ../top.csv`)
		for _, name := range []string{"confirm", "discard", "back", "top"} {
			m.held("p/datasets/"+name+".csv", "renamed away")
		}
		s.demand("while they are held", want)
		m.Run("unmount", m.Dir)
		m.Mount()
		sent := m.Calls().rows()
		m.Sh("mv p/datasets/back.csv~ p/datasets/back.csv; mv p/top.csv p/datasets/top.csv")
		m.must("confirm", m.Path("p/datasets/confirm.csv"))
		m.must("discard", m.Path("p/datasets/discard.csv"))
		m.Flush()
		delete(want, "p/datasets/confirm.csv")
		s.demand("at the end", want)
		if got := m.Calls().rows(); got != sent {
			t.Errorf("sent %+v, before %+v", got, sent)
		}
		same(t, "the mount", plainAll(m.shown()), mergeFiles(want,
			map[string]string{"p/datasets/confirm.bak": rowsOf(5), "discard.txt": rowsOf(5)}))
	})
}

func plainAll(files map[string]string) map[string]string {
	for name, content := range files {
		files[name] = plain(content)
	}
	return files
}

// TestTableIsRenamed: `mv a.csv b.csv` is a rename in the store, onto a table an
// edit of that one.
func TestTableIsRenamed(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put("p/datasets/a.csv", rowsOf(5))
		s.put("p/datasets/unread.csv", rowsOf(3))
		m.Mount("write_back=manual")
		ids := s.ids("p/datasets/a.csv")
		inode := m.Sh("stat -c %i p/datasets/a.csv")
		m.Sh("mv p/datasets/a.csv p/datasets/b.csv; mv p/datasets/unread.csv p/datasets/c.csv")
		if table := m.Table("p/datasets/b.csv"); table.Op() != "rename" || table.State != "dirty" {
			t.Errorf("renamed: %+v", table)
		}
		if got := m.Sh("stat -c %i p/datasets/b.csv"); got != inode {
			t.Errorf("inode %s, before %s", got, inode)
		}
		m.Flush()
		s.demand("renamed", map[string]string{"p/datasets/b.csv": rowsOf(5), "p/datasets/c.csv": rowsOf(3)})
		if got := s.ids("p/datasets/b.csv"); !slices.Equal(got, ids) {
			t.Errorf("the rows are %q, before %q", got, ids)
		}
		if got := m.Calls().rows(); got != (calls{}) {
			t.Errorf("sent %+v", got)
		}
		// Twice and with an edit in between, before the store hears of it.
		m.Sh("mv p/datasets/b.csv p/datasets/x.csv; sed -i s/a3/new/ p/datasets/x.csv; mv p/datasets/x.csv p/datasets/y.csv")
		m.Kill9()
		m.Mount("write_back=manual")
		m.Flush()
		edited := strings.Replace(rowsOf(5), "a3", "new", 1)
		s.demand("renamed again", map[string]string{"p/datasets/y.csv": edited, "p/datasets/c.csv": rowsOf(3)})

		// Onto another: that one's content is replaced, the old name is deleted.
		onto := s.ids("p/datasets/y.csv")
		m.Sh("cp p/datasets/y.csv p/datasets/new; sed -i -e s/a1/b1/ -e s/^[^,]*,q/q/ -e s/_row_id,// p/datasets/new; mv p/datasets/new p/datasets/z.csv")
		m.Flush()
		before := m.Calls().rows()
		m.Sh("mv p/datasets/z.csv p/datasets/y.csv")
		same(t, "replaced", m.shown(), map[string]string{"p/datasets/y.csv": strings.Replace(edited, "a1", "b1", 1), "p/datasets/c.csv": rowsOf(3)})
		m.Flush()
		s.demand("replaced", map[string]string{"p/datasets/y.csv": strings.Replace(edited, "a1", "b1", 1), "p/datasets/c.csv": rowsOf(3)})
		if got := m.Calls().rows(); got != (calls{Append: before.Append, Update: before.Update + 1}) {
			t.Errorf("sent %+v, before %+v: want one update", got, before)
		}
		if got := s.ids("p/datasets/y.csv"); !slices.Equal(got, onto) {
			t.Errorf("the rows are %q, before %q", got, onto)
		}
	})
}

// TestRenameElsewhere: between the folders it is EXDEV, and mv copies; folders
// keep their names; links and exchanges among scratch work.
func TestRenameElsewhere(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.make("other")
		m.Mount("delete_after=1h")
		m.Sh("mkdir -p other/experiments")
		for _, to := range []string{"p/experiments/qa.csv", "other/datasets/qa.csv"} {
			if got := errnoOf(os.Rename(m.Path(qa), m.Path(to))); got != syscall.EXDEV {
				t.Errorf("rename to %s: %v", to, got)
			}
		}
		for from, to := range map[string]string{"p/datasets": "p/data", "p/experiments": "experiments", "other": "p/other"} {
			if got := errnoOf(os.Rename(m.Path(from), m.Path(to))); got != syscall.EPERM {
				t.Errorf("rename %s to %s: %v", from, to, got)
			}
		}
		m.Sh("mv p/datasets/qa.csv p/experiments/qa.csv")
		m.held(qa, "renamed away")
		m.must("confirm", m.Path(qa))
		m.Flush()
		s.demand("moved", map[string]string{"p/experiments/qa.csv": rowsOf(5), "other/": ""})
	})
}

// TestProjectRename: the store follows; what is open stays open.
func TestProjectRename(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.put("p/experiments/unread.csv", rowsOf(3))
		m.Mount()
		ids := s.ids(qa)
		m.Sh("echo x > p/notes; mkdir -p p/.git/objects; echo y > p/.git/objects/o")
		file, err := os.OpenFile(m.Path(qa), os.O_RDWR|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		inodes := m.Sh("cd p; find . -printf '%i %p\\n' | sort")
		m.Sh("mv p renamed; [ \"$(ls)\" = renamed ]")
		if got := m.Sh("cd renamed; find . -printf '%i %p\\n' | sort"); got != inodes {
			t.Errorf("inodes\n%sbefore\n%s", got, inodes)
		}
		line := "q9,a9\n"
		if s.e != nil {
			line = "," + line
		}
		if _, err := file.WriteString(line); err != nil {
			t.Error(err)
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
		m.Flush()
		want := map[string]string{"renamed/datasets/qa.csv": rowsOf(5) + "q9,a9\n", "renamed/experiments/unread.csv": rowsOf(3)}
		s.demand("renamed", want)
		if got := s.ids("renamed/datasets/qa.csv"); len(ids) > 0 && !slices.Equal(got[:len(ids)], ids) {
			t.Errorf("the rows are %q, before %q", got, ids)
		}
		m.Remount()
		same(t, "the mount", m.shown(), mergeFiles(want, map[string]string{"renamed/notes": "x\n", "renamed/.git/objects/o": "y\n"}))
		if got := m.Calls().rows(); got != (calls{}) {
			t.Errorf("sent %+v", got)
		}
		for _, to := range []struct { // in this order: the last one succeeds
			name  string
			errno syscall.Errno
		}{{"a\tb", syscall.EINVAL}, {".hidden", syscall.EPERM}, {"RENAMED", 0}} {
			err := os.Rename(m.Path("renamed"), m.Path(to.name))
			if got := errnoOf(err); got != to.errno {
				t.Errorf("rename to %q: %v", to.name, got)
			}
		}
		m.Flush()
		if !s.has("RENAMED/datasets/qa.csv") {
			t.Errorf("the store has %q", keysOf(s.tables()))
		}
	})
}
