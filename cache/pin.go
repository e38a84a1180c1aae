package cache

import (
	"github.com/ragasfs/ragasfs/backends/table"
)

// pin holds a content in place while somebody works with it. If a program is
// about to write into its file, the pin moves to the copy (unshareLocked): a
// content that was only read out of the record would then name other bytes.
type pin struct {
	t       *Table
	content content // guarded by Table.mu
}

// pin holds what which returns of the record.
func (t *Table) pin(which func(*record) content) *pin {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &pin{t: t, content: which(&t.rec)}
	if t.pins == nil {
		t.pins = map[*pin]struct{}{}
	}
	t.pins[p] = struct{}{}
	t.protectLocked()
	return p
}

func (p *pin) get() content {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	return p.content
}

// open opens the bytes, and reads the keys if there are any.
func (p *pin) open() (*fileSource, table.Keys, error) { return p.openFirst(-1) }

// openFirst is open of the first n bytes (all if n is negative); the keys are
// those of the whole content.
func (p *pin) openFirst(n int64) (*fileSource, table.Keys, error) {
	p.t.mu.Lock()
	x := p.content
	if n >= 0 {
		x.Len = n
	}
	src, err := p.t.openContentLocked(x)
	p.t.mu.Unlock()
	if err == nil && n < 0 {
		err = p.t.verify(x, src)
	}
	if err != nil && src != nil {
		src.close()
	}
	if err != nil || x.Keys == 0 {
		return src, table.Keys{}, err
	}
	keys, err := p.t.keysOf(x)
	if err != nil {
		src.close()
		return nil, keys, err
	}
	return src, keys, nil
}

func (p *pin) release() {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	delete(p.t.pins, p)
	p.t.protectLocked()
}
