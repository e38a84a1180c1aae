package boxservice

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits are the token buckets of each user: for all calls, and for uploads among
// them. A bucket holds what a minute allows.
type limits struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by user and kind of call
}

// limit refuses a call that is one too many.
func (s *Service) limit(r *http.Request, path string) *failure {
	user := s.tokens.actor(r)
	s.store.mu.Lock()
	now := s.store.exactClock()
	s.store.mu.Unlock()
	if isUpload(r, path) {
		if f := s.limits.take(user+" uploads", s.options.Uploads, now); f != nil {
			return f
		}
	}
	return s.limits.take(user+" calls", s.options.Calls, now)
}

// isUpload: whether the parts of an upload count is not documented. They don't.
func isUpload(r *http.Request, path string) bool {
	return r.Method == http.MethodPost && (strings.HasSuffix(path, "/content") || strings.HasSuffix(path, "/commit") ||
		strings.HasSuffix(path, "/upload_sessions"))
}

func (l *limits) take(name string, aMinute int, now time.Time) *failure {
	if aMinute <= 0 {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets == nil {
		l.buckets = map[string]*rate.Limiter{}
	}
	bucket := l.buckets[name]
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Limit(float64(aMinute)/time.Minute.Seconds()), aMinute)
		l.buckets[name] = bucket
	}
	if bucket.AllowN(now, 1) {
		return nil
	}
	f := fail(http.StatusTooManyRequests, "rate_limit_exceeded", "Request rate limit exceeded")
	missing := 1 - bucket.TokensAt(now)
	f.retryAfter = strconv.Itoa(int(math.Ceil(missing / float64(bucket.Limit()))))
	return f
}
