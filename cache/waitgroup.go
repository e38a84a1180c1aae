package cache

import "sync"

// waitGroup is a sync.WaitGroup that may be added to at any time.
type waitGroup struct {
	mu   sync.Mutex
	n    int
	idle chan struct{}
}

func (w *waitGroup) Add(int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n == 0 {
		w.idle = make(chan struct{})
	}
	w.n++
}

func (w *waitGroup) Done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n--; w.n == 0 {
		close(w.idle)
	}
}

func (w *waitGroup) Wait() {
	w.mu.Lock()
	idle, n := w.idle, w.n
	w.mu.Unlock()
	if n > 0 {
		<-idle
	}
}
