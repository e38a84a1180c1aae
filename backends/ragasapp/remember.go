package ragasapp

import (
	"sync"

	"github.com/ragasfs/ragasfs/backends"
)

// memory is what is remembered of tables, to save calls. All of it can be asked
// for again.
type memory struct {
	mu     sync.Mutex
	tables map[tableID]*remembered
}

// remembered is what is known of one table.
type remembered struct {
	columns []column
	claim   *claim
	rows    *rowCache
}

func newMemory() *memory { return &memory{tables: map[tableID]*remembered{}} }

// with calls f with what is known of a table, which f may change.
func (m *memory) with(t tableID, f func(*remembered)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.tables[t]
	if r == nil {
		r = &remembered{}
		m.tables[t] = r
	}
	f(r)
}

func (m *memory) forget(t tableID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tables, t)
}

// takeClaim takes the claim about a table out, so that one goroutine has it.
// Nil: there is none, or another goroutine has it.
func (m *memory) takeClaim(t tableID) (c *claim) {
	m.with(t, func(r *remembered) { c, r.claim = r.claim, nil })
	return c
}

// putClaim puts a claim back, unless there is a newer one.
func (m *memory) putClaim(t tableID, c *claim) {
	m.with(t, func(r *remembered) {
		if r.claim == nil {
			r.claim = c
		}
	})
}

// rowCache is the rows of a table at a version, kept from one batch of a push to
// the next. Tables that are too big for that are not kept.
type rowCache struct {
	version backends.Version
	rows    map[string]wireRow
}

// mostCached is how many bytes of rows are kept.
const mostCached = 64 << 20
