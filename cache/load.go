package cache

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/state"
)

// loading is a first load that file operations wait for.
type loading struct {
	done chan struct{}
	err  error // valid when done is closed
}

// loadFor makes sure that the table has a content, and waits for it or for ctx.
// All who open at once wait for the same load.
func (t *Table) loadFor(ctx context.Context, f *File) error {
	t.mu.Lock()
	if t.rec.L.Gen != 0 {
		stale := f.tgenNow() != t.rec.L.Gen
		t.mu.Unlock()
		if stale {
			return fmt.Errorf("%s: %w", t.path(), ErrStale)
		}
		return nil
	}
	l := t.load
	if l == nil {
		l = &loading{done: make(chan struct{})}
		t.load = l
		t.c.workers.Add(1)
		go func() {
			defer t.c.workers.Done()
			t.firstLoad(l)
		}()
	}
	t.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tgenNow is the file's generation.
func (f *File) tgenNow() uint64 {
	_, tgen, _ := f.place()
	return tgen
}

// firstLoad loads a table of which there is nothing here yet.
func (t *Table) firstLoad(l *loading) {
	ctx, cancel := context.WithTimeout(t.c.ctx, t.c.firstLoadTimeout())
	defer cancel()
	defer close(l.done)
	t.begin()
	defer t.end()
	got, err := t.fetch(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.load = nil
	if err != nil {
		t.c.health.failed(err)
		l.err = fmt.Errorf("%s: loading: %w", t.path(), err)
		t.c.log.Warn("load failed", "path", t.path(), "error", err, "remedy", remedy(err))
		return
	}
	t.c.health.succeeded()
	if t.rec.L.Gen != 0 {
		return // a program has written it meanwhile
	}
	t.returnedLocked(&got)
	t.rec.S, t.rec.R, t.rec.J = got.content, got.content, content{}
	t.tookLocked(got)
	when := got.modTime
	if when.IsZero() {
		when = t.rec.Seen // as stat has shown it until now
	}
	l.err = t.showLocked(got.content, when)
}

// fetched is a table as the store has it now, in a generation of its own.
type fetched struct {
	content content
	version backends.Version
	modTime time.Time
	columns []table.Column
}

// tookLocked notes what else a load tells.
func (t *Table) tookLocked(got fetched) {
	t.rec.Version = got.version
	if got.columns != nil {
		t.rec.Columns = got.columns
	}
	if !got.modTime.IsZero() {
		t.rec.StoreTime = got.modTime
	}
	t.rec.StoreSize = got.content.Len
	t.checked = time.Now()
	t.stale = false
	t.foundLocked()
}

// showLocked binds the name to a content that the cache has made itself (K1: a
// new generation under the same Ino), and tells the kernel.
func (t *Table) showLocked(x content, when time.Time) error {
	old := t.rec.L
	path := t.genPath(x.Gen)
	if old.Gen != 0 && old.Gen != x.Gen {
		var st unix.Stat_t
		if err := unix.Stat(t.genPath(old.Gen), &st); err == nil {
			mode := st.Mode
			last := timeOf(st.Mtim)
			if !when.After(last) {
				when = last.Add(time.Nanosecond)
			}
			if now := time.Now(); when.Before(last) {
				when = now
			}
			if err := setDiskAttr(path, unix.AT_SYMLINK_NOFOLLOW, SetAttr{Mode: &mode}); err != nil {
				t.c.log.Warn("mode not kept", "path", t.path(), "error", err)
			}
		}
	}
	if !when.IsZero() {
		if err := setDiskAttr(path, unix.AT_SYMLINK_NOFOLLOW, SetAttr{Mtime: &when}); err != nil {
			t.c.log.Warn("time not kept", "path", t.path(), "error", err)
		}
	}
	t.rec.L = x
	t.rec.ShowKeys, t.rec.Behind = false, false
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	s := &t.rec.Save
	s.Len, s.Mtime, s.Ctime = st.Size, st.Mtim.Nano(), st.Ctim.Nano()
	s.Known, s.Doubt, s.Killed, s.Open, s.Torn = x.Arrival, 0, false, false, false
	t.rec.Kept, t.rec.KeptSave, t.rec.Rewritten = content{}, save{}, false
	t.rec.CleanSeq = s.Seq
	t.bindFileLocked(old.Gen, x.Gen)
	if err := t.saveLocked(state.Normal); err != nil {
		return err
	}
	t.c.invalidate(t.rec.Project+"/"+string(t.rec.Kind), t.rec.Name+".csv")
	return nil
}

// bindFileLocked gives the new generation a File. A file that was never loaded
// becomes the first generation itself: the kernel has nothing of it yet.
func (t *Table) bindFileLocked(old, gen uint64) {
	if old == 0 {
		if f := t.files[0]; f != nil {
			delete(t.files, 0)
			f.mu.Lock()
			f.tgen = gen
			f.mu.Unlock()
			t.files[gen] = f
			return
		}
	}
	if t.files[gen] == nil {
		t.files[gen] = t.c.newTableFile(t, gen)
	}
}

// fetch loads the table from the store into a new generation. A short or broken
// answer is an error and leaves nothing.
func (t *Table) fetch(ctx context.Context) (fetched, error) {
	t.mu.Lock()
	ref := t.rec.Ref
	t.mu.Unlock()
	return t.fetchFrom(ctx, ref)
}

// fetchFrom is fetch of the table of that reference.
func (t *Table) fetchFrom(ctx context.Context, ref backends.Ref) (fetched, error) {
	loaded, err := t.c.store.Load(ctx, ref)
	if err != nil {
		return fetched{}, err
	}
	defer func() {
		if err := loaded.Close(); err != nil {
			t.c.log.Warn("closing a load", "path", t.path(), "error", err)
		}
	}()
	got := fetched{version: loaded.Version, modTime: loaded.ModTime, columns: loaded.Columns}
	g, err := t.newGeneration()
	if err != nil {
		return fetched{}, err
	}
	var keys *table.Keys
	if loaded.Document != nil {
		err = t.fetchDocument(g, loaded)
	} else {
		keys, err = t.fetchRows(g, loaded)
	}
	if err != nil {
		g.drop()
		return fetched{}, err
	}
	if got.content, err = g.finish(false); err != nil {
		return fetched{}, err
	}
	got.content.Loaded = true
	if keys != nil {
		n, err := t.writeKeys(*keys, false)
		if err != nil {
			return fetched{}, err
		}
		got.content.Keys, got.content.Rows = n, int64(keys.Len())
	}
	return got, nil
}

func (t *Table) fetchDocument(g *generation, loaded *backends.Loaded) error {
	n, err := io.Copy(g, &progressReader{r: loaded.Document, t: t, total: loaded.Total})
	if err != nil {
		return err
	}
	if loaded.Total >= 0 && n != loaded.Total {
		return fmt.Errorf("%s: %d of %d bytes came: %w", t.path(), n, loaded.Total, backends.ErrIncomplete)
	}
	return nil
}

// progressReader reports bytes as they come.
type progressReader struct {
	r     io.Reader
	t     *Table
	total int64
	n     int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	p.t.c.progress(Progress{Path: p.t.path(), Done: p.n, Left: p.total - p.n, Bytes: true})
	return n, err
}

// fetchRows renders a row store's rows as CSV (design section 5).
func (t *Table) fetchRows(g *generation, loaded *backends.Loaded) (*table.Keys, error) {
	shown := !t.c.cfg.HideRowID
	w := table.NewWriter(g, table.Rendered) // g is buffered
	var header []string
	if shown {
		header = append(header, table.RowIDColumn)
	}
	for _, c := range loaded.Columns {
		header = append(header, c.Name)
	}
	if err := w.Write(header); err != nil {
		return nil, err
	}
	var keys table.Keys
	cells := make([]string, len(header))
	n := int64(0)
	for row, err := range loaded.Rows {
		if err != nil {
			return nil, err
		}
		clear(cells)
		at := cells
		if shown {
			cells[0] = row.ID
			at = cells[1:]
		}
		if len(row.Cells) > len(at) {
			return nil, fmt.Errorf("%s: row %s has %d cells, there are %d columns: %w", t.path(), row.ID, len(row.Cells), len(at), backends.ErrIncomplete)
		}
		for i, c := range row.Cells {
			at[i] = c.Text
		}
		if err := w.Write(cells); err != nil {
			return nil, err
		}
		keys.Add(table.Key(row.ID))
		n++
		if n%1000 == 0 {
			t.c.progress(Progress{Path: t.path(), Done: n, Left: loaded.Total - n})
		}
	}
	if loaded.Total >= 0 && n != loaded.Total {
		return nil, fmt.Errorf("%s: %d of %d rows came: %w", t.path(), n, loaded.Total, backends.ErrIncomplete)
	}
	return &keys, w.Close()
}
