package boxcsv

import (
	"io"
	"sync"
	"time"
)

// slowest is the rate below which a stream counts as silent, in bytes a second: a
// byte now and then must not keep an exchange alive for ever.
const slowest = 1 << 10

// idleWatch ends an exchange that is silent for longer than patience.
type idleWatch struct {
	patience time.Duration
	mu       sync.Mutex
	timer    *time.Timer // guarded by mu
	began    time.Time   // guarded by mu: this phase of the exchange
	bytes    int64       // guarded by mu: in it
}

func newIdleWatch(patience time.Duration, end func()) *idleWatch {
	return &idleWatch{patience: patience, timer: time.AfterFunc(patience, end), began: time.Now()}
}

func (w *idleWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
}

// again begins the next phase of the exchange.
func (w *idleWatch) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began, w.bytes = time.Now(), 0
	w.timer.Reset(w.patience)
}

// moved puts off the end, as far as the bytes of the phase buy time.
func (w *idleWatch) moved(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes += int64(n)
	bought := w.patience + time.Duration(w.bytes)*time.Second/slowest
	w.timer.Reset(max(0, min(w.patience, time.Until(w.began.Add(bought)))))
}

// over watches over a stream.
func (w *idleWatch) over(r io.Reader) io.Reader { return &idleReader{r: r, watch: w} }

type idleReader struct {
	r     io.Reader
	watch *idleWatch
}

func (r *idleReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if n > 0 {
		r.watch.moved(n)
	}
	return n, err
}
