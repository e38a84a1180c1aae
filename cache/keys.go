package cache

import (
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

func (c *Cache) rowStore() bool { return c.props.Form == backends.Rows }

// newKey makes the key of a row that is new: in a document store a number that
// only the cache knows, in a row store a row id.
func (t *Table) newKey() table.Key {
	if t.c.rowStore() {
		return table.Key(newRowID())
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rec.LastKey++
	return table.Key("#" + strconv.FormatUint(t.rec.LastKey, 10))
}

// newRowID is 12 characters of a-z, A-Z and 0-9, as Ragas' own ids; it starts
// with a letter and holds no number that a spreadsheet could see in it.
func newRowID() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const all = letters + "0123456789"
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	out := make([]byte, len(b))
	for i, x := range b {
		out[i] = all[int(x)%len(all)]
	}
	// Letters at both ends and at the second place: no exponent, no hex, no date.
	for _, i := range []int{0, 1, 11} {
		out[i] = letters[int(b[i])%len(letters)]
	}
	return string(out)
}

// shape is what ids of one kind have in common: length and separators.
func shape(id string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z':
			return 'x'
		}
		return r
	}, id)
}

// looksNumeric: spreadsheets and data tools would take such an id for a number.
func looksNumeric(id string) bool {
	_, err := strconv.ParseFloat(id, 64)
	return err == nil
}

// foreign says what to do with row ids that the table does not have.
func (t *Table) foreign() func(string) table.ForeignKey {
	others := sync.OnceValue(func() map[string]bool { return t.c.idsOfOthers(t) })
	own := sync.OnceValue(func() string {
		// Called by the judge, without locks.
		t.mu.Lock()
		s := t.rec.S
		t.mu.Unlock()
		if s.Keys == 0 || s.Rows == 0 {
			return ""
		}
		keys, err := t.keysOf(s)
		if err != nil || keys.Len() == 0 {
			return ""
		}
		return shape(string(keys.At(0)))
	})
	return func(id string) table.ForeignKey {
		switch {
		case others()[id], looksNumeric(id):
			return table.ForeignFresh
		case own() == "" || shape(id) == own() || len(id) == 12 && shape(id) == "xxxxxxxxxxxx":
			return table.ForeignAdopt
		}
		return table.ForeignRefuse
	}
}

// idsOfOthers are the row ids of all other tables that are loaded.
func (c *Cache) idsOfOthers(t *Table) map[string]bool {
	ids := map[string]bool{}
	for _, o := range c.allTables() {
		if o == t {
			continue
		}
		o.mu.Lock()
		contents := []content{o.rec.S, o.rec.J}
		o.mu.Unlock()
		for _, x := range contents {
			if x.Keys == 0 {
				continue
			}
			keys, err := o.keysOf(x)
			if errors.Is(err, os.ErrNotExist) {
				continue // collected meanwhile: a newer one names the same rows
			}
			if err != nil {
				c.log.Warn("row ids of another table not readable", "path", o.path(), "error", err)
				continue
			}
			for i := range keys.Len() {
				ids[string(keys.At(i))] = true
			}
		}
	}
	return ids
}

// countLocked counts the records of L and keeps the count.
func (t *Table) countLocked() (int64, error) {
	if t.counted.of.same(t.rec.L) && t.counted.seq == t.rec.Save.Seq {
		return t.counted.rows, nil
	}
	src, err := t.openContentLocked(t.rec.L)
	if err != nil {
		return 0, err
	}
	defer func() {
		delete(t.sources, src)
		_ = src.f.Close() // opened for reading
	}()
	found, err := table.Check(src)
	if err != nil {
		return 0, err
	}
	t.counted.of, t.counted.seq, t.counted.rows = t.rec.L, t.rec.Save.Seq, int64(found.Records)
	return int64(found.Records), nil
}

func texts(cells [][]byte) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = string(c)
	}
	return out
}
