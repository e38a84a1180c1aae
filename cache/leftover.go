package cache

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/state"
	"github.com/ragasfs/ragasfs/cache/store"
)

// StoreInfo is a store on disk that is not mounted.
type StoreInfo struct {
	Dir, Source, Identity, Mountpoint string
	Options                           map[string]string // with which it was mounted last (no secrets)
	// What waits in it, as it was when it was closed.
	Tables, Rows int      // not sent, held, invalid, rejected or in conflict
	Projects     []string // made, removed or renamed here
	// Damaged: what waits is not known in full. The next mount says more.
	Damaged bool
}

// Stores lists the stores under a state directory that are not mounted and have
// something that waits for a mount. One that can't be read is part of the error,
// the others are listed all the same.
func Stores(stateDir string) ([]StoreInfo, error) {
	found, err := store.List(stateDir)
	if err != nil {
		return nil, err
	}
	var list []StoreInfo
	var failed error
	for _, f := range found {
		if f.Err != nil || f.Holder != nil {
			continue
		}
		info, waits, err := Waiting(string(f.Dir))
		failed = errors.Join(failed, err)
		if waits {
			list = append(list, info)
		}
	}
	return list, failed
}

// Waiting looks into the store in dir. waits is false if nothing waits in it, or if
// it is mounted.
func Waiting(dir string) (info StoreInfo, waits bool, err error) {
	was, err := store.ReadInfo(store.Dir(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return StoreInfo{Dir: dir}, false, nil // it was never mounted
	}
	if err != nil {
		return StoreInfo{Dir: dir}, false, err
	}
	info = StoreInfo{Dir: dir, Source: was.Backend, Identity: was.Identity, Mountpoint: was.Mountpoint, Options: was.Options}
	err = info.look()
	if _, held, lockErr := store.Holder(store.Dir(dir)); held || lockErr != nil {
		return info, false, lockErr // what was read meanwhile may be anything
	}
	if err != nil {
		return info, false, fmt.Errorf("the state of %s in %s: %w", info.Mountpoint, dir, err)
	}
	return info, info.Tables > 0 || len(info.Projects) > 0 || info.Damaged, nil
}

// look counts what waits in a store that is not mounted, and changes nothing there.
func (i *StoreInfo) look() (err error) {
	db, report, done, err := state.Look(i.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was never mounted to the end
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	i.Damaged = report.Damaged || report.Incomplete || len(report.Records) > 0
	return db.View(func(tx *state.Tx) error {
		disputed, err := disputedIn(tx)
		if err != nil {
			return i.unless(err)
		}
		err = tx.Each(kindTable, "", func(id string, read func(any) error) error {
			var rec record
			if err := read(&rec); err != nil {
				return i.unless(err)
			}
			if rec.waits() || disputed[id] {
				i.Tables++
				i.Rows += rec.Pending.Append + rec.Pending.Update + rec.Pending.Delete
			}
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Each(kindProject, "", func(name string, read func(any) error) error {
			var rec projectRecord
			if err := read(&rec); err != nil {
				return i.unless(err)
			}
			if rec.op() != "" {
				i.Projects = append(i.Projects, name)
			}
			return nil
		})
	})
}

// unless: a damaged record is no error, but what waits is not known in full.
func (i *StoreInfo) unless(err error) error {
	if errors.Is(err, state.ErrDamaged) {
		i.Damaged = true
		return nil
	}
	return err
}

// disputedIn are the tables with cells in conflict, refused rows, or a push of
// which it is not known what became of it.
func disputedIn(tx *state.Tx) (map[string]bool, error) {
	found := map[string]bool{}
	err := tx.Each(kindConflict, "", func(id string, read func(any) error) error {
		var b blob
		var r conflictRecord
		if err := errors.Join(read(&b), decode(b.Data, &r)); err != nil {
			return err
		}
		if r.Decided == table.Hold {
			found[tableOfID(id)] = true
		}
		return nil
	})
	for _, kind := range []string{kindParked, kindIntent} {
		if err == nil {
			err = tx.Each(kind, "", func(id string, _ func(any) error) error {
				found[tableOfID(id)] = true
				return nil
			})
		}
	}
	return found, err
}

// waits reports whether the record alone says that the store does not have the
// table as it is here.
func (r *record) waits() bool {
	if r.Gone != nil {
		return r.InStore
	}
	return r.Save.Seq > r.CleanSeq || r.NewName != "" || r.Decision != nil && r.Decision.Op != ""
}
