package ragasapp

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// keySource gives the API key. A file is read again when it has changed; a key
// from the environment stays.
type keySource struct {
	file  string
	fixed string

	mu      sync.Mutex
	key     string
	size    int64
	changed time.Time
}

// newKeySource finds the key. The error wraps backends.ErrAuth and says what to do.
func newKeySource(config backends.Config) (*keySource, error) {
	s := &keySource{file: config.Options["api_key_file"]}
	if s.file == "" {
		for _, name := range []string{"RAGAS_API_KEY", "RAGAS_APP_TOKEN"} {
			if key := strings.TrimSpace(config.Getenv(name)); key != "" {
				s.fixed = key
				return s, nil
			}
		}
		return nil, fmt.Errorf("no API key: give -o api_key_file=FILE, or set RAGAS_API_KEY or RAGAS_APP_TOKEN: %w", backends.ErrAuth)
	}
	_, err := s.get()
	return s, err
}

// get returns the key as it is now. It is never empty without an error.
func (s *keySource) get() (string, error) {
	if s.fixed != "" {
		return s.fixed, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.file)
	if err != nil {
		return "", fmt.Errorf("api_key_file: %w: %w", backends.ErrAuth, err)
	}
	if s.key != "" && info.Size() == s.size && info.ModTime().Equal(s.changed) {
		return s.key, nil
	}
	data, err := os.ReadFile(s.file)
	if err != nil {
		return "", fmt.Errorf("api_key_file: %w: %w", backends.ErrAuth, err)
	}
	key := strings.TrimSpace(string(data))
	if key == "" || strings.ContainsAny(key, "\r\n") {
		return "", fmt.Errorf("api_key_file: %s does not hold one line with a key: %w", s.file, backends.ErrAuth)
	}
	s.key, s.size, s.changed = key, info.Size(), info.ModTime()
	return key, nil
}

// where says where the key comes from.
func (s *keySource) where() string {
	if s.file != "" {
		return "api_key_file=" + s.file
	}
	return "RAGAS_API_KEY or RAGAS_APP_TOKEN"
}
