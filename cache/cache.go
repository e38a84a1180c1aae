package cache

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache/disk"
	"github.com/ragasfs/ragasfs/cache/state"
	"github.com/ragasfs/ragasfs/cache/store"
)

// Cache is the open cache of one store.
type Cache struct {
	// Constant after Open.
	cfg           Config
	props         backends.Properties
	store         *counted
	disk          *disk.FS
	dir           store.Dir
	lock          *store.Lock
	db            *state.DB
	log           *slog.Logger
	root          string // shown name of the only project; empty: all are shown
	started       time.Time
	uid, gid      uint32
	ctx           context.Context
	cancel        context.CancelFunc
	know          *knower
	health        *health
	freshness     *freshness
	calls         counters
	intents       intentSet
	slots         chan struct{}
	sizing        chan struct{} // loads for the sake of a size
	workers       waitGroup
	gens          atomic.Uint64
	watchers      progressSet
	inv           atomic.Pointer[invalidatorBox]
	mountedBefore time.Duration // how long the store had been mounted when it was opened
	other         atomic.Bool   // the store is not the one that was recorded: nothing is sent
	sameStore     recognition
	listedOnce    chan struct{} // closed when the first listing of this mount has ended, well or not

	// names guards what names are bound to. It comes before Table.mu.
	names    sync.Mutex
	projects map[string]*project // by shown name
	tables   map[string]*Table   // by id
	scratch  map[diskID]*File    // scratch files that the kernel may know
	inoTaken map[uint64]bool     // inode numbers that tables show
}

// pushSlots is how many tables are sent at the same time, sizeSlots how many are
// loaded because their size was asked for.
const (
	pushSlots = 8
	sizeSlots = 4
)

// Open opens (and creates) the state of the store, recovers what an unclean end
// left, and starts. If the store was ever listed it does not wait for the
// network. store.InUse (also ErrInUse) names pid and mount point of the holder.
func Open(ctx context.Context, config Config) (*Cache, error) {
	c := newCache(config)
	var err error
	if c.dir, err = store.Create(c.disk, config.StateDir, c.identity()); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	wait, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c.lock, err = store.AcquireWait(wait, c.disk, c.dir, store.Info{Identity: c.identity(), Backend: config.Source,
		Place: c.props.Root, Options: config.Options, Mountpoint: config.Mountpoint})
	if err != nil {
		var inUse store.InUse
		if errors.As(err, &inUse) {
			return nil, fmt.Errorf("%w: %w", ErrInUse, err)
		}
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		c.cancel()
		if c.db != nil {
			err = errors.Join(err, c.db.Close())
		}
		return nil, errors.Join(err, c.lock.Release())
	}
	return c, nil
}

// Identity names the state of a store; a project that is mounted alone has its own.
func Identity(store backends.Properties, project string) string {
	if project == "" {
		return store.Identity
	}
	return store.Identity + "#project=" + project
}

func (c *Cache) identity() string { return Identity(c.props, c.cfg.Project) }

func newCache(config Config) *Cache {
	c := &Cache{cfg: config, props: config.Store.Properties, log: config.Log, started: time.Now(),
		uid: uint32(os.Getuid()), gid: uint32(os.Getgid()),
		projects: map[string]*project{}, tables: map[string]*Table{}, scratch: map[diskID]*File{}, inoTaken: map[uint64]bool{},
		listedOnce: make(chan struct{}), slots: make(chan struct{}, pushSlots), sizing: make(chan struct{}, sizeSlots), health: newHealth(), disk: config.Disk}
	if c.disk == nil {
		c.disk = &disk.FS{}
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&c.cfg.DeleteAfter, 60*time.Second)
	def(&c.cfg.TTL, 5*time.Second)
	def(&c.cfg.Timeout, 30*time.Second)
	def(&c.cfg.Drain, 5*time.Minute)
	def(&c.cfg.History, defaultHistory)
	c.cfg.HistorySize = cmp.Or(c.cfg.HistorySize, defaultHistorySize)
	c.cfg.CacheSize = cmp.Or(c.cfg.CacheSize, defaultCacheSize)
	def(&c.cfg.vanishWait, vanishWait)
	if config.Project != "" {
		c.root = encodeName(config.Project)
	}
	c.store = &counted{Backend: config.Store.Backend, calls: &c.calls}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.freshness = newFreshness(c)
	c.sameStore.c = c
	return c
}

// start opens the state, recovers, lists and begins to work.
func (c *Cache) start(ctx context.Context) error {
	var report state.Report
	var err error
	c.db, report, err = state.Open(state.Options{Dir: string(c.dir), Disk: c.disk, Log: c.log, BeforeSync: c.syncContents})
	if errors.Is(err, state.ErrNewer) {
		return fmt.Errorf("%w: %w", ErrNewerState, err)
	}
	if err != nil {
		return fmt.Errorf("state: %w", err)
	}
	if err := c.loadMountedTime(); err != nil {
		return err
	}
	c.know = newKnower(c)
	if err := c.recover(report); err != nil {
		return err
	}
	if err := c.checkPlace(); err != nil {
		return err
	}
	if err := c.firstListing(ctx); err != nil {
		return err
	}
	go c.freshness.run()
	c.workers.Add(1)
	go c.pruneLoop(c.ctx)
	for _, t := range c.allTables() {
		t.wake(c.settle())
	}
	c.names.Lock()
	defer c.names.Unlock()
	for _, p := range c.projects {
		if !p.rec.InStore || p.rec.Removed || p.rec.Fresh || p.rec.NewName != "" {
			c.projectTimer(p)
		}
	}
	return nil
}

// firstListing lists the store. If it was listed before, what is known is shown
// at once and the listing runs in the background.
func (c *Cache) firstListing(ctx context.Context) error {
	var listed bool
	if err := c.db.View(func(tx *state.Tx) (err error) {
		_, err = tx.Get(kindStore, "listed", &listed)
		return err
	}); err != nil {
		return err
	}
	if listed {
		go func() {
			c.workers.Add(1)
			defer c.workers.Done()
			defer close(c.listedOnce)
			c.freshness.list("", c.listAll)
		}()
		return nil
	}
	defer close(c.listedOnce)
	ctx, cancel := context.WithTimeout(ctx, 2*c.cfg.Timeout)
	defer cancel()
	if err := c.listAll(ctx); err != nil {
		return fmt.Errorf("listing the store: %w", err)
	}
	return c.db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put(kindStore, "listed", true) })
}

// firstLoadTimeout bounds a call that reads a whole listing or table: it ends
// when nothing moves any more, which is the backend's business; this is the
// outer bound.
func (c *Cache) firstLoadTimeout() time.Duration { return max(2*c.cfg.Timeout, time.Minute) * 10 }

// checkPlace compares the store with the one that was recorded.
func (c *Cache) checkPlace() error {
	if c.props.Place == "" {
		return nil
	}
	var place string
	return c.db.Update(state.Normal, func(tx *state.Tx) error {
		found, err := tx.Get(kindStore, "place", &place)
		if err != nil {
			return err
		}
		if found && place != c.props.Place {
			if c.anythingPending() {
				c.other.Store(true)
				c.log.Error("not the store that was mounted before: nothing that is pending is sent",
					"recorded", place, "found", c.props.Place, "remedy", "mount the right one, or discard what is pending")
				return nil
			}
		}
		return tx.Put(kindStore, "place", c.props.Place)
	})
}

func (c *Cache) anythingPending() bool {
	c.names.Lock()
	for _, p := range c.projects {
		if p.rec.op() != "" {
			c.names.Unlock()
			return true
		}
	}
	c.names.Unlock()
	for _, t := range c.allTables() {
		t.mu.Lock()
		pending := t.dirtyLocked() || t.rec.Gone != nil || t.intent != nil
		t.mu.Unlock()
		if pending {
			return true
		}
	}
	return false
}

// isOther reports whether the store is not, or seems not to be, the one that was
// mounted before.
func (c *Cache) isOther() bool { return c.other.Load() || c.sameStore.isStrange() }

// IsOther waits until the store has been listed for the first time in this
// mount, but not longer than ctx, and reports whether it is, or seems to be,
// another one than that for which something is pending. It does not wait if nothing
// is pending, or if it is known without asking.
func (c *Cache) IsOther(ctx context.Context) bool {
	if c.isOther() || !c.anythingPending() {
		return c.isOther()
	}
	if known, _ := c.sameStore.count(nil); known > 0 {
		select {
		case <-c.listedOnce:
		case <-ctx.Done():
		}
	}
	return c.isOther()
}

// mayPush refuses to send anything to a store that is not the recorded one.
func (c *Cache) mayPush(ctx context.Context) error {
	if c.other.Load() {
		return fmt.Errorf("%w: mount the right one, or discard what is pending", ErrOtherStore)
	}
	return c.sameStore.ensure(ctx)
}

// slot waits for its turn to send.
func (c *Cache) slot(ctx context.Context) (release func(), err error) {
	select {
	case c.slots <- struct{}{}:
		return func() { <-c.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// nextGen numbers kernel inodes.
func (c *Cache) nextGen() uint64 { return c.gens.Add(1) }

// Close stops all work and closes state and store. Nothing is sent any more;
// what is pending is kept.
func (c *Cache) Close() error {
	c.cancel()
	for _, t := range c.allTables() {
		t.mu.Lock()
		if t.worker.timer != nil {
			t.worker.timer.Stop()
		}
		t.mu.Unlock()
	}
	c.workers.Wait()
	c.know.wg.Wait()
	c.tryPrune()
	return errors.Join(c.saveMountedTime(), c.syncContents(), c.db.Close(), c.cfg.Store.Close(), c.lock.Release())
}

// SetDraining tells the next mount that it need only wait.
func (c *Cache) SetDraining() error { return c.lock.SetDraining() }

// Sock is where the control socket of the store belongs.
func (c *Cache) Sock() string { return c.dir.Sock() }

// Dir is the store's directory.
func (c *Cache) Dir() string { return string(c.dir) }

// randomID is 10 characters of a-z and 2-7 that never look like a number.
func randomID() string {
	var b [7]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return "r" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:10]
}

// intentSet is the tables with an open intent.
type intentSet struct {
	mu  sync.Mutex
	ids map[string]bool
}

func (s *intentSet) add(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	s.ids[id] = true
}

func (s *intentSet) remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, id)
}

func (c *Cache) hasIntent(id string) bool {
	c.intents.mu.Lock()
	defer c.intents.mu.Unlock()
	return c.intents.ids[id]
}

// outside is a path inside as the mount shows it.
func (c *Cache) outside(p string) string {
	if c.root == "" {
		return p
	}
	return strings.TrimPrefix(path.Clean(p), c.root+"/")
}
