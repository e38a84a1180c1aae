package cache

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/state"
)

// How much the directory of a store may hold: history by age and size, then
// everything by size. What is not in the store is never touched.

// pruneEvery is how often that is looked at. It is looked at once more when the
// mount ends: many mounts are shorter than that.
const pruneEvery = time.Minute

// The defaults of Config.
const (
	defaultHistory     = 7 * 24 * time.Hour
	defaultHistorySize = 2 << 30
	defaultCacheSize   = 10 << 30
)

// mountedID is the record of how long the store was mounted in all: the age of
// what is kept counts in that time, so that nothing is gone after a holiday.
const mountedID = "mounted"

// mountedTime is how long the store was mounted in all.
func (c *Cache) mountedTime() time.Duration { return c.mountedBefore + time.Since(c.started) }

func (c *Cache) loadMountedTime() error {
	return c.db.View(func(tx *state.Tx) error {
		_, err := tx.Get(kindStore, mountedID, &c.mountedBefore)
		return err
	})
}

func (c *Cache) saveMountedTime() error {
	return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put(kindStore, mountedID, c.mountedTime()) })
}

// pruneLoop prunes until ctx is done.
func (c *Cache) pruneLoop(ctx context.Context) {
	defer c.workers.Done()
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.tryPrune()
		case <-ctx.Done():
			return
		}
	}
}

// tryPrune prunes; what fails is tried again the next time.
func (c *Cache) tryPrune() {
	if err := c.prune(); err != nil {
		c.log.Warn("old content not removed", "error", err, "remedy", "none needed: it is tried again")
	}
}

// prune brings the store's directory back to what it may hold.
func (c *Cache) prune() error {
	if err := c.saveMountedTime(); err != nil {
		return err
	}
	kept, err := c.keptVersions()
	if err != nil {
		return err
	}
	now := c.mountedTime()
	kept, err = c.dropVersions(kept, func(v keptVersion, total int64) bool {
		return now-v.Mounted > c.cfg.History || total > c.cfg.HistorySize
	})
	if err != nil {
		return err
	}
	over := sizeOf(c.dir.Tables()) + sizeOfVersions(kept) - c.cfg.CacheSize
	if over <= 0 {
		return nil
	}
	over -= c.evict(over)
	if over <= 0 {
		return nil
	}
	leave := sizeOfVersions(kept) - over
	_, err = c.dropVersions(kept, func(_ keptVersion, total int64) bool { return total > leave })
	return err
}

// keptVersion is one version in history.
type keptVersion struct {
	historyRecord
	path string // below history/
	last bool   // of its table: it stays
}

func sizeOfVersions(list []keptVersion) (total int64) {
	for i := range list {
		total += list[i].Size
	}
	return total
}

// keptVersions are all versions in history, oldest first.
func (c *Cache) keptVersions() ([]keptVersion, error) {
	var list []keptVersion
	err := c.db.View(func(tx *state.Tx) error {
		return tx.Each(kindHistory, "", func(id string, read func(any) error) error {
			v := keptVersion{path: id}
			err := read(&v.historyRecord)
			list = append(list, v)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	if list, err = c.withOrphans(list); err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b keptVersion) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.path, b.path)) })
	seen := map[string]bool{}
	for i := len(list) - 1; i >= 0; i-- {
		name := filepath.Dir(list[i].path)
		list[i].last, seen[name] = !seen[name], true
	}
	return list, nil
}

// withOrphans adds the files in history that no record names: ragasfs was killed
// before it could write that down.
func (c *Cache) withOrphans(list []keptVersion) ([]keptVersion, error) {
	known := map[string]bool{}
	for i := range list {
		known[list[i].path] = true
	}
	root := c.dir.History()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		parts := strings.Split(rel, string(filepath.Separator))
		if err != nil || known[rel] || len(parts) != 4 {
			return err
		}
		when, perr := time.Parse(historyTime, strings.TrimSuffix(parts[3], ".csv"))
		info, serr := d.Info()
		if perr != nil || serr != nil {
			return nil //nolint:nilerr // no version of ours, or just being moved
		}
		list = append(list, keptVersion{path: rel, historyRecord: historyRecord{Project: parts[0], Kind: backends.Kind(parts[1]),
			Name: parts[2], Time: when, Size: info.Size(), Why: "replaced", Mounted: c.mountedTime()}})
		return c.db.Update(state.Normal, func(tx *state.Tx) error {
			return tx.Put(kindHistory, rel, list[len(list)-1].historyRecord)
		})
	})
	return list, err
}

// dropVersions removes versions for which drop says so, oldest first, but never
// the last of a table. drop is given the size of all that are left. It returns
// what is left.
func (c *Cache) dropVersions(list []keptVersion, drop func(v keptVersion, total int64) bool) ([]keptVersion, error) {
	total := sizeOfVersions(list)
	var left []keptVersion
	var gone []string
	var failed error
	for _, v := range list {
		if v.last || !drop(v, total) {
			left = append(left, v)
			continue
		}
		err := c.disk.Remove("prune:history", filepath.Join(c.dir.History(), v.path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
			left = append(left, v)
			continue
		}
		total -= v.Size
		gone = append(gone, v.path)
	}
	for part := range slices.Chunk(gone, 500) {
		failed = errors.Join(failed, c.db.Update(state.Normal, func(tx *state.Tx) error {
			for _, id := range part {
				if err := tx.Delete(kindHistory, id); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	return left, failed
}

// sizeOf is the number of bytes of all files below a directory.
func sizeOf(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // files come and go meanwhile
		}
		var info os.FileInfo
		if info, err = d.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}
