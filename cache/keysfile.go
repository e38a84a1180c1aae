package cache

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ragasfs/ragasfs/backends/table"
)

// readKeys reads a file of keys and cuts it to n.
func (c *Cache) readKeys(path string, n int) (table.Keys, error) {
	f, err := c.disk.OpenFile("keys:open", path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return table.Keys{}, lostf(path, err)
	}
	if err != nil {
		return table.Keys{}, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	keys, err := table.ReadKeys(bufio.NewReader(f))
	switch {
	case errors.Is(err, table.ErrDamagedKeys):
		return table.Keys{}, lostf(path, err)
	case err != nil:
		return table.Keys{}, fmt.Errorf("%s: %w", path, err)
	case keys.Len() < n:
		return table.Keys{}, lostf(path, fmt.Errorf("%d keys of %d: %w", keys.Len(), n, io.ErrUnexpectedEOF))
	case keys.Len() > n:
		var cut table.Keys
		cut.AddAll(keys, 0, n)
		keys = cut
	}
	return keys, nil
}

// writeKeys writes keys into a new file and returns its number. durable: a power
// cut does not lose them.
func (t *Table) writeKeys(keys table.Keys, durable bool) (uint64, error) {
	t.mu.Lock()
	t.rec.LastSeq++
	n := t.rec.LastSeq
	t.mu.Unlock()
	path := t.keysPath(n)
	f, err := t.c.disk.OpenFile("keys:create", path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriter(f)
	if _, err = keys.WriteTo(w); err == nil {
		err = w.Flush()
	}
	if err == nil && durable {
		err = t.c.disk.Sync("keys:sync", f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && durable {
		err = t.c.disk.SyncDir("keys:syncdir", t.dir)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: writing row identities: %w", t.path(), err)
	}
	if !durable {
		t.noteUnsafe(path)
	}
	return n, nil
}
