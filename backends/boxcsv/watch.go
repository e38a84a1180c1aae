package boxcsv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// eventRestored is the type of an event that brings something out of the trash.
const eventRestored = "ITEM_UNDELETE_VIA_TRASH"

// mostSeen is how many ids of events are remembered: they come more than once.
const mostSeen = 2000

// Watch implements backends.Watcher by the event stream: one call waits until
// something happens. Not everything that is deleted for good is told there, so
// everything is reported once in a while, too.
func (b *Backend) Watch(ctx context.Context, changed func(backends.Ref)) error {
	w := &watcher{b: b, changed: changed, seen: map[string]bool{}, relist: time.Now().Add(b.options.Relist)}
	err := w.run(ctx)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // that it ends is what was asked for
	}
	return fmt.Errorf("watch Box: %w", err)
}

type watcher struct {
	b        *Backend
	changed  func(backends.Ref)
	position text
	seen     map[string]bool
	relist   time.Time
	read     time.Time // when the stream was last read
	waiting  waitingRoom
}

// waitingRoom is where Box says that there is something new.
type waitingRoom struct {
	address  string
	patience time.Duration // longest silence
	left     int           // how often it may be entered before another has to be asked for
}

func (w *watcher) run(ctx context.Context) error {
	first, err := w.page(ctx, "now")
	if err != nil {
		return err
	}
	w.position = first.Next
	w.changed(backends.Ref{}) // what happened before
	for {
		if time.Now().After(w.relist) {
			w.relist = time.Now().Add(w.b.options.Relist)
			w.changed(backends.Ref{})
		}
		look, err := w.wait(ctx)
		if err == nil && look {
			err = w.drain(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// page reads one page of the stream.
func (w *watcher) page(ctx context.Context, position text) (events, error) {
	var got events
	err := w.b.client.read(ctx, call{
		method: http.MethodGet, url: w.b.client.hosts.api + "/events",
		query: url.Values{"stream_type": {"changes"}, "stream_position": {string(position)}, "limit": {"500"}},
	}, &got)
	var failed *apiError
	if errors.As(err, &failed) && failed.status == http.StatusForbidden {
		// These credentials are good for files, not for events.
		err = fmt.Errorf("%w: %w", backends.ErrUnsupported, errors.New(failed.Error()))
	}
	if err == nil && got.Next == "" {
		err = incomplete("the event stream has no position")
	}
	if err == nil {
		w.read = time.Now()
	}
	return got, err
}

// drain reads and reports what is new. A position that Box does not know any
// more means that anything may have happened.
func (w *watcher) drain(ctx context.Context) error {
	for {
		got, err := w.page(ctx, w.position)
		if errors.Is(err, backends.ErrRefused) || errors.Is(err, backends.ErrNotFound) {
			w.changed(backends.Ref{})
			if got, err = w.page(ctx, "now"); err == nil {
				w.position = got.Next
			}
			return err
		}
		if err != nil {
			return err
		}
		isNew := false
		for _, e := range got.Entries {
			if e.ID != "" && w.seen[e.ID] {
				continue
			}
			if len(w.seen) >= mostSeen {
				clear(w.seen)
			}
			w.seen[e.ID], isNew = true, true
			if e.Source != nil {
				w.b.tree.settled(ctx, string(e.Source.ID))
				w.b.tree.settled(ctx, e.Source.parentID())
			}
			if e.Type == eventRestored && e.Source != nil {
				w.b.tree.restored(string(e.Source.ID))
			}
			if ref, interesting := w.b.refOf(e); interesting {
				w.changed(ref)
			}
		}
		moved := got.Next != w.position
		w.position = got.Next
		if !isNew || !moved {
			return nil
		}
	}
}

// enter asks where to wait, unless that is known.
func (w *watcher) enter(ctx context.Context) error {
	if w.waiting.left > 0 {
		w.waiting.left--
		return nil
	}
	var where realtime
	c := w.b.client
	if err := c.read(ctx, call{method: http.MethodOptions, url: c.hosts.api + "/events"}, &where); err != nil {
		return err
	}
	if len(where.Entries) == 0 || where.Entries[0].URL == "" {
		return incomplete("Box does not say where to wait for events")
	}
	const longest = 610 * time.Second
	w.waiting = waitingRoom{address: where.Entries[0].URL, patience: longest, left: int(max(where.Entries[0].MaxRetries, 0))}
	if given := time.Duration(where.Entries[0].RetryTimeout) * time.Second; given > 0 && given < longest {
		w.waiting.patience = given
	}
	return nil
}

// wait returns when Box says so, or after a while. look: there may be something
// new.
func (w *watcher) wait(ctx context.Context) (look bool, err error) {
	if err := w.enter(ctx); err != nil {
		return false, err
	}
	c := w.b.client
	address, err := url.Parse(w.waiting.address)
	if err != nil {
		return false, incomplete("the address for events is none")
	}
	query := address.Query()
	query.Set("stream_position", string(w.position))
	address.RawQuery = query.Encode()
	margin := min(w.waiting.patience/4, 10*time.Second) //nolint:mnd // Box ends the wait itself; this is for the way
	answer, err := c.send(ctx, call{
		method: http.MethodGet, url: address.String(), foreign: true, patience: w.waiting.patience + margin,
	}, "")
	if err != nil {
		return true, w.brokeOff(ctx)
	}
	defer answer.close()
	const most = 1 << 16
	body, err := io.ReadAll(io.LimitReader(answer.body, most))
	var message struct {
		Message string `json:"message"`
	}
	if err != nil || json.Unmarshal(body, &message) != nil || message.Message == "" {
		return true, w.brokeOff(ctx)
	}
	// Whoever is told to come again has missed nothing, as the position was told.
	// That is not documented: once in a while the stream is read all the same.
	return message.Message != "reconnect" || time.Since(w.read) >= w.waiting.patience, ctx.Err()
}

// brokeOff: a wait that broke off is nothing but a reason to look, not too often,
// and to ask where to wait.
func (w *watcher) brokeOff(ctx context.Context) error {
	w.waiting.left = 0
	return sleep(ctx, w.b.client.pause(w.b.client.attempts))
}

// refOf says what an event is about: a table, a project, or anything. What
// happens elsewhere in Box is about nothing, and so is what was done here.
func (b *Backend) refOf(e event) (backends.Ref, bool) {
	source := e.Source
	if source == nil || source.ID == "" {
		return backends.Ref{}, false
	}
	id := string(source.ID)
	if source.Type == typeFolder {
		return b.refOfFolder(id, source)
	}
	if source.Type != typeFile {
		return backends.Ref{}, false
	}
	known, isKnown := b.tree.file(id)
	if isKnown && source.SequenceID != "" && known.SequenceID == source.SequenceID && known.SHA1 == source.SHA1 &&
		known.Name == source.Name && source.Status != "trashed" {
		return backends.Ref{}, false
	}
	where, inside := b.tree.placeOf(source.parentID())
	if !inside && isKnown { // moved away, or an event without a parent
		where, inside = b.tree.placeOf(known.parentID())
	}
	if !inside {
		return backends.Ref{}, false
	}
	project, found := b.tree.projectName(where.project)
	if !found {
		return backends.Ref{}, true
	}
	ref := backends.Ref{Project: project, ProjectID: where.project, Kind: where.kind}
	name, isTable := csvstore.TableName(source.Name)
	inPlace := isKnown && known.Name == source.Name && known.parentID() == source.parentID() && source.Status != "trashed"
	if isTable && inPlace {
		ref.Name, ref.ID = name, id
		b.tree.forgetFile(id) // its etag is old
		return ref, true
	}
	if !isTable && !isKnown {
		return backends.Ref{}, false
	}
	// New, renamed, moved or gone: the project is listed.
	return backends.Ref{Project: project, ProjectID: where.project}, true
}

func (b *Backend) refOfFolder(id string, source *item) (backends.Ref, bool) {
	if where, isKind := b.tree.placeOf(id); isKind {
		id = where.project
	}
	if name, isProject := b.tree.projectName(id); isProject && source.Name == name && source.Status != "trashed" {
		return backends.Ref{}, false // nothing about it has changed but its time
	}
	if name, isProject := b.tree.projectName(source.parentID()); isProject {
		return backends.Ref{Project: name, ProjectID: source.parentID()}, true
	}
	_, isProject := b.tree.projectName(id)
	return backends.Ref{}, isProject || source.parentID() == b.options.RootFolderID
}
