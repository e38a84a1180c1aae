package integration

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// numbered is a table of n rows, from row number first on.
func tableOf(first, n int) string {
	var b strings.Builder
	b.WriteString("id,q,a\n")
	for i := first; i < first+n; i++ {
		fmt.Fprintf(&b, "%d,q%d,a%d\n", i, i, i)
	}
	return b.String()
}

const qa = "p/datasets/qa.csv"

// saveMount is a mount with one table of 1000 rows.
func saveMount(t *testing.T, store string) *mounted {
	t.Helper()
	m := prepareOn(t, store, "write_back=200ms")
	m.Seed(qa, tableOf(0, 1000))
	m.Mount()
	return m
}

// errnoOf is the errno of an error, 0 for nil.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	errors.As(err, &errno)
	return errno
}

// TestInvalidSaves: every invalid form of section 5 is kept as saved, is named
// with line and column, and nothing of it reaches the store.
func TestInvalidSaves(t *testing.T) { onStores(t, testInvalidSaves) }

func testInvalidSaves(t *testing.T, store string) {
	good := tableOf(0, 1000)
	forms := []struct {
		name, content string
		errno         syscall.Errno // of close and of rename
	}{
		{"bare quote", strings.Replace(good, "q5,", `q"5,`, 1), syscall.EBADMSG},
		{"open quote", good + `1,"abc`, 0}, // more could come
		{"too many cells", good + "1,2,3,4\n", syscall.EBADMSG},
		{"too few cells", good + "1,2\n", syscall.EBADMSG},
		{"no header", "\n" + good, syscall.EBADMSG},
		{"repeated column", strings.Replace(good, "id,q,a", "id,q,q", 1), syscall.EBADMSG},
		{"another table's header", strings.Replace(good, "id,q,a", "x,y,a", 1), syscall.EBADMSG},
		{"semicolons", strings.ReplaceAll(good, ",", ";"), syscall.EBADMSG},
		{"no bytes", "", 0},
	}
	for _, form := range forms {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			m := saveMount(t, store)
			before := m.Calls()
			if errno := errnoOf(closeError(m.Path(qa), form.content)); errno != form.errno {
				t.Errorf("close: %v, want %v", errno, form.errno)
			}
			checkInvalid(t, m, form.content)
			m.must("discard", m.Path(qa))
			if got := m.Read(qa); got != good {
				t.Fatal("discard did not go back")
			}
			checkRename(t, m, form.content, form.errno)
			if got := m.Calls().rows(); got != before.rows() {
				t.Errorf("the store was asked: %+v, before %+v", got, before)
			}
			m.Write(qa, strings.Replace(good, "a7\n", "A7\n", 1))
			m.Flush()
			if got := m.Calls().rows(); got != (calls{Update: 1}) {
				t.Errorf("the next good save sent %+v, want one update", got)
			}
		})
	}
}

// closeError writes a file as `>` does and returns what close answers.
func closeError(path, content string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(content); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func checkInvalid(t *testing.T, m *mounted, content string) {
	t.Helper()
	s := m.WaitState(qa, "invalid")
	if !regexp.MustCompile(`line \d+, column \d+`).MatchString(s.Error) {
		t.Errorf("error = %q, names no line and column", s.Error)
	}
	if m.Read(qa) != content {
		t.Error("the file is not what was saved")
	}
	if m.Store(qa) != tableOf(0, 1000) {
		t.Error("something of the save reached the store")
	}
}

// checkRename renames the content onto the table. If that is refused, nothing
// has changed.
func checkRename(t *testing.T, m *mounted, content string, errno syscall.Errno) {
	t.Helper()
	temp := m.Path("p/datasets/sedXXXXXX")
	if err := os.WriteFile(temp, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := errnoOf(os.Rename(temp, m.Path(qa))); got != errno {
		t.Errorf("rename: %v, want %v", got, errno)
	}
	if errno == 0 {
		checkInvalid(t, m, content)
		m.must("discard", m.Path(qa))
		return
	}
	if m.Read(qa) != tableOf(0, 1000) || readFile(t, temp) != content {
		t.Error("a refused rename has changed something")
	}
}

// TestGuard: each rule holds what it must at its boundary, and lets go what it must.
func TestGuard(t *testing.T) { onStores(t, testGuard) }

func testGuard(t *testing.T, store string) {
	withoutColumn := "id,q\n" + dropLastCell(tableOf(0, 1000))
	cases := []struct {
		name, content string
		sync          bool
		held          bool
		want          calls
	}{
		{"a: header only", "id,q,a\n", false, true, calls{}},
		{"b: 21 last rows cut, in place, no fsync", tableOf(0, 979), false, true, calls{}},
		{"b: 20 last rows cut", tableOf(0, 980), false, false, calls{Delete: 20}},
		{"b: 25 last rows cut with fsync", tableOf(0, 975), true, false, calls{Delete: 25}},
		{"c: 499 of 1000 left", tableOf(0, 499), true, true, calls{}},
		{"c: half left", tableOf(500, 500), true, false, calls{Delete: 500}},
		{"d: a column with values dropped", withoutColumn, true, true, calls{}},
		{"all rows new", tableOf(5000, 1000), true, false, calls{Update: 1000}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := saveMount(t, store)
			saveWith(t, m.Path(qa), c.content, c.sync)
			if c.held {
				if s := m.WaitState(qa, "held"); s.Reason == "" {
					t.Error("held without a reason")
				}
				if m.Store(qa) != tableOf(0, 1000) || m.Read(qa) != c.content {
					t.Error("a held save was sent or changed")
				}
				m.must("confirm", m.Path(qa))
			}
			m.Flush()
			if m.Store(qa) != c.content {
				t.Error("the save is not in the store")
			}
			if got := m.Calls().rows(); !c.held && got != c.want {
				t.Errorf("sent %+v, want %+v", got, c.want)
			}
		})
	}
}

// dropLastCell is the records of a table without their last cells, without header.
func dropLastCell(content string) string {
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(content), "\n")[1:] {
		b.WriteString(line[:strings.LastIndexByte(line, ',')] + "\n")
	}
	return b.String()
}

func saveWith(t *testing.T, path, content string, sync bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(content); err != nil {
		t.Fatal(err)
	}
	if sync {
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestGuardKilledWriter is rule (e): rows are gone, and the program that wrote
// was killed. It holds with guard=off too.
func TestGuardKilledWriter(t *testing.T) { onStores(t, testGuardKilledWriter) }

func testGuardKilledWriter(t *testing.T, store string) {
	t.Parallel()
	m := prepareOn(t, store, "write_back=200ms", "guard=off")
	m.Seed(qa, tableOf(0, 1000))
	m.Mount()
	script := `exec 3> "$1"; cat "$2" >&3; sync "$1"; echo written; sleep 60`
	source := m.temp + "/less.csv"
	if err := os.WriteFile(source, []byte(tableOf(0, 995)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script, "-", m.Path(qa), source)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	m.WaitState(qa, "held")
	if m.Store(qa) != tableOf(0, 1000) {
		t.Error("what a killed program left was sent")
	}
}

// TestDeletesArriveExactly: 1, 10 and 300 of 1000 rows out of the middle.
func TestDeletesArriveExactly(t *testing.T) { onStores(t, testDeletesArriveExactly) }

func testDeletesArriveExactly(t *testing.T, store string) {
	for _, n := range []int{1, 10, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			m := saveMount(t, store)
			lines := strings.SplitAfter(tableOf(0, 1000), "\n")
			m.Write(qa, strings.Join(append(lines[:301:301], lines[301+n:]...), ""))
			m.Flush()
			if got := m.Calls().rows(); got != (calls{Delete: n}) {
				t.Errorf("sent %+v, want %d deletes", got, n)
			}
		})
	}
}

// TestStaleSave: a program that saves what it read before a colleague's change
// came in keeps that change, and its own edit goes out.
func TestStaleSave(t *testing.T) {
	python := python(t)
	const script = `
import subprocess, sys, time
import pandas as pd
mount, shown = sys.argv[1], sys.argv[2]
df = pd.read_csv(mount)
print("read", flush=True)
input()
df.loc[20, "a"] = "MINE"
df.to_csv(mount, index=False)
`
	for _, source := range []string{"local/csv", "box/csv", "memory", "ragas/app"} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			m, colleague := staleWorld(t, source)
			cmd := exec.CommandContext(t.Context(), python, "-c", script, m.Path(qa), "COLLEAGUE")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := out.Read(make([]byte, 16)); err != nil {
				t.Fatal(err)
			}
			colleague(t)
			eventually(t, "the colleague's change shows", func() bool { return strings.Contains(m.Read(qa), "COLLEAGUE") })
			if _, err := fmt.Fprintln(in); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			m.Flush()
			eventually(t, "everything of both is there", func() bool {
				got := m.Read(qa)
				return strings.Contains(got, "COLLEAGUE") && strings.Contains(got, "MINE") &&
					strings.Contains(got, "q999,") && !strings.Contains(got, "q10,")
			})
			if got := m.Calls().rows(); got.Update != 1 || got.Delete != 0 {
				t.Errorf("sent %+v, want one update", got)
			}
		})
	}
}

// staleWorld is a mount with a table of 100 rows, and a colleague who changes row
// 5, deletes row 10 and adds a row 999 in the store.
func staleWorld(t *testing.T, source string) (*mounted, func(*testing.T)) {
	change := func(s string) string {
		s = strings.Replace(s, "q5,a5\n", "q5,COLLEAGUE\n", 1)
		lines := strings.SplitAfter(s, "\n")
		var kept []string
		for _, line := range lines {
			if !strings.Contains(line, "q10,") {
				kept = append(kept, line)
			}
		}
		return strings.Join(kept, "")
	}
	if source == "local/csv" || source == "box/csv" {
		m := prepareOn(t, source, "write_back=200ms")
		m.Seed(qa, tableOf(0, 100))
		m.Mount()
		return m, func(t *testing.T) { m.Seed(qa, change(tableOf(0, 100))+"999,q999,a999\n") }
	}
	if source == "ragas/app" {
		m := prepareOn(t, source, "write_back=200ms", "ttl=1s")
		m.Seed(qa, tableOf(0, 100))
		m.Mount()
		return m, func(t *testing.T) {
			other := m.seeder.(*ragasSeeder).table(t, qa)
			other.set("r5", `{"c-a": "COLLEAGUE"}`)
			other.remove("r10")
			other.add("late", `{"c-id": "999", "c-q": "q999", "c-a": "a999"}`)
		}
	}
	e := startMemory(t)
	m := mount(t, "memory", "write_back=200ms", "ttl=1s", "address="+e.Address)
	m.Sh("mkdir -p p/datasets")
	m.Write(qa, tableOf(0, 100))
	m.Flush()
	eventually(t, "ids are shown", func() bool { return strings.HasPrefix(m.Read(qa), "_row_id,") })
	other := mount(t, "memory", "write_back=200ms", "address="+e.Address)
	return m, func(t *testing.T) {
		other.Write(qa, change(other.Read(qa))+",999,q999,a999\n")
		other.Flush()
	}
}

// TestGuardUndo is rule (f): a program that had the table open both before and
// after a colleague's change came in saves it as it was before. Whether it means
// to undo the change can't be known.
func TestGuardUndo(t *testing.T) { onStores(t, testGuardUndo) }

func testGuardUndo(t *testing.T, store string) {
	t.Parallel()
	m, colleague := staleWorld(t, store)
	before := m.Read(qa)
	colleague(t)
	eventually(t, "the colleague's change shows", func() bool { return strings.Contains(m.Read(qa), "COLLEAGUE") })
	held := m.Store(qa)
	m.Write(qa, before)
	if s := m.WaitState(qa, "held"); s.Reason == "" {
		t.Error("held without a reason")
	}
	if m.Store(qa) != held {
		t.Error("the colleague's change was undone in the store")
	}
	m.must("discard", m.Path(qa))
	if m.Read(qa) != held {
		t.Error("discard did not go back to what the store has")
	}
}

// TestEveryCloseIsTold: a child that was forked while a table was open closes it
// first. The program that wrote is told all the same that its save is no table.
func TestEveryCloseIsTold(t *testing.T) { onStores(t, testEveryCloseIsTold) }

func testEveryCloseIsTold(t *testing.T, store string) {
	t.Parallel()
	m := saveMount(t, store)
	f, err := os.OpenFile(m.Path(qa), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(tableOf(0, 1000) + "1,2,3,4\n"); err != nil {
		t.Fatal(err)
	}
	m.Sh("true") // every child closes our descriptors when it executes its program
	if errno := errnoOf(f.Close()); errno != syscall.EBADMSG {
		t.Errorf("close: %v, want %v", errno, syscall.EBADMSG)
	}
}
