package integration

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
)

// stalled is a mount with a save that the store does not answer about.
func stalled(t *testing.T) (m *mounted, store *emulator, pid int) {
	store = startMemory(t)
	m = mount(t, "memory", "address="+store.Address, "write_back=200ms")
	m.Sh("mkdir -p p/datasets")
	m.Write("p/datasets/qa.csv", "q,a\n1,one\n")
	m.Flush()
	store.faults(t, fault{Method: "POST", Path: ".*apply.*", Times: 1000, Action: "stall", Delay: "10m"})
	m.Sh("echo 2,two >> p/datasets/qa.csv")
	m.WaitState("p/datasets/qa.csv", "pushing")
	return m, store, m.Status().PID
}

// TestDrainHandedOver: a mount that comes while the last one is still sending
// takes over from it, and sends what it could not.
func TestDrainHandedOver(t *testing.T) {
	t.Parallel()
	m, store, pid := stalled(t)
	m.Sh("cd /; fusermount3 -u " + m.Dir)
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("it does not drain: %v", err)
	}
	m.Mount()
	if now := m.Status().PID; now == pid {
		t.Fatal("the old daemon serves the new mount")
	}
	ended(t, pid)
	if got := m.Read("p/datasets/qa.csv"); got != "q,a\n1,one\n2,two\n" {
		t.Fatalf("after the remount: %q", got)
	}
	store.call(t, "DELETE", "/_emulator/faults", nil, nil)
	m.Flush()
	if calls := m.Calls(); calls.Append > 1 {
		t.Errorf("one new row took %+v", calls)
	}
}

// TestDrainInterrupted: the second signal ends a daemon that waits for the store;
// what is not sent stays, and the next mount sends it.
func TestDrainInterrupted(t *testing.T) {
	t.Parallel()
	m, store, pid := stalled(t)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		if err := syscall.Kill(pid, s); err != nil {
			t.Fatal(err)
		}
	}
	ended(t, pid)
	if m.isMounted() {
		t.Error("it has left its mount behind")
	}
	store.call(t, "DELETE", "/_emulator/faults", nil, nil)
	m.Mount()
	m.Flush()
	if got := m.Read("p/datasets/qa.csv"); strings.Count(got, "2,two\n") != 1 {
		t.Fatalf("after the remount: %q", got)
	}
	m.WaitClean()
}

// ended waits until a process is gone.
func ended(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the daemon has ended", func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })
}

// TestLazyUnmount: --lazy takes away a mount that is in use, does not wait for
// its users, and has sent everything.
func TestLazyUnmount(t *testing.T) {
	t.Parallel()
	m := mount(t, "local/csv", "write_back=1h")
	m.Sh("mkdir -p p/datasets")
	m.Write("p/datasets/qa.csv", "q,a\n1,one\n")
	pid := m.Status().PID
	f, err := os.Open(m.Path("p/datasets/qa.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	m.must("unmount", "--lazy", m.Dir)
	if m.isMounted() {
		t.Error("it is still mounted")
	}
	if got := m.Store("p/datasets/qa.csv"); got != "q,a\n1,one\n" {
		t.Errorf("the store has %q", got)
	}
	if zombie(pid) || syscall.Kill(pid, 0) != nil {
		t.Error("the daemon has ended while a file was open")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	ended(t, pid)
}

// TestTwoUnmounts: of two unmounts at the same time both wait for the end, and
// neither fails because the other was first.
func TestTwoUnmounts(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=manual")
	m.Seed(qa, tableOf(0, 10))
	for round := range 8 {
		m.Mount()
		want := tableOf(0, 11+round)
		m.Write(qa, want)
		other := make(chan result)
		go func() { other <- run(t, m.command(context.Background(), "unmount", m.Dir)) }()
		for _, r := range []result{m.Run("unmount", m.Dir), <-other} {
			if r.Code != 0 || r.Err != "" {
				t.Errorf("round %d: exit code %d, %s", round, r.Code, r.Err)
			}
		}
		if got := m.Store(qa); got != want {
			t.Fatalf("round %d: the store has\n%s", round, got)
		}
	}
}
