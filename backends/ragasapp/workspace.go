package ragasapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"

	"github.com/ragasfs/ragasfs/backends"
)

// workspace makes sure that a new key opens the workspace that the old one did:
// the API says nothing of workspaces, and another one looks as if everything had
// been deleted. One project that was there has to be there still.
type workspace struct {
	checking sync.Mutex // one check at a time; guards the fields below
	key      string     // the last one that was accepted
	refused  string     // the last one that was not

	mu    sync.Mutex
	known map[string]bool // guarded by mu: ids of projects, as they were last listed
}

// listed notes all projects that there are.
func (w *workspace) listed(projects []wireProject) {
	known := map[string]bool{}
	for _, p := range projects {
		known[p.ID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.known = known
}

// made notes a new project.
func (w *workspace) made(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.known == nil {
		w.known = map[string]bool{}
	}
	w.known[id] = true
}

func (w *workspace) anyOf(projects []wireProject) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range projects {
		if w.known[p.ID] {
			return true
		}
	}
	return len(w.known) == 0
}

// admit answers ErrAuth for a new key that opens another workspace.
func (c *client) admit(ctx context.Context, key string) error {
	w := &c.workspace
	w.checking.Lock()
	defer w.checking.Unlock()
	if w.key == key || w.anyOf(nil) {
		w.key, w.refused = key, ""
		return nil
	}
	if w.refused != key {
		same, err := c.opensTheSame(ctx, key)
		if err != nil {
			return err
		}
		if same {
			w.key, w.refused = key, ""
			return nil
		}
		w.refused = key
	}
	return fmt.Errorf("the API key opens another workspace, in which none of the projects is that were there: %w (check %s)", backends.ErrAuth, c.keys.where())
}

// opensTheSame lists projects with a key until a known one is among them.
func (c *client) opensTheSame(ctx context.Context, key string) (bool, error) {
	for offset := 0; ; {
		r := request{method: http.MethodGet, path: projectsPath(), query: url.Values{
			"limit": {strconv.Itoa(surePage)}, "offset": {strconv.Itoa(offset)}, "order_by": {byCreation.by}, "sort_dir": {byCreation.dir},
		}}
		answer, err := c.exchange(ctx, r, key)
		if err != nil {
			return false, r.said(err)
		}
		data, err := answer.decode(false)
		if err != nil {
			return false, r.said(err)
		}
		var list listOf[wireProject]
		if err := json.Unmarshal(data, &list); err != nil {
			return false, r.said(fmt.Errorf("%w: %w", backends.ErrIncomplete, err))
		}
		if c.workspace.anyOf(list.Items) {
			return true, nil
		}
		offset += len(list.Items)
		if len(list.Items) == 0 || list.Pagination.Total != nil && offset >= *list.Pagination.Total {
			return false, nil
		}
	}
}
