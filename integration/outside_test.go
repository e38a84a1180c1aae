package integration

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// TestEditsFromOutside: what others do to a file of root_dir shows in the mount
// at the next open; who has it open keeps what it had; no half-written version is
// ever shown.
func TestEditsFromOutside(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=500ms")
	m.Seed(qa, tableOf(0, 1000))
	m.Mount()
	path := m.Root + "/" + qa
	for round := range 4 {
		for _, how := range []string{"replace", "in place", "append", "cut", "slowly"} {
			before := m.Read(qa)
			old, err := os.Open(m.Path(qa))
			if err != nil {
				t.Fatal(err)
			}
			want := editOutside(t, path, how, round, func() {
				if got := m.Read(qa); got != before {
					t.Errorf("%s: a half-written version is shown, %d bytes", how, len(got))
				}
			})
			limit := time.Second
			if how == "cut" { // could be still being written: believed after the settle time
				limit += 500 * time.Millisecond
			}
			begun := time.Now()
			eventually(t, how+" shows", func() bool {
				got := m.Read(qa)
				if got != want && got != before {
					t.Fatalf("%s: neither the old nor the new version is shown", how)
				}
				return got == want
			})
			if took := time.Since(begun); took > 3*limit { // three times: the machine may be busy
				t.Errorf("%s showed after %v", how, took)
			}
			kept, err := io.ReadAll(old)
			if err != nil || string(kept) != before {
				t.Errorf("%s: an open file has changed (%v)", how, err)
			}
			if err := old.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if got := m.Calls().rows(); got != (calls{}) {
		t.Errorf("sent %+v, want nothing", got)
	}
}

// editOutside changes the file and returns what it holds afterwards. between is
// called while a slow writer is at work.
func editOutside(t *testing.T, path, how string, round int, between func()) string {
	t.Helper()
	now := readFile(t, path)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	switch how {
	case "replace":
		now = tableOf(round, 1000)
		must(os.WriteFile(path+".new", []byte(now), 0o644))
		must(os.Rename(path+".new", path))
	case "in place":
		now = strings.Replace(now, ",q5", fmt.Sprintf(",Q%d", round), 1)
		must(os.WriteFile(path, []byte(now), 0o644))
	case "append":
		line := fmt.Sprintf("%d,n,n\n", 90000+round)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		must(err)
		_, err = f.WriteString(line)
		must(err)
		must(f.Close())
		now += line
	case "cut":
		now = now[:strings.LastIndexByte(now[:len(now)-1], '\n')+1]
		must(os.Truncate(path, int64(len(now))))
	case "slowly":
		now = tableOf(100+round, 1000)
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
		must(err)
		for part := now; part != ""; {
			n := min(len(part), len(now)/4)
			_, err = f.WriteString(part[:n])
			must(err)
			if part = part[n:]; part != "" {
				between()
			}
		}
		must(f.Close())
	}
	return now
}

// TestOneMountAStore: a store that is mounted can't be mounted again; two stores
// share a state directory; a mount right after an unmount by others works.
func TestOneMountAStore(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv")
	m.Seed(qa, tableOf(0, 10))
	m.Mount()
	second := m.temp + "/second"
	if err := os.Mkdir(second, 0o700); err != nil {
		t.Fatal(err)
	}
	r := m.Run("mount", "local/csv", second, "-o", "root_dir="+m.Root, "--state-dir", m.State)
	if r.Code != 1 || !strings.Contains(r.Err, m.Dir) || !strings.Contains(r.Err, fmt.Sprint(m.Status().PID)) {
		t.Errorf("a second mount: code %d, %s", r.Code, r.Err)
	}
	other := m.temp + "/other"
	if err := os.MkdirAll(other+"/q/datasets", 0o700); err != nil {
		t.Fatal(err)
	}
	m.must("mount", "local/csv", second, "-o", "root_dir="+other, "--state-dir", m.State)
	m.must("unmount", second)
	for range 3 {
		m.Sh("cd /; fusermount3 -u '" + m.Dir + "'")
		m.Mount()
		if m.Read(qa) != tableOf(0, 10) {
			t.Fatal("the table is not what it was")
		}
	}
}

// TestAnotherRootDir: where another directory has taken the place of root_dir, the
// mount says so, and sends nothing that is meant for the first one.
func TestAnotherRootDir(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=manual")
	m.Seed(qa, tableOf(0, 3))
	m.Mount()
	m.Write(qa, tableOf(0, 4))
	m.Kill9()
	first := m.Root + ".first"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Rename(m.Root, first))
	m.Seed(qa, tableOf(0, 3))
	r := m.TryMount()
	if r.Code != 0 || !strings.Contains(r.Err, "not the store that was mounted before") {
		t.Errorf("mount: exit code %d, %s", r.Code, r.Err)
	}
	if f := m.Run("flush", "--timeout", "1s", m.Dir); f.Code != 3 {
		t.Errorf("flush: exit code %d, %s", f.Code, f.Err)
	}
	if m.Store(qa) != tableOf(0, 3) || m.Read(qa) != tableOf(0, 4) {
		t.Errorf("the other directory has\n%s, the mount\n%s", m.Store(qa), m.Read(qa))
	}
	m.Kill9()
	must(os.RemoveAll(m.Root))
	must(os.Rename(first, m.Root))
	if r := m.TryMount(); r.Code != 0 || strings.Contains(r.Err, "not the store") {
		t.Errorf("mount of the first: exit code %d, %s", r.Code, r.Err)
	}
	m.Flush()
	if m.Store(qa) != tableOf(0, 4) {
		t.Errorf("the store has\n%s", m.Store(qa))
	}
}
