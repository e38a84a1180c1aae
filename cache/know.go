package cache

import (
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/cache/judge"
	"github.com/ragasfs/ragasfs/cache/state"
)

// knower remembers which arrivals of which table each running process has
// read. It is durable as long as the process lives; processes are resolved in
// the background, so that open stays fast.
type knower struct {
	c     *Cache
	queue chan sighting
	wg    sync.WaitGroup

	mu    sync.Mutex
	known map[knowKey][]knowledge // guarded by mu
	seq   uint64                  // guarded by mu; counts events
}

type knowKey struct {
	table string
	proc  process
}

// sighting: a thread has opened a content.
type sighting struct {
	table   string
	tid     uint32
	arrival int64
	seq     uint64
	done    chan struct{} // set: only a marker
}

func newKnower(c *Cache) *knower {
	k := &knower{c: c, queue: make(chan sighting, 1024), known: map[knowKey][]knowledge{}}
	k.wg.Add(1)
	go k.run()
	return k
}

// event takes the next event number.
func (k *knower) event() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seq++
	return k.seq
}

// saw notes that the thread has opened a content with this arrival. It does not
// wait.
func (k *knower) saw(t *Table, tid uint32, arrival int64) {
	if tid == 0 {
		return
	}
	s := sighting{table: t.id, tid: tid, arrival: arrival, seq: k.event()}
	select {
	case k.queue <- s:
	default: // thousands of opens at once: resolve this one here
		k.take(s)
	}
}

func (k *knower) run() {
	defer k.wg.Done()
	sweep := time.NewTicker(10 * time.Minute)
	defer sweep.Stop()
	for {
		select {
		case s := <-k.queue:
			if s.done != nil {
				close(s.done)
				continue
			}
			k.take(s)
		case <-sweep.C:
			k.forgetDead()
		case <-k.c.ctx.Done():
			k.rest()
			return
		}
	}
}

// rest takes what was seen before the end.
func (k *knower) rest() {
	for {
		select {
		case s := <-k.queue:
			if s.done != nil {
				close(s.done)
				continue
			}
			k.take(s)
		default:
			return
		}
	}
}

// take resolves the process and writes down what it knows, if that is news.
func (k *knower) take(s sighting) {
	proc := processOf(s.tid)
	if proc == "" {
		return
	}
	key := knowKey{s.table, proc}
	k.mu.Lock()
	list := k.known[key]
	if n := len(list); n > 0 && list[n-1].Arrival == s.arrival {
		k.mu.Unlock()
		return
	}
	list = append(list[:len(list):len(list)], knowledge{Seq: s.seq, Arrival: s.arrival})
	k.known[key] = list
	k.mu.Unlock()
	err := k.c.db.Update(state.Normal, func(tx *state.Tx) error {
		return tx.Put(kindWriter, s.table+"/"+string(proc), list)
	})
	if err != nil {
		k.c.log.Warn("what a program has read could not be noted", "error", err)
	}
}

// wait returns when all sightings so far are taken.
func (k *knower) wait() {
	done := make(chan struct{})
	select {
	case k.queue <- sighting{done: done}:
	case <-k.c.ctx.Done():
		return
	}
	select {
	case <-done:
	case <-k.c.ctx.Done():
	}
}

// of returns the last arrival that the process knew at the event before, and the
// first one of which that can't be said (0: none): it had the table open both
// without and with it. What counts is what it read last. newest is the newest
// arrival that the mount shows: what a writer that never opened the table is taken
// to know, with doubt.
func (k *knower) of(t *Table, proc process, before uint64, newest int64) (known, doubt int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	oldest, seen := int64(0), false
	for _, x := range k.known[knowKey{t.id, proc}] {
		if x.Seq > before {
			continue
		}
		if !seen || x.Arrival < oldest {
			oldest = x.Arrival
		}
		known, seen = x.Arrival, true
	}
	switch {
	case !seen:
		return newest, 1
	case oldest < known:
		return known, oldest + 1
	}
	return known, 0
}

// load reads what is known from the state, for processes that still run.
func (k *knower) load() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.c.db.View(func(tx *state.Tx) error {
		return tx.Each(kindWriter, "", func(id string, decode func(any) error) error {
			tid, proc := splitID(id)
			if !process(proc).alive() {
				return nil
			}
			var list []knowledge
			if err := decode(&list); err != nil {
				return err
			}
			k.known[knowKey{tid, process(proc)}] = list
			for _, x := range list {
				k.seq = max(k.seq, x.Seq)
			}
			return nil
		})
	})
}

// forgetDead drops processes that have ended.
func (k *knower) forgetDead() {
	var dead []knowKey
	k.mu.Lock()
	for key := range k.known {
		if !key.proc.alive() {
			dead = append(dead, key)
			delete(k.known, key)
		}
	}
	k.mu.Unlock()
	for len(dead) > 0 {
		n := min(len(dead), 500)
		err := k.c.db.Update(state.Normal, func(tx *state.Tx) error {
			for _, key := range dead[:n] {
				if err := tx.Delete(kindWriter, key.table+"/"+string(key.proc)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			k.c.log.Warn("ended programs not forgotten", "error", err)
			return
		}
		dead = dead[n:]
	}
}

// arrivalsFor returns the arrivals later than known (up to the last that is in
// S) and the doubtful ones of the last day.
func (t *Table) arrivalsFor(s save, inS int64) (later, doubtful []judge.Arrival, err error) {
	if inS <= s.Known && s.Doubt == 0 {
		return nil, nil, nil
	}
	all, err := t.readArrivals(inS)
	if err != nil {
		return nil, nil, err
	}
	day := time.Now().Add(-24 * time.Hour)
	for _, a := range all {
		switch {
		case a.Number > s.Known:
			later = append(later, a)
		case s.Doubt != 0 && a.Number >= s.Doubt && a.Time.After(day):
			doubtful = append(doubtful, a)
		}
	}
	return later, doubtful, nil
}
