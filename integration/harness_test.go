package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How a test reads:
//
//	m := mount(t, "local/csv", "write_back=200ms")   // mounted, root_dir empty
//	m.Write("p/datasets/qa.csv", "q,a\n1,2\n")       // or any program on m.Path(...)
//	m.Flush()
//	... m.Status(), m.Calls(), m.Store("p/datasets/qa.csv")
//
// A store that has tables before it is mounted: prepare, Seed, Mount. A row store
// in a process of its own: startMemory, then mount(t, "memory", "address="+e.Address).
// Everything is unmounted and removed at the end, and the log of the daemon is
// shown if the test failed. Tests that wait should be t.Parallel().

// programs are the binaries under test, built once by TestMain.
var programs struct{ ragasfs, emulator string }

// patience is how long a test waits for what should happen at once: machines that
// run tests are slow at times.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ragasfs-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }() // tidying only
	args := []string{"build", "-o", dir + "/"}
	if raceBuild {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../cmd/ragasfs", "./emulator")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "integration: the programs under test can't be built:", err)
		return 1
	}
	programs.ragasfs, programs.emulator = filepath.Join(dir, "ragasfs"), filepath.Join(dir, "emulator")
	return m.Run()
}

// skip skips a test for want of something, or fails it where everything has been
// installed (RAGASFS_NO_SKIP): a skipped check is no check.
func skip(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("RAGASFS_NO_SKIP") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// program returns the path of a program that a test needs, or skips the test.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		skip(t, name+" is not installed")
	}
	return path
}

// python returns a Python with pandas: $RAGASFS_PYTHON, else the one that `make
// venv` makes.
func python(t testing.TB) string {
	t.Helper()
	path := os.Getenv("RAGASFS_PYTHON")
	if path == "" {
		path = "../.cache/venv/bin/python"
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		skip(t, fmt.Sprintf("no Python with pandas (%v); run `make venv` or set RAGASFS_PYTHON", err))
	}
	return path
}

// mounted is a mount of the program under test, and what belongs to it.
type mounted struct {
	Source string // registry name of the backend
	Root   string // root_dir of local/csv
	Dir    string // the mount point
	State  string // the state directory
	Log    string // the log file, of all daemons of this mount

	t       testing.TB
	seeder  seeder // the store, if it is no root_dir
	temp    string // holds all of the above
	options []string
	env     []string
}

// mount mounts source at a new directory with options, each "KEY=VALUE" or
// "KEY". local/csv gets a root_dir of its own unless one is among them.
func mount(t testing.TB, source string, options ...string) *mounted {
	t.Helper()
	m := prepare(t, source, options...)
	m.Mount()
	return m
}

// in is the same mount for a subtest: what fails, fails that.
func (m *mounted) in(t testing.TB) *mounted {
	sub := *m
	sub.t = t
	return &sub
}

// prepare is mount, but does not mount yet.
func prepare(t testing.TB, source string, options ...string) *mounted {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		skip(t, "no /dev/fuse: "+err.Error())
	}
	temp, err := os.MkdirTemp("", "ragasfs-test-")
	if err != nil {
		t.Fatal(err)
	}
	m := &mounted{
		Source: source, Root: filepath.Join(temp, "root"), Dir: filepath.Join(temp, "mnt"),
		State: filepath.Join(temp, "state"), Log: filepath.Join(temp, "log"),
		t: t, temp: temp, options: options,
		// A data race of the daemon fails the test: see end. Every command would
		// sleep a second at its end, in case that shows one more.
		env: append(os.Environ(), "GORACE=atexit_sleep_ms=0 log_path="+filepath.Join(temp, "race")),
	}
	for _, dir := range []string{m.Root, m.Dir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	given := slices.ContainsFunc(options, func(o string) bool { return strings.HasPrefix(o, "root_dir=") })
	if source == "local/csv" && !given {
		m.options = append([]string{"root_dir=" + m.Root}, options...)
	}
	t.Cleanup(m.end)
	return m
}

// Mount mounts: at first, and again after Unmount or Kill9. The options are those
// of before, and more.
func (m *mounted) Mount(more ...string) {
	m.t.Helper()
	if r := m.TryMount(more...); r.Code != 0 {
		m.t.Fatalf("mount: exit code %d\n%s%s", r.Code, r.Out, r.Err)
	}
}

// TryMount is Mount where it may fail.
func (m *mounted) TryMount(more ...string) result {
	m.t.Helper()
	args := []string{"mount", m.Source, m.Dir, "--state-dir", m.State, "--log-file", m.Log, "--log-level", "debug"}
	for _, o := range append(slices.Clone(m.options), more...) {
		args = append(args, "-o", o)
	}
	return m.Run(args...)
}

// Remount unmounts, which must flush everything, and mounts again.
func (m *mounted) Remount() {
	m.t.Helper()
	m.Unmount()
	m.Mount()
}

// Unmount unmounts and fails the test unless everything was sent.
func (m *mounted) Unmount() {
	m.t.Helper()
	m.must("unmount", m.Dir)
}

// Flush sends everything and fails the test if something is left.
func (m *mounted) Flush() {
	m.t.Helper()
	m.must("flush", m.Dir)
}

// Kill9 kills the daemon and waits until it is gone. The dead mount stays: Mount
// takes it away.
func (m *mounted) Kill9() {
	m.t.Helper()
	pid := m.Status().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		m.t.Fatalf("kill pid %d: %v", pid, err)
	}
	eventually(m.t, "the daemon is gone", func() bool { return syscall.Kill(pid, 0) != nil || zombie(pid) })
}

// zombie: whoever should have waited for a process does not.
func zombie(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(data), ") Z ")
}

// result is what a run of a program did.
type result struct {
	Code     int // exit code; -1: killed
	Out, Err string
}

// Run runs `ragasfs ARGS`.
func (m *mounted) Run(args ...string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // also works in cleanup
	defer cancel()
	return run(m.t, m.command(ctx, args...))
}

func (m *mounted) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, programs.ragasfs, args...)
	cmd.Env = m.env
	cmd.Dir = m.temp
	// The daemon has the ends of our pipes too: don't wait for it.
	cmd.WaitDelay = time.Second
	return cmd
}

func (m *mounted) must(args ...string) {
	m.t.Helper()
	if r := m.Run(args...); r.Code != 0 {
		m.t.Fatalf("ragasfs %s: exit code %d\n%s%s\nstatus: %s", strings.Join(args, " "), r.Code, r.Out, r.Err, m.Run("status", "--json", m.Dir).Out)
	}
}

// run runs a command to its end.
func run(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), stderr.String()}
}

// Sh runs a script with bash in the mount's directory; it must succeed. The mount
// is $M, root_dir $R. It returns what it printed.
func (m *mounted) Sh(script string) string {
	m.t.Helper()
	r := m.TrySh(script)
	if r.Code != 0 {
		m.t.Fatalf("%s\nexit code %d\n%s%s", script, r.Code, r.Out, r.Err)
	}
	return r.Out
}

// TrySh is Sh where it may fail. What still runs after two minutes is killed.
func (m *mounted) TrySh(script string) result {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Dir = m.Dir
	cmd.Env = append(slices.Clone(m.env), "M="+m.Dir, "R="+m.Root, "HOME="+m.temp, "LC_ALL=C.UTF-8", "TZ=UTC")
	cmd.WaitDelay = time.Second
	return run(m.t, cmd)
}

// Path is the path of name in the mount.
func (m *mounted) Path(name string) string { return filepath.Join(m.Dir, name) }

// Write writes a file of the mount as `>` does.
func (m *mounted) Write(name, content string) {
	m.t.Helper()
	if err := os.WriteFile(m.Path(name), []byte(content), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// Read reads a file of the mount.
func (m *mounted) Read(name string) string {
	m.t.Helper()
	return readFile(m.t, m.Path(name))
}

// Seed writes a file of root_dir, with its directories, or makes a table of
// another store.
func (m *mounted) Seed(name, content string) {
	m.t.Helper()
	if m.seeder != nil {
		m.seeder.seed(m.t, name, content)
		return
	}
	path := filepath.Join(m.Root, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o644)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// Store reads a file of root_dir, or a table of another store: what the store has.
func (m *mounted) Store(name string) string {
	m.t.Helper()
	if m.seeder != nil {
		return m.seeder.held(m.t, name)
	}
	return readFile(m.t, filepath.Join(m.Root, name))
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// status is `ragasfs status --json`, by the contract.
type status struct {
	Mountpoint string `json:"mountpoint"`
	Source     string `json:"source"`
	Backend    string `json:"backend"`
	PID        int    `json:"pid"`
	State      string `json:"state"` // online, offline, auth
	Pending    struct {
		Tables int `json:"tables"`
		Rows   int `json:"rows"`
	} `json:"pending"`
	Calls    calls         `json:"calls"`
	Tables   []tableStatus `json:"tables"`
	Notices  []string      `json:"notices"`
	Warnings []string      `json:"warnings"`
	Projects []struct {
		Path  string `json:"path"`
		Op    string `json:"op"`
		Error string `json:"error"`
	} `json:"projects"`
	Limits []struct {
		Name      string `json:"name"`
		PerMinute int    `json:"per_minute"`
		Burst     int    `json:"burst"`
		Left      int    `json:"left"`
	} `json:"limits"`
}

// calls counts calls, and rows for the row verbs.
type calls struct {
	List   int `json:"list"`
	Load   int `json:"load"`
	Append int `json:"append"`
	Update int `json:"update"`
	Delete int `json:"delete"`
}

// rows are the calls that change rows.
func (c calls) rows() calls { return calls{Append: c.Append, Update: c.Update, Delete: c.Delete} }

type tableStatus struct {
	Path    string `json:"path"`
	State   string `json:"state"` // clean, dirty, pushing, held, invalid, rejected, conflict
	Rows    int    `json:"rows"`
	Pending struct {
		Append  int `json:"append"`
		Update  int `json:"update"`
		Delete  int `json:"delete"`
		Columns int `json:"columns"`
	} `json:"pending"`
	TableOp *string    `json:"table_op"` // create, delete, rename or nil
	Reason  string     `json:"reason"`
	Error   string     `json:"error"`
	Since   *time.Time `json:"since"`
}

// Op is table_op, or "".
func (s tableStatus) Op() string {
	if s.TableOp == nil {
		return ""
	}
	return *s.TableOp
}

// Status is the status of the mount.
func (m *mounted) Status() status {
	m.t.Helper()
	r := m.Run("status", "--json", m.Dir)
	var s status
	if err := json.Unmarshal([]byte(r.Out), &s); err != nil {
		m.t.Fatalf("status: exit code %d, %v\n%s%s", r.Code, err, r.Out, r.Err)
	}
	return s
}

// Table is the status of one table ("p/datasets/qa.csv"). Its state is "clean"
// if the status does not list it.
func (m *mounted) Table(name string) tableStatus {
	m.t.Helper()
	for _, s := range m.Status().Tables {
		if s.Path == name {
			return s
		}
	}
	return tableStatus{Path: name, State: "clean"}
}

// Calls counts what was asked of the store since the mount.
func (m *mounted) Calls() calls {
	m.t.Helper()
	return m.Status().Calls
}

// WaitState waits until a table is in a state.
func (m *mounted) WaitState(name, state string) tableStatus {
	m.t.Helper()
	var last tableStatus
	eventually(m.t, name+" is "+state, func() bool {
		last = m.Table(name)
		return last.State == state
	}, &last)
	return last
}

// WaitClean waits until nothing is pending, held or otherwise not clean.
func (m *mounted) WaitClean() {
	m.t.Helper()
	var last status
	eventually(m.t, "everything is sent", func() bool {
		last = m.Status()
		return len(last.Tables) == 0 && last.Pending.Tables == 0
	}, &last)
}

// eventually waits for a condition. What is shown if it never comes are the
// values that extra points to.
func eventually(t testing.TB, what string, condition func() bool, extra ...any) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(patience); !condition(); <-ticker.C {
		if time.Now().After(deadline) {
			var last strings.Builder
			for _, e := range extra {
				text, err := json.Marshal(e)
				fmt.Fprintf(&last, "\nlast: %s %v", text, err)
			}
			t.Fatalf("not within %s: %s%s", patience, what, last.String())
		}
	}
}

// isMounted reports whether something is mounted at the mount point.
func (m *mounted) isMounted() bool {
	table, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.Contains(string(table), " "+m.Dir+" fuse.ragasfs ")
}

// end unmounts whatever the state is, ends the daemon and shows the log of a test
// that failed.
func (m *mounted) end() {
	pid := 0
	if m.isMounted() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := m.command(ctx, "status", "--json", m.Dir)
		var s status
		if out, err := cmd.Output(); err == nil || len(out) > 0 {
			_ = json.Unmarshal(out, &s) // no pid then
			pid = s.PID
		}
		m.Run("unmount", "--timeout", "5s", m.Dir) // what is still pending is the test's business
	}
	if m.isMounted() {
		m.t.Error("the mount could not be unmounted at the end; a file is still open?")
		if err := syscall.Unmount(m.Dir, syscall.MNT_DETACH); err != nil {
			m.t.Errorf("%s stays mounted: %v", m.Dir, err)
			return // what is removed now would be removed in the store
		}
		if pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
		}
	}
	races, err := filepath.Glob(filepath.Join(m.temp, "race.*"))
	if err != nil {
		m.t.Error(err)
	}
	for _, path := range races {
		m.t.Errorf("data race in the daemon:\n%s", readFile(m.t, path))
	}
	if m.t.Failed() {
		m.showLog()
	}
	if err := os.RemoveAll(m.temp); err != nil {
		m.t.Error(err)
	}
}

// showLog shows the end of the daemon's log.
func (m *mounted) showLog() {
	const most = 32 << 10
	data, err := os.ReadFile(m.Log)
	if err != nil {
		m.t.Logf("the log of %s: %v", m.Dir, err)
		return
	}
	m.t.Logf("the log of %s (%s):\n%s", m.Dir, m.Source, data[max(0, len(data)-most):])
}

// emulator is an emulated service in a process of its own.
type emulator struct {
	Address string // as given to --listen

	t       testing.TB
	process *exec.Cmd
	args    []string
}

// startMemory starts `emulator memory` at a socket of its own. Flags are more of
// its flags ("--latency", "20ms").
func startMemory(t testing.TB, flags ...string) *emulator {
	t.Helper()
	dir, err := os.MkdirTemp("", "ragasfs-emulator-") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return startEmulator(t, "memory", "unix:"+filepath.Join(dir, "sock"), flags...)
}

// startEmulator starts an emulator that listens at address. With port 0 the real
// one is in Address.
func startEmulator(t testing.TB, service, address string, flags ...string) *emulator {
	t.Helper()
	e := &emulator{Address: address, t: t, args: append([]string{service}, flags...)}
	e.Start()
	t.Cleanup(e.Stop)
	return e
}

// Start starts it (again, at the same address and with an empty state).
func (e *emulator) Start() {
	e.t.Helper()
	cmd := exec.Command(programs.emulator, append(slices.Clone(e.args), "--listen", e.Address)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		e.t.Fatal(err)
	}
	e.process = cmd
	const announcement = "listening on "
	line := make([]byte, 0, 128)
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(out, b); err != nil {
			e.t.Fatalf("the emulator did not start: %q, %v", line, err)
		}
		if b[0] == '\n' {
			break
		}
	}
	address, ok := strings.CutPrefix(string(line), announcement)
	if !ok {
		e.t.Fatalf("the emulator said %q", line)
	}
	e.Address = address
}

// Stop kills it: its state is gone.
func (e *emulator) Stop() {
	_ = e.process.Process.Kill() // it may have been stopped
	_ = e.process.Wait()         // killed, always
}
