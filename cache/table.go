package cache

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/state"
)

// Table is one table: a name in the mount and what it is bound to.
//
// Its worker (work.go) is the only one that judges, pushes and refreshes it;
// file operations only change facts under mu and wake the worker.
type Table struct {
	// Constant.
	c   *Cache
	id  string
	dir string // t/TID

	mu sync.Mutex
	// Guarded by mu.
	rec        record
	files      map[uint64]*File          // by generation: content files that the kernel may know
	writers    map[*Handle]struct{}      // open for writing, on any content file of this table
	readers    int                       // open for reading only
	sources    map[*fileSource]struct{}  // contents that are being read
	shots      map[*shot]struct{}        // verdicts and pushes under way
	pins       map[*pin]struct{}         // contents that are worked with
	unsaved    bool                      // rec is not on disk as it is here
	marked     uint64                    // generation that is marked as L in the directory
	ops        int                       // work under way that makes generations
	collected  struct{ gen, seq uint64 } // last numbers when garbage was last collected
	intent     *intent                   // the open intent, nil if none
	load       *loading                  // the load under way, nil if none
	lastReads  []lastRead                // the last few opens for reading
	used       time.Time                 // last open: is it in use?
	checked    time.Time                 // when it was last compared with the store
	stale      bool                      // something said that the store has a newer version
	suspect    suspect                   // a version that is not believed yet
	reload     bool                      // S is damaged and has to be loaded again
	quiet      time.Time                 // last event: the settle time counts from here
	firstDirty time.Time                 // since when there is something unsent: bounds the settle time
	pushing    bool
	pushTook   time.Duration // duration of the last push
	backoff    time.Duration // wait before the next try; 0 after success
	notBefore  time.Time     // by backoff
	repeated   int           // pushes repeated at once since the last that went well
	conflicts  []conflictRecord
	counted    struct { // rows of L, counted for the status
		of   content
		seq  uint64
		rows int64
	}
	madeAt    time.Time             // when it was made or renamed in the store from here
	unsafe    map[string]unsafeFile // files that a power cut could take away (powersafe.go)
	unsafeSeq uint64
	parked    []parkedRecord
	wholeSeq  uint64 // the save that is judged as a whole: see parts.go

	dropped bool // forgotten: no longer a table of the cache

	where atomic.Pointer[string] // path, for messages

	worker worker
}

// path is where the table stands in the mount. It needs no lock.
func (t *Table) path() string { return *t.where.Load() }

// project is the shown name of its project.
func (t *Table) project() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rec.Project
}

// movedLocked follows a change of the name.
func (t *Table) movedLocked() {
	p := t.rec.path()
	t.where.Store(&p)
}

func (r *record) path() string {
	return r.Project + "/" + string(r.Kind) + "/" + r.Name + ".csv"
}

// genPath is the file of a generation.
func (t *Table) genPath(gen uint64) string {
	return filepath.Join(t.dir, "g"+strconv.FormatUint(gen, 10)+".csv")
}

func (t *Table) keysPath(n uint64) string {
	return filepath.Join(t.dir, "k"+strconv.FormatUint(n, 10)+".ids")
}

func (t *Table) arrivalPath(n int64) string {
	return filepath.Join(t.dir, "a"+strconv.FormatInt(n, 10)+".gob")
}

// newGenLocked takes a new generation number.
func (t *Table) newGenLocked() uint64 {
	t.rec.LastGen++
	return t.rec.LastGen
}

// saveLocked writes the record down.
func (t *Table) saveLocked(level state.Level) error { return t.saveWithLocked(level, nil) }

// saveWithLocked writes the record down, with something else in the same commit.
func (t *Table) saveWithLocked(level state.Level, also func(*state.Tx) error) error {
	t.protectLocked()
	t.markLocked()
	if gen := t.rec.S.Gen; gen != 0 && t.rec.S.same(t.rec.R) && !slices.Contains(t.rec.Agreed, gen) {
		t.rec.Agreed = append(t.rec.Agreed, gen)
	}
	err := t.saveAtLocked(level, func(tx *state.Tx) error {
		if t.intent != nil {
			if err := tx.Put(kindIntent, t.id, t.intent); err != nil {
				return err
			}
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return tx.Put(kindTable, t.id, &t.rec)
	})
	t.unsaved = err != nil
	if err != nil {
		return fmt.Errorf("%s: cannot note the state of the table: %w", t.path(), err)
	}
	return nil
}

// noteLocked is for facts whose loss is repaired by the next commit or by recovery:
// the error is logged and the fact stays in memory.
func (t *Table) noteLocked(level state.Level) {
	if err := t.saveLocked(level); err != nil {
		t.c.log.Error("state not written", "path", t.path(), "error", err,
			"remedy", "free space on the disk of the state directory")
	}
}

// dirtyLocked reports whether L holds something that may have to be sent.
func (t *Table) dirtyLocked() bool {
	if t.rec.Gone != nil {
		return false
	}
	return t.rec.Save.Seq > t.rec.CleanSeq
}

// decidedLocked reports whether the newest save is held or invalid.
func (t *Table) decidedLocked() bool {
	d := t.rec.Decision
	return d != nil && d.Op == "" && d.Seq == t.rec.Save.Seq && t.rec.Confirmed != t.rec.Save.Seq
}

// newTable makes a table that is known from the state or from a listing.
func (c *Cache) newTable(rec record) *Table {
	t := &Table{
		c: c, id: rec.ID, dir: c.dir.T(rec.ID), rec: rec,
		files:   map[uint64]*File{},
		writers: map[*Handle]struct{}{},
		sources: map[*fileSource]struct{}{},
		shots:   map[*shot]struct{}{},
	}
	t.worker.init(t)
	t.movedLocked()
	return t
}

// keysOf reads the keys of a content.
func (t *Table) keysOf(x content) (table.Keys, error) {
	if x.Keys == 0 {
		return table.Keys{}, fmt.Errorf("%s: keys of generation %d: %w", t.path(), x.Gen, errNoKeys)
	}
	return t.c.readKeys(t.keysPath(x.Keys), int(x.Rows))
}

var errNoKeys = errors.New("row identities not known")
