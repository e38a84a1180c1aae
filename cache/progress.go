package cache

import (
	"sync"
	"time"
)

// Progress of long work.
type Progress struct {
	Path  string        `json:"path,omitempty"`
	Done  int64         // rows, or bytes
	Left  int64         // negative: not known
	Bytes bool          `json:"bytes,omitempty"`
	ETA   time.Duration `json:"eta,omitempty"` // 0: not known
}

// progressSet is who wants to hear of progress.
type progressSet struct {
	mu      sync.Mutex
	next    int
	sinks   map[int]func(Progress)
	started map[string]time.Time // by path: for the ETA
	last    map[string]Progress  // what is under way, for the status
}

// listen calls f for all progress until the returned function is called.
func (s *progressSet) listen(f func(Progress)) (stop func()) {
	if f == nil {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sinks == nil {
		s.sinks = map[int]func(Progress){}
	}
	id := s.next
	s.next++
	s.sinks[id] = f
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sinks, id)
	}
}

// progress reports that work goes on.
func (c *Cache) progress(p Progress) {
	s := &c.watchers
	s.mu.Lock()
	if s.started == nil {
		s.started, s.last = map[string]time.Time{}, map[string]Progress{}
	}
	begun, ok := s.started[p.Path]
	if !ok {
		begun = time.Now()
		s.started[p.Path] = begun
	}
	if p.Left > 0 && p.Done > 0 {
		p.ETA = time.Duration(float64(time.Since(begun)) / float64(p.Done) * float64(p.Left)).Round(time.Second)
	}
	if p.Left > 0 {
		s.last[p.Path] = p
	} else {
		delete(s.started, p.Path)
		delete(s.last, p.Path)
	}
	var sinks []func(Progress)
	for _, f := range s.sinks {
		sinks = append(sinks, f)
	}
	s.mu.Unlock()
	for _, f := range sinks {
		f(p)
	}
}

// underWay is what goes on now.
func (c *Cache) underWay() []Progress {
	s := &c.watchers
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Progress
	for _, p := range s.last {
		list = append(list, p)
	}
	return list
}
