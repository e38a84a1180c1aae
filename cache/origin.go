package cache

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache/state"
)

// originRecord remembers over a restart that a scratch file was a table's
// content. Ctime tells whether it is still that file, untouched.
type originRecord struct {
	Origin origin
	Ctime  int64
}

func (id diskID) key() string { return fmt.Sprintf("%x/%x", id.dev, id.ino) }

func (c *Cache) putOrigin(id diskID, st *unix.Stat_t, from origin) error {
	return c.db.Update(state.Normal, func(tx *state.Tx) error {
		return tx.Put(kindOrigin, id.key(), originRecord{Origin: from, Ctime: st.Ctim.Nano()})
	})
}

func (c *Cache) readOrigin(id diskID, st *unix.Stat_t) origin {
	var r originRecord
	var found bool
	err := c.db.View(func(tx *state.Tx) (err error) {
		found, err = tx.Get(kindOrigin, id.key(), &r)
		return err
	})
	if err != nil || !found || r.Ctime != st.Ctim.Nano() {
		return origin{} // not known: then its writer counts as one that never opened the table
	}
	return r.Origin
}

func (c *Cache) dropOrigin(id diskID) {
	err := c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Delete(kindOrigin, id.key()) })
	if err != nil {
		c.log.Warn("origin not forgotten", "error", err)
	}
}
