package ragasapp

import (
	"context"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// The API has no versions. What stands in for one is how many rows a table has
// and which was changed last: every change of a row, and every new one, changes
// the second, every deletion the first. What the columns are is part of it, too:
// that takes a call of its own, which is made less often (see columnsLast).
//
// state is that, as one call tells it.
type state struct {
	total   int
	newest  int64 // when the last change was, in nanoseconds
	row     string
	columns string // stands for what the columns are
	ordered bool   // the server orders by change; if not, nothing can be told
}

// version is the token of a state. Empty: it can't be told.
func (s state) version() backends.Version {
	if !s.ordered {
		return ""
	}
	return backends.Version(fmt.Sprintf("%d.%d.%s.%s", s.total, s.newest, s.columns, s.row))
}

// claimed marks tokens that say what a table ought to be after our changes, if
// nobody else changed it meanwhile. Only this process can tell whether it is so;
// any other takes them for an unknown version.
const claimed = "?"

// stateOf reads a token.
func stateOf(v backends.Version) (s state, ok bool) {
	parts := strings.SplitN(strings.TrimSuffix(string(v), claimed), ".", 4)
	if len(parts) != 4 {
		return state{}, false
	}
	total, err := strconv.Atoi(parts[0])
	newest, newestErr := strconv.ParseInt(parts[1], 10, 64)
	s = state{total: total, newest: newest, columns: parts[2], row: parts[3], ordered: true}
	return s, err == nil && newestErr == nil
}

// look asks for the rows that were changed last, and with them for the state,
// but for the columns.
func (b *Backend) look(ctx context.Context, t tableID, offset, limit int) (state, []wireRow, error) {
	list, err := part[wireRow](ctx, b.client, rowsPath(t), byChange, offset, limit)
	if err != nil {
		return state{}, nil, err
	}
	p := list.Pagination
	if p.Total != nil && limit == askPage {
		b.client.sawPage(len(list.Items), *p.Total)
	}
	s := state{ordered: p.OrderBy == byChange.by && p.SortDir == byChange.dir && p.Total != nil}
	if p.Total != nil {
		s.total = *p.Total
	}
	if len(list.Items) > 0 {
		s.newest, s.row = list.Items[0].UpdatedAt.nanos(), list.Items[0].ID
		s.ordered = s.ordered && s.newest != 0
	}
	return s, list.Items, nil
}

// version is the token of a table now. A claim that has come true is answered as
// it was given.
func (b *Backend) version(ctx context.Context, t tableID) (backends.Version, error) {
	v, err := b.askVersion(ctx, t)
	if err == nil {
		b.known.confirm(t, v)
	}
	return v, err
}

func (b *Backend) askVersion(ctx context.Context, t tableID) (backends.Version, error) {
	c := b.known.takeClaim(t)
	kept := c != nil
	defer func() {
		if kept {
			b.known.putClaim(t, c)
		}
	}()
	lately := b.columnsLately
	if c != nil && c.takesTwo() {
		lately = b.columns // a third call would be too much
	}
	columns, err := lately(ctx, t)
	if err != nil {
		return "", err
	}
	if c == nil {
		s, _, err := b.look(ctx, t, 0, 1)
		s.columns = standFor(columns)
		return s.version(), err
	}
	limit := 1
	if c.count() < surePage {
		limit = c.count() + 1
	}
	s, newest, err := b.look(ctx, t, 0, limit)
	if err != nil || !s.ordered {
		return "", err
	}
	s.columns = standFor(columns)
	if s != c.after {
		return s.version(), nil
	}
	if !c.verified {
		if limit == 1 && c.count() > 0 {
			// Too many to look at each: the first that is not ours is the last of before.
			behind, rest, err := b.look(ctx, t, c.count(), 1)
			if err != nil {
				return "", err
			}
			c.verified = behind.total == s.total && c.nothingElse(rest)
		} else {
			c.verified = c.isWhole(newest)
		}
		if !c.verified {
			kept = false
			return s.version(), nil
		}
	}
	return c.token(), nil
}

// Probe implements backends.Prober: one call.
func (b *Backend) Probe(ctx context.Context, ref backends.Ref) (backends.Entry, error) {
	t, err := b.table(ctx, ref)
	if err == nil {
		var v backends.Version
		if v, err = b.version(ctx, t); err == nil {
			ref.ProjectID, ref.ID = t.project, t.id
			s, ok := stateOf(v)
			rows := int64(-1)
			if ok {
				rows = int64(s.total)
			}
			return backends.Entry{Ref: ref, Version: v, Size: -1, Rows: rows}, nil
		}
	}
	return backends.Entry{}, fmt.Errorf("probe %s: %w", ref, err)
}

// Forget implements backends.Forgetter: the next probe asks for the columns, too.
func (b *Backend) Forget(ref backends.Ref) {
	b.known.with(tableID{project: ref.ProjectID, kind: ref.Kind, id: ref.ID}, func(r *remembered) { r.columnsAt = time.Time{} })
}

// claim is what a table ought to be after changes of ours.
type claim struct {
	before   state
	after    state
	hashes   map[uint64]struct{} // of the ids of rows that we changed and that are there
	stamps   map[string]int64    // the same rows with the times of their changes; nil: too many
	verified bool
	seed     maphash.Seed
}

func newClaim(before state) *claim {
	return &claim{
		before: before, after: before, hashes: map[uint64]struct{}{}, stamps: map[string]int64{}, seed: maphash.MakeSeed(),
	}
}

func (c *claim) count() int { return len(c.hashes) }

// takesTwo reports whether it takes two looks to find out that a claim is true:
// there are too many changes to look at each.
func (c *claim) takesTwo() bool { return !c.verified && c.count() >= surePage }

func (c *claim) token() backends.Version {
	if c.count() == 0 && c.after == c.before {
		return c.after.version()
	}
	return c.after.version() + claimed
}

// wrote notes a row as the server answered it. made: it is new.
func (c *claim) wrote(r wireRow, made bool) {
	c.verified = false
	if made {
		c.after.total++
	}
	c.hashes[maphash.String(c.seed, r.ID)] = struct{}{}
	at := r.UpdatedAt.nanos()
	if at >= c.after.newest {
		c.after.newest, c.after.row = at, r.ID
	}
	if c.stamps != nil {
		c.stamps[r.ID] = at
		if len(c.stamps) >= surePage {
			c.stamps = nil
		}
	}
}

// deleted notes that a row is gone. If it was the newest, nobody knows which is
// now: the claim is good for nothing.
func (c *claim) deleted(id string) (good bool) {
	c.verified = false
	c.after.total--
	delete(c.hashes, maphash.String(c.seed, id))
	delete(c.stamps, id)
	return c.after.row != id
}

// isWhole reports whether the newest rows are exactly those that we changed, as
// we left them, and behind them stands nothing that is newer than before.
func (c *claim) isWhole(newest []wireRow) bool {
	if c.stamps == nil || len(newest) < len(c.stamps) {
		return false
	}
	for _, r := range newest[:len(c.stamps)] {
		if at, ours := c.stamps[r.ID]; !ours || at != r.UpdatedAt.nanos() {
			return false
		}
	}
	return c.nothingElse(newest[len(c.stamps):])
}

// nothingElse reports whether the first of rows is one of before.
func (c *claim) nothingElse(rows []wireRow) bool {
	if len(rows) == 0 {
		return true
	}
	if _, ours := c.hashes[maphash.String(c.seed, rows[0].ID)]; ours {
		return false
	}
	return rows[0].UpdatedAt.nanos() <= c.before.newest
}
