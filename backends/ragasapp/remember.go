package ragasapp

import (
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// memory is what is remembered of tables, to save calls. All of it can be asked
// for again.
type memory struct {
	mu     sync.Mutex
	tables map[tableID]*remembered
	rows   *rowCache // of the last push
}

// remembered is what is known of one table.
type remembered struct {
	columns   []column
	columnsAt time.Time // when they were asked for
	claim     *claim
	confirmed backends.Version // what the version was at that time
	at        time.Time
}

func newMemory() *memory { return &memory{tables: map[tableID]*remembered{}} }

// confirmation is how long an answered version need not be asked for again.
const confirmation = 2 * time.Second

// confirm notes that a table is at a version. Empty: it is no longer known.
func (m *memory) confirm(t tableID, v backends.Version) {
	m.with(t, func(r *remembered) { r.confirmed, r.at = v, time.Now() })
}

// justConfirmed reports whether a table was at a version a moment ago.
func (m *memory) justConfirmed(t tableID, v backends.Version) (so bool) {
	m.with(t, func(r *remembered) { so = v != "" && r.confirmed == v && time.Since(r.at) < confirmation })
	return so
}

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
// the next: of one table, not of big ones, and not for long.
type rowCache struct {
	table   tableID
	version backends.Version
	until   time.Time
	rows    map[string]wireRow
}

const (
	mostCached = 64 << 20         // bytes of values
	cacheLasts = 10 * time.Second // from one batch to the next
)

// takeRows takes out the rows of a table at a version. Nil: they are not there.
func (m *memory) takeRows(t tableID, v backends.Version) map[string]wireRow {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.rows
	if c == nil || c.table != t || v == "" || c.version != v || time.Now().After(c.until) {
		return nil
	}
	m.rows = nil
	return c.rows
}

// putRows keeps rows for a while.
func (m *memory) putRows(t tableID, v backends.Version, rows map[string]wireRow) {
	c := &rowCache{table: t, version: v, until: time.Now().Add(cacheLasts), rows: rows}
	m.mu.Lock()
	m.rows = c
	m.mu.Unlock()
	time.AfterFunc(cacheLasts, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.rows == c {
			m.rows = nil
		}
	})
}
