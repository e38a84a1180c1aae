package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rowsOf is a table of q and a with n rows.
func rowsOf(n int) string {
	var b strings.Builder
	b.WriteString("q,a\n")
	for i := range n {
		fmt.Fprintf(&b, "q%d,a%d\n", i, i)
	}
	return b.String()
}

// TestUnlinkHides a table: the store keeps it until delete_after. If the name comes
// back before, that is an edit of the same table.
func TestUnlinkHides(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.make("other")
		m.Mount("delete_after=1h")
		m.Sh("cat p/datasets/qa.csv > /dev/null")
		for _, how := range []string{"write", "rename", "kill"} {
			before := m.Calls()
			m.Sh(`rm p/datasets/qa.csv; [ -z "$(ls p/datasets)" ]`)
			table := m.Table(qa)
			if table.State != "dirty" || table.Op() != "delete" || table.Since == nil {
				t.Errorf("%s: %+v", how, table)
			}
			content := strings.Replace(rowsOf(5), "a3", how, 1)
			switch how {
			case "write":
				m.Write(qa, content)
			case "rename":
				m.Write("p/datasets/temp", content)
				m.Sh("mv p/datasets/temp p/datasets/qa.csv")
			case "kill":
				m.Kill9()
				m.Mount("delete_after=1h")
				before = m.Calls()
				m.Sh(`[ -z "$(ls p/datasets)" ]`)
				m.Write(qa, content)
			}
			m.Flush()
			if got, want := m.Calls().rows(), (calls{Update: before.Update + 1}); got != want {
				t.Errorf("%s: calls %+v, want %+v", how, got, want)
			}
			s.demand(how, map[string]string{qa: content, "other/": ""})
			same(t, how, m.shown(), map[string]string{qa: content})
		}
	})
}

// TestUnlinkDeletes: after delete_after, at a flush and at an unmount the store
// is told, and the content is in the history.
func TestUnlinkDeletes(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		want := map[string]string{}
		for _, name := range []string{"after", "flush", "unmount", "never-read", "stays"} {
			want["p/datasets/"+name+".csv"] = rowsOf(4)
			s.put("p/datasets/"+name+".csv", rowsOf(4))
		}
		gone := func(name string) {
			t.Helper()
			delete(want, "p/datasets/"+name+".csv")
			s.demand(name, want)
			if !slices.Contains(m.kept("history", name), rowsOf(4)) {
				t.Errorf("%s is not in the history", name)
			}
		}
		m.Mount("delete_after=300ms")
		m.Sh("cat p/datasets/{after,flush,unmount}.csv > /dev/null; rm p/datasets/after.csv")
		eventually(t, "the table is deleted", func() bool { return !s.has("p/datasets/after.csv") })
		gone("after")
		m.Unmount()
		m.Mount("delete_after=1h")
		m.Sh("rm p/datasets/flush.csv")
		m.Flush()
		gone("flush")
		m.Sh("rm p/datasets/never-read.csv")
		m.Flush()
		gone("never-read")
		m.appendLines("p/datasets/unmount.csv", "q5,a5\n")
		m.Sh("rm p/datasets/unmount.csv; > p/datasets/short.csv; rm p/datasets/short.csv")
		m.Unmount()
		delete(want, "p/datasets/unmount.csv")
		s.demand("unmount", want)
		if kept := m.kept("history", "unmount"); !slices.Contains(kept, rowsOf(4)+"q5,a5\n") {
			t.Errorf("the history of unmount.csv has %q", kept)
		}
		m.Mount()
		m.leaveNothing()
	})
}

// TestDeleteWaits for everything that was saved before: it goes to the store last.
func TestDeleteWaits(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.put("p/datasets/stuck.csv", rowsOf(60))
		m.Mount("delete_after=1ms")
		m.Write("p/datasets/stuck.csv", "q,a\n") // no row is left: held
		m.WaitState("p/datasets/stuck.csv", "held")
		m.Sh("rm p/datasets/qa.csv")
		if r := m.Run("flush", m.Dir); r.Code != 3 || !strings.Contains(r.Err, "qa.csv") {
			t.Errorf("flush: %+v", r)
		}
		if !s.has(qa) {
			t.Error("deleted before what was saved before has arrived")
		}
		m.must("discard", m.Path("p/datasets/stuck.csv"))
		m.Flush()
		s.demand("after the discard", map[string]string{"p/datasets/stuck.csv": rowsOf(60)})
	})
}

// TestMovedToAnotherDisk: what a process unlinks that has just read it is held.
func TestMovedToAnotherDisk(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		for _, name := range []string{"mv", "tar", "python", "rm"} {
			s.put("p/datasets/"+name+".csv", rowsOf(5))
		}
		m.Mount()
		python := program(t, "python3")
		out := t.TempDir()
		m.Sh(fmt.Sprintf(`mv p/datasets/mv.csv '%[1]s/'; tar -C p/datasets -cf '%[1]s/x.tar' --remove-files tar.csv
			'%[2]s' -c 'import os; p = "p/datasets/python.csv"; open(p).read(); os.unlink(p)'
			cat p/datasets/rm.csv > /dev/null; rm p/datasets/rm.csv; [ -z "$(ls p/datasets)" ]`, out, python))
		if got := plain(readFile(t, filepath.Join(out, "mv.csv"))); got != rowsOf(5) {
			t.Errorf("what was moved is %q", got)
		}
		for _, name := range []string{"mv", "tar", "python"} {
			m.held("p/datasets/"+name+".csv", "renamed away")
		}
		want := map[string]string{"p/datasets/mv.csv": rowsOf(5), "p/datasets/tar.csv": rowsOf(5), "p/datasets/python.csv": rowsOf(5)}
		s.demand("while they are held", want)
		m.Run("unmount", m.Dir)
		m.Mount()
		m.held("p/datasets/mv.csv", "renamed away")
		m.must("confirm", m.Path("p/datasets/mv.csv"))
		m.must("discard", m.Path("p/datasets/tar.csv"))
		m.must("discard", m.Path("p/datasets/python.csv"))
		m.Flush()
		delete(want, "p/datasets/mv.csv")
		s.demand("at the end", want)
		same(t, "the mount", m.shown(), want)
	})
}

// TestManyUnlinks: more than three tables that are removed together wait for
// `confirm DIR`, three do not.
func TestManyUnlinks(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		want := map[string]string{}
		fill := func(n int, folder string) {
			for i := range n {
				name := fmt.Sprintf("p/%s/t%d.csv", folder, i)
				if !s.has(name) {
					s.put(name, rowsOf(3+i))
				}
				want[name] = rowsOf(3 + i)
			}
		}
		fill(5, "datasets")
		fill(2, "experiments")
		m.Mount("delete_after=1h")
		m.Sh("rm p/datasets/t[0-4].csv; [ -z \"$(ls p/datasets)\" ]")
		for i := range 5 {
			m.held(fmt.Sprintf("p/datasets/t%d.csv", i), "removed together")
		}
		s.demand("while they are held", want)
		m.must("discard", m.Path("p/datasets"))
		m.Flush()
		same(t, "after the discard", m.shown(), want)
		m.Sh("rm p/datasets/t[0-3].csv")
		m.held("p/datasets/t0.csv", "removed together")
		m.must("confirm", m.Path("p/datasets"))
		m.Flush()
		for i := range 4 {
			delete(want, fmt.Sprintf("p/datasets/t%d.csv", i))
		}
		s.demand("after the confirm", want)
		m.Sh("rm p/experiments/*.csv p/datasets/t4.csv")
		m.Flush()
		s.demand("three", map[string]string{"p/": ""})
	})
}

// TestProjectRemoved: rm -r of a project with many tables hides it; discard brings
// it back, confirm deletes it.
func TestProjectRemoved(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		want := map[string]string{}
		for i := range 5 {
			name := fmt.Sprintf("p/datasets/t%d.csv", i)
			s.put(name, rowsOf(3+i))
			want[name] = rowsOf(3 + i)
		}
		m.Mount("delete_after=1h")
		m.Sh(`mkdir p/.git; echo x > p/.git/HEAD; rm -r p; [ -z "$(ls -A)" ]`)
		m.held("p/datasets/t0.csv", "removed together")
		s.demand("while it is held", want)
		m.must("discard", m.Path("p"))
		m.Flush()
		same(t, "after the discard", m.shown(), want)
		s.demand("after the discard", want)
		m.Sh("rm -r p")
		m.held("p/datasets/t0.csv", "removed together")
		m.must("confirm", m.Path("p"))
		m.Flush()
		s.demand("after the confirm", map[string]string{})
		m.Sh(`[ -z "$(ls -A)" ]`)
		m.Remount()
		m.Sh(`[ -z "$(ls -A)" ]; mkdir -p p/datasets; printf 'q,a\nx,1\ny,2\n' > p/datasets/new.csv`)
		m.Flush()
		s.demand("made again", map[string]string{"p/datasets/new.csv": small})
	})
}

// TestRemovedButChanged: what others changed since it was removed is not deleted.
func TestRemovedButChanged(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		m.Mount("delete_after=1h")
		m.Sh("cat p/datasets/qa.csv > /dev/null; rm p/datasets/qa.csv")
		if s.box != nil {
			s.box.put(qa, rowsOf(5)+"theirs,1\n")
		} else if s.e == nil {
			file, err := os.OpenFile(filepath.Join(m.Root, qa), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := file.WriteString("theirs,1\n"); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			header := []string{"q", "a"}
			s.e.call(t, "POST", s.at(qa)+"/rows:apply", map[string]any{"old_header": header, "new_header": header,
				"rows": []any{map[string]any{"op": "append", "id": "theirs", "after": []string{"theirs", "1"}}}}, nil)
		}
		m.Run("flush", m.Dir)
		m.held(qa, "changed in the store since")
		s.demand("while it is held", map[string]string{qa: rowsOf(5) + "theirs,1\n"})
		m.must("discard", m.Path(qa))
		m.Flush()
		same(t, "the mount", m.shown(), map[string]string{qa: rowsOf(5) + "theirs,1\n"})
		m.Sh("rm p/datasets/qa.csv")
		m.Flush()
		s.demand("removed again", map[string]string{"p/": ""})
	})
}
