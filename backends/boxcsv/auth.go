package boxcsv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/ragasfs/ragasfs/backends"
)

// tokenSource gives access tokens. Its errors wrap backends.ErrAuth, or
// ErrUnavailable where the token endpoint is away.
type tokenSource interface {
	// Token returns a token that should be good.
	Token(ctx context.Context) (string, error)
	// Refused is told a token that Box did not take, and reports whether Token
	// has another one now.
	Refused(ctx context.Context, token string) bool
}

// fixedToken is a developer token. It can't be renewed.
type fixedToken string

func (f fixedToken) Token(context.Context) (string, error) { return string(f), nil }
func (f fixedToken) Refused(context.Context, string) bool  { return false }

// fileToken is a developer token in a file, which is read again when it changes
// and when Box refuses the token.
type fileToken struct {
	path  string
	mu    sync.Mutex
	token string
	stat  string // of the file when it was read
}

// Token implements tokenSource.
func (f *fileToken) Token(context.Context) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err == nil && f.token != "" && f.stat == statOf(info) {
		return f.token, nil
	}
	if err == nil {
		err = f.read(info)
	}
	if err != nil {
		return "", fmt.Errorf("%w: token_file: %w", backends.ErrAuth, err)
	}
	return f.token, nil
}

var errNoToken = errors.New("there is no token in it")

func (f *fileToken) read(info os.FileInfo) error {
	content, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	text := strings.TrimSpace(string(content))
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return fmt.Errorf("%s: %w", f.path, errNoToken)
	}
	f.token, f.stat = text, statOf(info)
	return nil
}

func statOf(info os.FileInfo) string {
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// Refused implements tokenSource.
func (f *fileToken) Refused(ctx context.Context, token string) bool {
	f.mu.Lock()
	f.stat = "" // a file that was replaced in the same moment looks the same
	f.mu.Unlock()
	now, err := f.Token(ctx)
	return err == nil && now != token
}

// grant is a token that Box gives for other credentials, and again when it
// expires.
type grant struct {
	ask     func(ctx context.Context) (token string, lifetime time.Duration, err error)
	now     func() time.Time
	flight  singleflight.Group
	mu      sync.Mutex
	token   string
	renew   time.Time // from when on a new one is asked for
	expires time.Time
}

// askTimeout is how long the token endpoint may take.
const askTimeout = 60 * time.Second

// Token implements tokenSource. A token is renewed ten minutes before it
// expires, or after half its life if that is later; while it is good, a failure
// to renew it is none.
func (g *grant) Token(ctx context.Context) (string, error) {
	now := g.now()
	g.mu.Lock()
	token, renew, expires := g.token, g.renew, g.expires
	g.mu.Unlock()
	if token != "" && now.Before(renew) {
		return token, nil
	}
	fresh, err := g.fetch(ctx)
	if err != nil && token != "" && now.Before(expires) {
		return token, nil
	}
	return fresh, err
}

// fetch asks for a token, once for all who need one.
func (g *grant) fetch(ctx context.Context) (string, error) {
	answered := g.flight.DoChan("token", func() (any, error) {
		// The others wait, too: the first one's going away must not fail them.
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		token, lifetime, err := g.ask(asking)
		if err != nil {
			return "", err
		}
		const ahead = 10 * time.Minute
		now := g.now()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.token, g.expires = token, now.Add(lifetime)
		g.renew = now.Add(max(lifetime-ahead, lifetime/2)) //nolint:mnd // half its life
		return token, nil
	})
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case result := <-answered:
		token, _ := result.Val.(string)
		return token, result.Err
	}
}

// Refused implements tokenSource. Only the token that was refused is dropped:
// another request may have renewed it already.
func (g *grant) Refused(ctx context.Context, token string) bool {
	g.mu.Lock()
	if g.token == token {
		g.token = ""
	}
	g.mu.Unlock()
	now, err := g.Token(ctx)
	return err == nil && now != token
}
