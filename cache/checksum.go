package cache

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/ragasfs/ragasfs/cache/state"
)

// checksum is the CRC-32C of a content's bytes, with a bit above it that says so.
// Zero: not known. What is derived from a content that has rotted on disk would
// pass for what somebody did.
type checksum uint64

const checksumKnown checksum = 1 << 32

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func sumOf(crc uint32) checksum { return checksumKnown | checksum(crc) }

// extend continues a checksum (zero: of nothing) with the bytes of src from off on.
func (c checksum) extend(src *fileSource, off int64) (checksum, error) {
	crc := uint32(c)
	block := make([]byte, 1<<18)
	for off < src.n {
		n, err := src.ReadAt(block[:min(int64(len(block)), src.n-off)], off)
		crc = crc32.Update(crc, castagnoli, block[:n])
		off += int64(n)
		if err != nil && !(errors.Is(err, io.EOF) && off == src.n) {
			return 0, err
		}
	}
	return sumOf(crc), nil
}

// verify compares the bytes of a content with its checksum, if that is known.
func (t *Table) verify(x content, src *fileSource) error {
	if x.Sum == 0 {
		return nil
	}
	sum, err := checksum(0).extend(src, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", t.genPath(x.Gen), err)
	}
	if sum != x.Sum {
		return lostf(t.genPath(x.Gen), fmt.Errorf("wrong checksum of the first %d bytes", x.Len))
	}
	return nil
}

// verify looks whether the contents that L is compared with are as they were
// noted, and notes the checksum of L. Growth compares only what is behind S.
func (s *shot) verify() error {
	from, sum := int64(0), checksum(0)
	if s.input.SharedPrefix > 0 && s.rec.S.Sum != 0 {
		from, sum = s.rec.S.Len, s.rec.S.Sum
	}
	sum, err := sum.extend(s.sources[s.heldAt], from)
	if err != nil {
		return err
	}
	s.t.mu.Lock()
	s.held.Sum = sum
	s.t.mu.Unlock()
	if from > 0 && s.rec.R.same(s.rec.S) {
		return nil
	}
	for x, src := range s.compared {
		if err := s.t.verify(x, src); err != nil {
			return err
		}
	}
	return nil
}

// rottenLocked reports whether a content is missing or not as it was noted.
func (t *Table) rottenLocked(x content) bool {
	if x.none() {
		return false
	}
	if !t.thereLocked(x) {
		return true
	}
	if x.Keys != 0 {
		if _, err := t.keysOf(x); err != nil {
			return true
		}
	}
	src, err := t.openContentLocked(x)
	if err != nil {
		return true
	}
	defer func() {
		delete(t.sources, src)
		_ = src.f.Close() // opened for reading
	}()
	return t.verify(x, src) != nil
}

// reloadAgreed loads what file and store last agreed on again, because the bytes
// here are not what they were. That is possible as long as the store still has that
// version; if it has not, what is unsent is held.
func (t *Table) reloadAgreed(ctx context.Context) error {
	got, err := t.fetch(ctx)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reload = false
	r := &t.rec
	if got.version == "" || got.version != r.Version {
		return t.forgetStoreLocked(lostReason)
	}
	x := got.content
	x.Arrival = r.R.Arrival
	r.S, r.R, r.J = x, x, content{}
	t.tookLocked(got)
	t.c.log.Info("what was agreed on is loaded again", "path", t.path())
	return t.saveLocked(state.Full)
}
