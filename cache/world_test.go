package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/localcsv"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/disk"
)

// world is a cache over a store, driven as package fs drives it, without a
// kernel. The settle time is so long that nothing happens by itself: tests flush.
type world struct {
	t      testing.TB
	form   backends.Form
	memory *memory.Store // row stores
	root   string        // document stores on disk
	docs   *documents    // document stores in memory
	gate   *gate         // in a bubble: what stands before the store

	diskFault atomic.Pointer[diskFault] // in a bubble
	diskAsked sync.Map                  // in a bubble: labels of disk calls
	disk      func(label string)        // in a bubble: is told of each
	stateDir  string
	config    Config // what is set here is used at the next open
	backend   func(backends.Backend) backends.Backend
	only      bool // the store has none of the optional abilities
	c         *Cache
	dead      *atomic.Bool // the process has been killed: nothing of it reaches store or disk
}

var errKilled = errors.New("the process was killed")

// newWorld opens a cache over an empty store with the project "p".
func newWorld(t testing.TB, form backends.Form) *world {
	t.Helper()
	w := newStore(t, form)
	w.open()
	t.Cleanup(func() { w.close() })
	return w
}

// newStore is a world whose cache is not open yet.
func newStore(t testing.TB, form backends.Form) *world {
	t.Helper()
	w := &world{t: t, form: form, stateDir: t.TempDir()}
	if form == backends.Rows {
		w.memory = memory.NewStore(memory.Options{})
		_, err := w.memory.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "p"}})
		must(t, err)
	} else {
		w.root = t.TempDir()
		must(t, os.MkdirAll(filepath.Join(w.root, "p", "datasets"), 0o755))
	}
	w.config.Settle = time.Hour
	return w
}

// bothForms runs a test over a row store and over a document store.
func bothForms(t *testing.T, test func(t *testing.T, form backends.Form)) {
	t.Run("rows", func(t *testing.T) { test(t, backends.Rows) })
	t.Run("documents", func(t *testing.T) { test(t, backends.Documents) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tryOpen opens the cache.
func (w *world) tryOpen() error {
	dead := &atomic.Bool{}
	w.dead = dead
	config := w.config
	config.StateDir, config.Source = w.stateDir, "test"
	if config.Log == nil {
		config.Log = slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	switch {
	case w.form == backends.Rows:
		config.Store = w.memory.Opened()
	case w.docs != nil:
		config.Store = w.docs.opened()
	default:
		b, err := localcsv.Open(w.root, false, nil)
		if err != nil {
			return err
		}
		config.Store = b.Opened()
	}
	if w.backend != nil {
		config.Store.Backend = w.backend(config.Store.Backend)
	}
	config.Store.Backend = &mortal{Backend: config.Store.Backend, dead: dead}
	if w.only {
		config.Store.Backend = struct{ backends.Backend }{config.Store.Backend}
	}
	fail := func(string, string) error { return nil }
	if config.Disk != nil {
		fail = config.Disk.Fail
	}
	config.Disk = &disk.FS{Fail: func(label, path string) error {
		if dead.Load() {
			return errKilled
		}
		return fail(label, path)
	}}
	c, err := Open(w.t.Context(), config)
	if err != nil {
		return errors.Join(err, config.Store.Close())
	}
	w.c = c
	return nil
}

// Write collects the log.
func (w *world) Write(p []byte) (int, error) {
	w.t.Logf("%s", bytes.TrimRight(p, "\n"))
	return len(p), nil
}

func (w *world) open() {
	w.t.Helper()
	must(w.t, w.tryOpen())
}

// close ends the cache in good order; what is pending stays.
func (w *world) close() {
	if w.c == nil {
		return
	}
	if err := w.c.Close(); err != nil && !w.dead.Load() {
		w.t.Errorf("close: %v", err)
	}
	w.c = nil
}

// kill takes the state directory as it is at this moment, as kill -9 leaves it,
// and makes the old cache harmless. The next open goes on from there.
func (w *world) kill() {
	w.t.Helper()
	w.dead.Store(true)
	w.stateDir = w.image()
	w.close()
}

// crash is kill and open.
func (w *world) crash() {
	w.t.Helper()
	w.kill()
	w.open()
}

// image copies the state directory.
func (w *world) image() string {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "state")
	out, err := exec.Command("cp", "-a", "--reflink=auto", w.stateDir, to).CombinedOutput()
	if err != nil {
		w.t.Fatalf("copying the state: %v: %s", err, out)
	}
	return to
}

// mortal is a backend that a dead process can't reach.
type mortal struct {
	backends.Backend
	dead *atomic.Bool
}

func (m *mortal) List(ctx context.Context, scope backends.Ref) ([]backends.Entry, error) {
	if m.dead.Load() {
		return nil, unreachable()
	}
	return m.Backend.List(ctx, scope)
}

func (m *mortal) Create(ctx context.Context, request backends.Create) (backends.Entry, error) {
	if m.dead.Load() {
		return backends.Entry{}, unreachable()
	}
	return m.Backend.Create(ctx, request)
}

func (m *mortal) Delete(ctx context.Context, ref backends.Ref, base backends.Version) error {
	if m.dead.Load() {
		return unreachable()
	}
	return m.Backend.Delete(ctx, ref, base)
}

func (m *mortal) Load(ctx context.Context, ref backends.Ref) (*backends.Loaded, error) {
	if m.dead.Load() {
		return nil, unreachable()
	}
	return m.Backend.Load(ctx, ref)
}

func (m *mortal) Apply(ctx context.Context, batch backends.Batch) (backends.Result, error) {
	if m.dead.Load() {
		return backends.Result{}, unreachable()
	}
	return m.Backend.Apply(ctx, batch)
}

// Rename implements backends.Renamer; both stores have it.
func (m *mortal) Rename(ctx context.Context, ref backends.Ref, name string) (backends.Entry, error) {
	if m.dead.Load() {
		return backends.Entry{}, unreachable()
	}
	return m.Backend.(backends.Renamer).Rename(ctx, ref, name)
}

// Probe implements backends.Prober; both stores have it.
func (m *mortal) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	if m.dead.Load() {
		return backends.Entry{}, unreachable()
	}
	return m.Backend.(backends.Prober).Probe(ctx, ref)
}

func unreachable() error { return errors.Join(errKilled, backends.ErrUnavailable) }

// me is this process as a program that uses the mount.
func me() Caller {
	return Caller{TID: uint32(os.Getpid()), UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
}

const datasets = "p/datasets"

// openFile opens a file of the folder, and creates it if flags say so.
func (w *world) openFile(name string, flags int, who Caller) (*Handle, error) {
	for range 5 {
		node, err := w.c.Lookup(w.t.Context(), datasets, name)
		if errors.Is(err, fs.ErrNotExist) && flags&syscall.O_CREAT != 0 {
			_, h, err := w.c.Create(w.t.Context(), datasets, name, flags, 0o644, who)
			return h, err
		}
		if err != nil {
			return nil, err
		}
		h, err := node.File.Open(w.t.Context(), flags&^syscall.O_CREAT, who)
		if !errors.Is(err, ErrStale) {
			return h, err
		}
	}
	return nil, ErrStale
}

// put writes through a handle, then closes it, as cat > file does.
func (w *world) put(name, content string, flags int, who Caller) error {
	h, err := w.openFile(name, flags, who)
	if err != nil {
		return err
	}
	off := int64(0)
	if flags&syscall.O_APPEND != 0 {
		off = 1 << 20 // O_APPEND: the offset does not matter
	}
	_, err = h.WriteAt([]byte(content), off)
	if err == nil {
		err = h.Flush(w.t.Context(), who)
	}
	h.Release()
	return err
}

const (
	writeOnly  = syscall.O_WRONLY
	truncating = syscall.O_WRONLY | syscall.O_CREAT | syscall.O_TRUNC
	appending  = syscall.O_WRONLY | syscall.O_CREAT | syscall.O_APPEND
)

// write replaces a file's content in place.
func (w *world) write(name, content string) {
	w.t.Helper()
	must(w.t, w.put(name, content, truncating, me()))
}

// add appends to a file.
func (w *world) add(name, content string) {
	w.t.Helper()
	must(w.t, w.put(name, content, appending, me()))
}

// replace writes a temporary file and renames it onto the name.
func (w *world) replace(name, content string) {
	w.t.Helper()
	must(w.t, w.tryReplace(name, content))
}

func (w *world) tryReplace(name, content string) error {
	temp := name + ".tmp"
	if err := w.put(temp, content, truncating, me()); err != nil {
		return err
	}
	return w.c.Rename(w.t.Context(), datasets, temp, datasets, name, 0, me())
}

// read returns what a program reads.
func (w *world) read(name string) string {
	w.t.Helper()
	content, err := w.tryRead(name)
	must(w.t, err)
	return content
}

func (w *world) tryRead(name string) (string, error) {
	h, err := w.openFile(name, syscall.O_RDONLY, me())
	if err != nil {
		return "", err
	}
	defer h.Release()
	data, err := io.ReadAll(io.NewSectionReader(h, 0, 1<<30))
	return string(data), err
}

// flush sends everything; nothing may stay.
func (w *world) flush() {
	w.t.Helper()
	must(w.t, w.tryFlush())
}

func (w *world) tryFlush() error {
	return w.c.Flush(w.t.Context(), nil, false, nil)
}

// ref names a table in the store.
func (w *world) ref(name string) backends.Ref {
	return backends.Ref{Project: "p", Kind: backends.Datasets, Name: strings.TrimSuffix(name, ".csv")}
}

// stored is what the store holds: one line a record, cells joined by commas,
// with the header first. Row ids are left out.
func (w *world) stored(name string) []string {
	w.t.Helper()
	lines, err := w.tryStored(name)
	must(w.t, err)
	return lines
}

func (w *world) tryStored(name string) ([]string, error) {
	if w.docs != nil {
		w.docs.mu.Lock()
		defer w.docs.mu.Unlock()
		d, err := w.docs.findLocked(w.ref(name))
		if err != nil {
			return nil, err
		}
		return strings.Split(strings.TrimSuffix(string(d.data), "\n"), "\n"), nil
	}
	if w.form == backends.Documents {
		data, err := os.ReadFile(filepath.Join(w.root, datasets, name))
		if err != nil {
			return nil, err
		}
		return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n"), nil
	}
	loaded, err := w.memory.Load(context.Background(), w.ref(name))
	if err != nil {
		return nil, err
	}
	var header []string
	for _, c := range loaded.Columns {
		header = append(header, c.Name)
	}
	lines := []string{strings.Join(header, ",")}
	for row, err := range loaded.Rows {
		if err != nil {
			return nil, err
		}
		var cells []string
		for _, c := range row.Cells {
			cells = append(cells, c.Text)
		}
		lines = append(lines, strings.Join(cells, ","))
	}
	return lines, loaded.Close()
}

// wantStored compares what the store holds, in any order of rows.
func (w *world) wantStored(name string, lines ...string) {
	w.t.Helper()
	got := w.stored(name)
	if !slices.Equal(sorted(got), sorted(lines)) {
		w.t.Errorf("the store holds of %s\n%q, not\n%q", name, got, lines)
	}
}

func sorted(lines []string) []string {
	lines = slices.Clone(lines)
	slices.Sort(lines[min(1, len(lines)):])
	return lines
}

// elsewhere changes a table as a colleague does, behind the back of the mount.
func (w *world) elsewhere(name string, lines ...string) {
	w.t.Helper()
	if w.docs != nil {
		w.docs.put(w.ref(name), joined(lines))
		return
	}
	if w.form == backends.Documents {
		// In one step, as a careful program does.
		p := filepath.Join(w.root, datasets, name)
		must(w.t, os.WriteFile(p+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o644))
		must(w.t, os.Rename(p+".new", p))
		return
	}
	w.elsewhereRows(name, lines)
}

// elsewhereRows makes the rows of a table those of lines, by position.
func (w *world) elsewhereRows(name string, lines []string) {
	w.t.Helper()
	loaded, err := w.memory.Load(w.t.Context(), w.ref(name))
	if errors.Is(err, backends.ErrNotFound) {
		var columns []table.Column
		for _, c := range strings.Split(lines[0], ",") {
			columns = append(columns, table.Column{Name: c, Type: table.Text})
		}
		_, err = w.memory.Create(w.t.Context(), backends.Create{Ref: w.ref(name), Columns: columns})
		must(w.t, err)
		loaded, err = w.memory.Load(w.t.Context(), w.ref(name))
	}
	must(w.t, err)
	header := strings.Split(lines[0], ",")
	batch := backends.Batch{Ref: w.ref(name), Grows: -1}
	batch.Changes.OldHeader, batch.Changes.NewHeader = header, header
	i := 1
	for row, err := range loaded.Rows {
		must(w.t, err)
		before := make([]string, len(header))
		for j := range min(len(row.Cells), len(header)) {
			before[j] = row.Cells[j].Text
		}
		c := table.Change{Op: table.Delete, Key: table.Key(row.ID), Before: before}
		if i < len(lines) {
			c.Op, c.After = table.Update, strings.Split(lines[i], ",")
		}
		if c.Op == table.Delete || !slices.Equal(c.Before, c.After) {
			batch.Changes.Rows = append(batch.Changes.Rows, c)
		}
		i++
	}
	must(w.t, loaded.Close())
	for ; i < len(lines); i++ {
		batch.Changes.Rows = append(batch.Changes.Rows, table.Change{Op: table.Append, Key: table.Key(newRowID()), After: strings.Split(lines[i], ",")})
	}
	_, err = w.memory.Apply(w.t.Context(), batch)
	must(w.t, err)
}

// refresh takes in what came from elsewhere.
func (w *world) refresh() {
	w.t.Helper()
	must(w.t, w.c.Refresh(w.t.Context(), ""))
}

// shown is the table as a program sees it, as lines, without ids.
func (w *world) shown(name string) []string {
	w.t.Helper()
	return linesOf(w.read(name))
}

func linesOf(content string) []string {
	withIDs := strings.HasPrefix(content, table.RowIDColumn+",")
	var lines []string
	for line := range strings.Lines(content) {
		line = strings.TrimRight(line, "\r\n")
		if withIDs {
			_, line, _ = strings.Cut(line, ",")
		}
		lines = append(lines, line)
	}
	return lines
}

func (w *world) wantShown(name string, lines ...string) {
	w.t.Helper()
	got := w.shown(name)
	if !slices.Equal(sorted(got), sorted(lines)) {
		w.t.Errorf("%s shows\n%q, not\n%q", name, got, lines)
	}
}

// state is the state of a table as the status tells it.
func (w *world) state(name string) string {
	w.t.Helper()
	s, err := w.c.Status(path.Join(datasets, name))
	must(w.t, err)
	if len(s.Tables) != 1 {
		w.t.Fatalf("status of %s: %+v", name, s)
	}
	return s.Tables[0].State
}

func (w *world) wantState(name, state string) {
	w.t.Helper()
	s, err := w.c.Status(path.Join(datasets, name))
	must(w.t, err)
	if len(s.Tables) != 1 || s.Tables[0].State != state {
		w.t.Errorf("status of %s: %+v, not %s", name, s.Tables, state)
	}
}
