package fs

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
)

// A mount under test runs in a process of its own: the test binary, started
// again with this variable set. Test and server in one process can block each
// other (a system call of the test that waits for a server that is not run).
const mounterEnv = "RAGASFS_TEST_MOUNTER"

// mounterConfig is handed to that process.
type mounterConfig struct {
	Store   string // directory of the contents
	Options Options
}

func TestMain(m *testing.M) {
	if config := os.Getenv(mounterEnv); config != "" {
		if err := serve(config, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// serve mounts a loopTree, says "ready", and does what it is told, one line a
// command, until its input ends.
func serve(encoded string, in io.Reader, out io.Writer) error {
	var config mounterConfig
	if err := json.Unmarshal([]byte(encoded), &config); err != nil {
		return err
	}
	tree := newLoopTree(config.Store)
	behave(tree)
	opt := config.Options
	opt.Tree, opt.Source = tree, "local/csv"
	opt.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	m, err := Mount(opt)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ready")
	for lines := bufio.NewScanner(in); lines.Scan(); {
		if answer, err := tree.command(strings.Fields(lines.Text())); err != nil {
			fmt.Fprintln(out, "error:", err)
		} else {
			fmt.Fprintln(out, "ok"+answer)
		}
	}
	if err := m.Unmount(true); err != nil && !errors.Is(err, ErrNotMounted) {
		return err
	}
	m.Wait()
	return nil
}

// behave makes some names do something special when they are opened.
func behave(t *loopTree) {
	answers := map[string]error{
		"offline.csv": fmt.Errorf("GET /x: %w: %w", backends.ErrUnavailable, syscall.ECONNREFUSED),
		"auth.csv":    fmt.Errorf("GET /x: %w", backends.ErrAuth),
		"damaged.csv": fmt.Errorf("g1.csv: %w", fs.ErrNotExist),
	}
	for name, err := range answers {
		t.opening[name] = func(context.Context) error { return err }
	}
	t.opening["panic.csv"] = func(context.Context) error { panic("on purpose") }
	t.opening["slow.csv"] = func(ctx context.Context) error {
		<-ctx.Done()
		return fmt.Errorf("loading: %w: %w", backends.ErrUnavailable, ctx.Err())
	}
	t.virtual["virtual.txt"] = true
	for name := range t.opening {
		t.put(name, "x,y\n")
	}
	t.put("virtual.txt", "made up\n")
}

// put binds a file with that text to a name at the top.
func (t *loopTree) put(name, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.bind("", name, func() (*object, error) {
		t.lastIno++
		f, err := t.newFile(name, t.lastIno, 1, 0o644, cache.Caller{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())})
		if err != nil {
			return nil, err
		}
		_, err = f.content.WriteString(text)
		return &object{file: f}, err
	})
	if err != nil {
		panic(err)
	}
}

// command changes the tree behind the kernel's back, as a refresh does.
func (t *loopTree) command(words []string) (string, error) {
	name := words[1]
	dir, base := strings.TrimPrefix(filepath.Dir("/"+name), "/"), filepath.Base(name)
	t.mu.Lock()
	defer t.mu.Unlock()
	switch words[0] {
	case "storm": // many names that nobody has asked for
		for i := range 5000 {
			t.inv.Entry(name, fmt.Sprint("f", i%50))
		}
		return "", nil
	case "known": // how many files the kernel may know
		known := 0
		t.inv.(*notifier).shared.files.Range(func(any, any) bool { known++; return true })
		return fmt.Sprint(" ", known), nil
	}
	o, err := t.find(name)
	if err != nil {
		return "", err
	}
	switch words[0] {
	case "replace": // new content under the name
		next, err := t.replace(o.file)
		if err != nil {
			return "", err
		}
		if _, err := next.content.WriteString(strings.Join(words[2:], " ") + "\n"); err != nil {
			return "", err
		}
		t.inv.Entry(dir, base)
	case "chmod": // attributes of the same content
		o.file.mode = 0o600
		t.inv.Attr(o.file)
	case "remove":
		if err := t.unbind(dir, base); err != nil {
			return "", err
		}
		t.inv.Entry(dir, base)
	case "pretend": // the size is only the last known one
		size, err := strconv.ParseInt(words[2], 10, 64)
		if err != nil {
			return "", err
		}
		o.file.pretend = &size
	default:
		return "", fmt.Errorf("unknown command %q", words)
	}
	return "", nil
}

// mounter is such a process.
type mounter struct {
	t     *testing.T
	dir   string // the mount point
	store string // directory of the contents
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Reader
	log   *lockedBuffer
	once  sync.Once
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start mounts a fresh tree at a fresh mount point and waits until it answers.
func start(t *testing.T, opt Options) *mounter {
	t.Helper()
	needFUSE(t)
	dir := t.TempDir()
	opt.Mountpoint = filepath.Join(dir, "mnt")
	if err := os.Mkdir(opt.Mountpoint, 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := tryStart(t, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tryStart(t *testing.T, opt Options) (*mounter, error) {
	t.Helper()
	store := t.TempDir()
	encoded, err := json.Marshal(mounterConfig{Store: store, Options: opt})
	if err != nil {
		return nil, err
	}
	m := &mounter{t: t, dir: opt.Mountpoint, store: store, log: &lockedBuffer{}}
	m.cmd = exec.Command(os.Args[0])
	// Else the race detector makes each process sleep a second at its end.
	m.cmd.Env = append(os.Environ(), mounterEnv+"="+string(encoded), "GORACE=atexit_sleep_ms=0")
	m.cmd.Stderr = m.log
	if m.stdin, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.out = bufio.NewReader(stdout)
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := m.out.ReadString('\n')
	if err != nil || line != "ready\n" {
		_ = m.stdin.Close()
		return nil, fmt.Errorf("no mount: %w: %s", errors.Join(err, m.cmd.Wait()), m.log)
	}
	t.Cleanup(m.end)
	return m, nil
}

// tell gives a command and returns the answer.
func (m *mounter) tell(format string, args ...any) string {
	m.t.Helper()
	command := fmt.Sprintf(format, args...)
	fmt.Fprintln(m.stdin, command)
	line, err := m.out.ReadString('\n')
	answer, ok := strings.CutPrefix(line, "ok")
	if err != nil || !ok {
		m.t.Fatalf("%s: %q, %v", command, line, err)
	}
	return strings.TrimSpace(answer)
}

// end unmounts. A mount that does not end by itself is a failure.
func (m *mounter) end() {
	m.once.Do(func() {
		_ = m.stdin.Close()
		done := make(chan error, 1)
		go func() { done <- m.cmd.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				m.t.Errorf("mounter: %v", err)
			}
		case <-time.After(20 * time.Second):
			m.t.Errorf("the mounter does not end")
			_ = m.cmd.Process.Kill()
		}
		if m.t.Failed() {
			m.t.Logf("log of the mounter:\n%s", m.log)
		}
	})
}

// kill ends the process as kill -9 does and leaves a dead mount point.
func (m *mounter) kill() {
	m.once.Do(func() {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	})
}

// skip skips, but is a failure where RAGASFS_NO_SKIP=1 says that everything must
// run.
func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("RAGASFS_NO_SKIP") == "1" {
		t.Fatalf("RAGASFS_NO_SKIP=1, but: %s", reason)
	}
	t.Skip(reason)
}

func needFUSE(t *testing.T) {
	t.Helper()
	if err := checkFUSE("/dev/fuse"); err != nil {
		skip(t, err.Error())
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "needs root")
	}
}

// eventually waits for what another process does in its own time.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	tick, deadline := time.NewTicker(2*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !true() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("does not happen: %s", what)
		}
	}
}

func (m *mounter) wantLog(text string) {
	m.t.Helper()
	eventually(m.t, "a line in the log: "+text, func() bool { return strings.Contains(m.log.String(), text) })
}

// path is the full path of a name in the mount.
func (m *mounter) path(name string) string { return filepath.Join(m.dir, name) }

func (m *mounter) mkdir(name string) string {
	m.t.Helper()
	if err := os.Mkdir(m.path(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	return m.path(name)
}

func (m *mounter) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(m.path(name), []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mounter) wantContent(name, text string) {
	m.t.Helper()
	got, err := os.ReadFile(m.path(name))
	if err != nil {
		m.t.Error(err)
	} else if string(got) != text {
		m.t.Errorf("%s: %q, want %q", name, got, text)
	}
}

// wantStored looks at the content file, past the kernel's cache.
func (m *mounter) wantStored(name, text string) {
	m.t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(m.path(name), &st); err != nil {
		m.t.Fatal(err)
	}
	last := ""
	for gen := 1; ; gen++ {
		path := filepath.Join(m.store, fmt.Sprintf("%d.%d", st.Ino, gen))
		if _, err := os.Stat(path); err != nil {
			break
		}
		last = path
	}
	got, err := os.ReadFile(last)
	if err != nil {
		m.t.Fatal(err)
	}
	if string(got) != text {
		m.t.Errorf("stored is %d bytes, want %d; equal up to %d", len(got), len(text), commonPrefix(string(got), text))
	}
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
