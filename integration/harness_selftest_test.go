package integration

import (
	"os"
	"path/filepath"
	"testing"
)

// The ordinary life of a mount, which every other test relies on.
func TestMountEditRemount(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms")
	m.Seed("p/datasets/qa.csv", "q,a\n1,2\n3,4\n")
	m.Mount()
	if got := m.Read("p/datasets/qa.csv"); got != "q,a\n1,2\n3,4\n" {
		t.Errorf("the mount has %q", got)
	}
	m.Sh(`sed -i s/3,4/3,5/ p/datasets/qa.csv`)
	m.WaitClean()
	const edited = "q,a\n1,2\n3,5\n"
	if got := m.Store("p/datasets/qa.csv"); got != edited {
		t.Errorf("the store has %q", got)
	}
	if got := m.Calls().rows(); got != (calls{Update: 1}) {
		t.Errorf("one edited cell took %+v", got)
	}
	m.Remount()
	if got := m.Read("p/datasets/qa.csv"); got != edited {
		t.Errorf("after a remount the mount has %q", got)
	}
	m.Kill9()
	m.Mount()
	if got := m.Read("p/datasets/qa.csv"); got != edited {
		t.Errorf("after a kill the mount has %q", got)
	}
	m.Unmount()
	if _, err := os.Stat(filepath.Join(m.Dir, "p")); err == nil {
		t.Error("it is still mounted")
	}
}

func TestMountRowStore(t *testing.T) {
	t.Parallel()
	e := startMemory(t)
	m := mount(t, "memory", "address="+e.Address, "write_back=200ms")
	m.Sh(`mkdir -p p/datasets && printf 'q,a\nx,1\n' > p/datasets/qa.csv`)
	m.Flush()
	if got := m.Table("p/datasets/qa.csv"); got.State != "clean" {
		t.Errorf("after a flush the table is %+v", got)
	}
	if got := m.Calls().rows(); got != (calls{Append: 1}) {
		t.Errorf("one new row took %+v", got)
	}
}
