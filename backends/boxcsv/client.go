package boxcsv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/go-resty/resty/v2"

	"github.com/ragasfs/ragasfs/backends"
)

// hosts are the bases of the addresses of Box, without a slash at the end.
type hosts struct {
	api    string // ".../2.0"
	upload string // ".../api/2.0"
	token  string // ".../oauth2/token"
}

// client speaks with Box. Its errors are those of package backends.
type client struct {
	resty     *resty.Client
	transport *http.Transport
	hosts     hosts
	asUser    string
	tokens    tokenSource
	timeout   time.Duration
	attempts  int           // of a read
	backoff   time.Duration // before the second attempt
	direct    int64         // the largest file that goes up in one piece
	calls     *budget
	uploads   *budget
	log       *slog.Logger
}

// once sends a call with the credentials: twice where they were refused and
// there are others.
func (c *client) once(ctx context.Context, k call) (*answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if k.foreign {
		return c.send(ctx, k, "")
	}
	for refused := false; ; refused = true {
		accessToken, err := c.tokens.Token(ctx)
		if err != nil {
			return nil, err
		}
		if err := c.allowed(ctx, k); err != nil {
			return nil, err
		}
		answer, err := c.send(ctx, k, accessToken)
		var failed *apiError
		if refused || !errors.As(err, &failed) || failed.status != http.StatusUnauthorized || !c.tokens.Refused(ctx, accessToken) {
			return answer, err
		}
	}
}

// allowed waits until the limits that Box documents allow a call.
func (c *client) allowed(ctx context.Context, k call) error {
	if k.uploads {
		if err := c.uploads.wait(ctx); err != nil {
			return err
		}
	}
	return c.calls.wait(ctx)
}

// longestWait is how long a read waits inside for Box to be ready again.
const longestWait = 10 * time.Second

// repeat makes a read as often as it makes sense.
func (c *client) repeat(ctx context.Context, read func() error) error {
	for attempt := 1; ; attempt++ {
		err := read()
		again := errors.Is(err, backends.ErrUnavailable) || errors.Is(err, backends.ErrIncomplete)
		if err == nil || !again || attempt >= c.attempts || ctx.Err() != nil {
			return err
		}
		wait := c.pause(attempt)
		var later *backends.RetryAfter
		if errors.As(err, &later) {
			if wait = later.Wait; wait > longestWait {
				return err
			}
		}
		c.log.Debug("a read from Box is repeated", "attempt", attempt, "wait", wait, "error", err)
		if ended := sleep(ctx, wait); ended != nil {
			return fmt.Errorf("%w: %w", ended, err)
		}
	}
}

// pause is how long to wait before the next attempt: twice as long each time,
// half more or less.
func (c *client) pause(attempt int) time.Duration {
	full := c.backoff << (attempt - 1)
	return full/2 + time.Duration(rand.Int64N(int64(full)+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read makes a call that changes nothing and decodes its answer.
func (c *client) read(ctx context.Context, k call, into any) error {
	return c.repeat(ctx, func() error { return c.do(ctx, k, into) })
}

// do makes a call once and decodes its answer into into, which may be nil.
func (c *client) do(ctx context.Context, k call, into any) error {
	answer, err := c.once(ctx, k)
	if err != nil {
		return err
	}
	defer answer.close()
	if answer.status == http.StatusAccepted {
		return failureOf(answer.status, answer.header, nil, k.writes)
	}
	if into == nil {
		return nil
	}
	body, err := io.ReadAll(answer.body)
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	switch {
	case err == nil:
		return nil
	case k.writes:
		return fmt.Errorf("%w: the answer: %w", backends.ErrUnknown, err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return incomplete("the answer: %v", err)
}

func fields() url.Values { return url.Values{"fields": {itemFields}} }

// whoami returns the account that the credentials belong to. It asks once: a mount
// waits for it.
func (c *client) whoami(ctx context.Context) (user, error) {
	var me user
	err := c.do(ctx, call{
		method: http.MethodGet, url: c.hosts.api + "/users/me", query: url.Values{"fields": {"id,enterprise"}},
	}, &me)
	if err == nil && me.ID == "" {
		err = incomplete("the account has no id")
	}
	return me, err
}

// info returns a file.
func (c *client) info(ctx context.Context, id string) (item, error) {
	var file item
	err := c.read(ctx, call{
		method: http.MethodGet, url: c.hosts.api + "/files/" + url.PathEscape(id), query: fields(),
	}, &file)
	switch {
	case err != nil:
	case file.Status != "" && file.Status != statusActive:
		err = fmt.Errorf("file %s is %s: %w", id, file.Status, backends.ErrNotFound)
	default:
		err = checkFile(file)
	}
	return file, err
}

// checkFile demands what everything else relies on.
func checkFile(file item) error {
	if file.ID == "" || file.Type != typeFile || file.FileVersion == nil || file.FileVersion.ID == "" || file.SHA1 == "" {
		return incomplete("a file without id, version or checksum")
	}
	return nil
}

// errListing: the listing has to be begun anew.
var errListing = errors.New("the listing broke off")

// list returns everything in a folder, once. Its pages are repeated by
// themselves; all of it is when one of them does not fit the others.
func (c *client) list(ctx context.Context, folder string) ([]item, error) {
	for attempt := 1; ; attempt++ {
		found, err := c.listOnce(ctx, folder)
		if !errors.Is(err, errListing) || attempt >= c.attempts {
			return found, err
		}
	}
}

func (c *client) listOnce(ctx context.Context, folder string) ([]item, error) {
	const limit = "1000"
	query := fields()
	query.Set("usemarker", "true")
	query.Set("limit", limit)
	found := []item{}
	seen, markers := map[text]bool{}, map[text]bool{}
	for {
		var next page
		err := c.read(ctx, call{
			method: http.MethodGet, url: c.hosts.api + "/folders/" + url.PathEscape(folder) + "/items", query: query,
		}, &next)
		var failed *apiError
		if errors.As(err, &failed) && failed.status == http.StatusBadRequest && len(markers) > 0 {
			return nil, fmt.Errorf("%w: %w: %w", backends.ErrUnavailable, errListing, err) // a marker that is no good any more
		}
		if err == nil && next.Entries == nil {
			err = fmt.Errorf("%w: %w", errListing, incomplete("the answer is no listing"))
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range *next.Entries {
			if !seen[entry.ID] {
				seen[entry.ID] = true
				found = append(found, entry)
			}
		}
		if next.NextMarker == "" {
			return found, nil
		}
		if markers[next.NextMarker] {
			return nil, fmt.Errorf("%w: %w", errListing, incomplete("it goes in a circle"))
		}
		markers[next.NextMarker] = true
		query.Set("marker", string(next.NextMarker))
	}
}

// createFolder makes a folder. One that is there already is an ErrExists, and
// conflictOf names it.
func (c *client) createFolder(ctx context.Context, parent, name string) (item, error) {
	var folder item
	err := c.do(ctx, call{
		method: http.MethodPost, url: c.hosts.api + "/folders", query: fields(),
		json: newFolder{Name: name, Parent: reference{ID: parent}}, writes: true,
	}, &folder)
	if err == nil && folder.ID == "" {
		err = fmt.Errorf("%w: the new folder has no id", backends.ErrUnknown)
	}
	return folder, err
}

// occupant returns what has a name in a folder; nil: nothing.
func (c *client) occupant(ctx context.Context, folder, name string) (*item, error) {
	err := c.read(ctx, call{
		method: http.MethodOptions, url: c.hosts.api + "/files/content",
		json: attributes{Name: name, Parent: &reference{ID: folder}},
	}, nil)
	if found := conflictOf(err); errors.Is(err, backends.ErrExists) && found != nil {
		return found, nil
	}
	if err == nil {
		return nil, nil //nolint:nilnil // nothing is there, and that is no error
	}
	if !errors.Is(err, backends.ErrAuth) && !errors.Is(err, backends.ErrExists) && !errors.Is(err, backends.ErrRefused) {
		return nil, err
	}
	// Those who may only read may not ask so.
	entries, err := c.list(ctx, folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if entry.Name == name {
			return &entry, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

// rename gives a file or folder another name.
func (c *client) rename(ctx context.Context, kind, id, name string) (item, error) {
	var renamed item
	err := c.do(ctx, call{
		method: http.MethodPut, url: c.hosts.api + "/" + kind + "s/" + url.PathEscape(id), query: fields(),
		json: attributes{Name: name}, writes: true,
	}, &renamed)
	return renamed, err
}

// remove deletes a file (etag: only at that one) or an empty folder.
func (c *client) remove(ctx context.Context, kind, id, etag string) error {
	k := call{method: http.MethodDelete, url: c.hosts.api + "/" + kind + "s/" + url.PathEscape(id), writes: true}
	if kind == typeFolder {
		k.query = url.Values{"recursive": {"false"}}
	}
	if etag != "" {
		k.header = map[string]string{"If-Match": etag}
	}
	return c.do(ctx, k, nil)
}

// folder returns a folder.
func (c *client) folder(ctx context.Context, id string) (item, error) {
	var folder item
	err := c.read(ctx, call{
		method: http.MethodGet, url: c.hosts.api + "/folders/" + url.PathEscape(id), query: fields(),
	}, &folder)
	return folder, err
}
