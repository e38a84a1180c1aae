package cache

import (
	"errors"

	"github.com/ragasfs/ragasfs/cache/disk"
	"github.com/ragasfs/ragasfs/cache/state"
	"github.com/ragasfs/ragasfs/cache/store"
)

// pendingOf counts what is unsent in a store that is not mounted. It holds the
// store's lock while it looks, as nothing may read state.db beside its holder.
func pendingOf(dir store.Dir, info store.Info) (tables, rows int, err error) {
	d := &disk.FS{}
	lock, err := store.Acquire(d, dir, info)
	if err != nil {
		if errors.As(err, new(store.InUse)) {
			return 0, 0, nil // mounted since it was listed
		}
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	db, _, err := state.Open(state.Options{Dir: string(dir), Disk: d})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.View(func(tx *state.Tx) error {
		return tx.Each(kindTable, "", func(_ string, read func(any) error) error {
			var rec record
			if err := read(&rec); err != nil {
				return err
			}
			if rec.Save.Seq > rec.CleanSeq || rec.Gone != nil && rec.InStore {
				tables++
				rows += rec.Pending.Append + rec.Pending.Update + rec.Pending.Delete
			}
			return nil
		})
	})
	return tables, rows, err
}
