package integration

import (
	"strings"
	"testing"
)

// saveCall appends a row with bare system calls and says what close or fsync
// answered; a signal comes after the time in ALARM, if there is one.
const saveCall = `"$PY" - "$T" <<'PY'
import ctypes, errno, os, signal, sys
def answer(call, fd):
    libc = ctypes.CDLL(None, use_errno=True)
    return "ok" if getattr(libc, call)(fd) == 0 else errno.errorcode[ctypes.get_errno()]
signal.signal(signal.SIGALRM, lambda *_: None)
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
os.write(fd, (os.environ["ROW"] + "\n").encode())
signal.setitimer(signal.ITIMER_REAL, float(os.environ.get("ALARM", 0)))
print(answer(os.environ["CALL"], fd))
PY`

// TestSyncRemote: close and fsync return when the store has the save, or say why
// it has not; what is not sent stays pending.
func TestSyncRemote(t *testing.T) {
	t.Parallel()
	store := startMemory(t, "--max-cell=20")
	m := mount(t, "memory", "address="+store.Address, "sync=remote", "timeout=2s", "write_back=1h")
	m.Sh("mkdir -p p/datasets")
	m.Write("p/datasets/qa.csv", "q,a\n1,one\n")
	save := func(call, row, more string) string {
		return strings.TrimSpace(m.Sh("export PY=" + python(t) + " T=p/datasets/qa.csv CALL=" + call + " ROW=" + row + " " + more + "\n" + saveCall))
	}
	appended := m.Calls().Append
	for _, call := range []string{"close", "fsync"} {
		if got := save(call, "2,two", ""); got != "ok" {
			t.Errorf("%s: %s", call, got)
		}
		if now := m.Calls().Append; now != appended+1 {
			t.Errorf("%s has returned, and %d rows have been sent", call, now-appended)
		}
		appended++
	}

	if got := save("close", "3,"+strings.Repeat("long", 10), ""); got != "EREMOTEIO" {
		t.Errorf("refused by the store: %s", got)
	}
	m.Sh(`sed -i '/longlong/d' p/datasets/qa.csv`)

	store.faults(t, fault{Path: ".*", Action: "stall", Delay: "10m"})
	if got := save("close", "4,four", ""); got != "ETIMEDOUT" {
		t.Errorf("no answer from the store: close: %s", got)
	}
	if got := save("fsync", "5,five", "ALARM=0.3"); got != "EINTR" {
		t.Errorf("interrupted: fsync: %s", got)
	}
	if got := m.Status().Pending.Rows; got != 2 {
		t.Errorf("%d rows are pending, want 2", got)
	}
	m.Kill9()
	store.call(t, "DELETE", "/_emulator/faults", nil, nil)
	m.Mount()
	m.Flush()
	if got := m.Read("p/datasets/qa.csv"); strings.Count(got, "4,four\n") != 1 || strings.Count(got, "5,five\n") != 1 {
		t.Errorf("after all, the table is\n%s", got)
	}
	if got := m.Calls().Append; got > 2 {
		t.Errorf("2 rows took %d appends", got)
	}
}
