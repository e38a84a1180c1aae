package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
)

// fileSource is the first n bytes of a generation. If a program is about to
// write into them, the source moves to the copy that was made (unshareLocked):
// whoever reads goes on seeing the same bytes.
type fileSource struct {
	t   *Table
	n   int64
	gen uint64 // guarded by Table.mu

	mu sync.RWMutex // innermost
	f  *os.File     // guarded by mu
}

func (s *fileSource) Size() int64 { return s.n }

func (s *fileSource) ReadAt(p []byte, off int64) (int, error) {
	if off >= s.n {
		return 0, io.EOF
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if rest := s.n - off; int64(len(p)) > rest {
		n, err := s.f.ReadAt(p[:rest], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	}
	return s.f.ReadAt(p, off)
}

// close ends the reading. There is nothing that a failed close could lose.
func (s *fileSource) close() {
	s.t.mu.Lock()
	delete(s.t.sources, s)
	s.t.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.f.Close() // opened for reading
}

// openContent opens the bytes of a content for reading.
func (t *Table) openContent(x content) (*fileSource, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.openContentLocked(x)
}

func (t *Table) openContentLocked(x content) (*fileSource, error) {
	f, err := t.c.disk.OpenFile("content:open", t.genPath(x.Gen), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, lostf(t.genPath(x.Gen), err)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < x.Len {
		err = lostf(t.genPath(x.Gen), fmt.Errorf("%d bytes of %d: %w", info.Size(), x.Len, io.ErrUnexpectedEOF))
	}
	if err != nil {
		_ = f.Close() // opened for reading
		return nil, err
	}
	src := &fileSource{t: t, f: f, n: x.Len, gen: x.Gen}
	t.sources[src] = struct{}{}
	return src, nil
}

// moveLocked makes the source read the same bytes from another generation.
func (s *fileSource) moveLocked(gen uint64) error {
	f, err := s.t.c.disk.OpenFile("content:move", s.t.genPath(gen), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	s.mu.Lock()
	old := s.f
	s.f, s.gen = f, gen
	s.mu.Unlock()
	return old.Close()
}
