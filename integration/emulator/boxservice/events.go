package boxservice

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// firstPosition is where the stream of events begins: beyond what a float64
// holds exactly, as at Box.
const firstPosition = 1<<53 + 1

// event is one change as the stream tells it.
type event struct {
	id, kind string
	source   map[string]any
	created  time.Time
}

// record adds an event and wakes those who wait.
func (s *store) record(kind string, i *item) {
	s.events = append(s.events, event{
		id: fmt.Sprintf("event-%d", len(s.events)+1), kind: kind, source: s.source(i), created: s.clock(),
	})
	s.signal()
}

// signal wakes those who wait for events, or for time to pass.
func (s *store) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// source is the item as it was at the event. All its times are set.
func (s *store) source(i *item) map[string]any {
	m := mini(i)
	m["size"], m["item_status"], m["parent"] = s.size(i), "active", nil
	if parent := s.items[i.parent]; parent != nil && i.id != "0" {
		m["parent"] = mini(parent)
	}
	if i.trashed {
		m["item_status"] = "trashed"
	}
	m["created_at"], m["modified_at"] = stamp(i.created), stamp(i.modified)
	m["content_created_at"], m["content_modified_at"] = stamp(i.created), stamp(i.contentModified)
	return m
}

// getEvents answers GET /events.
func (s *Service) getEvents(w http.ResponseWriter, r *http.Request) *failure {
	query := r.URL.Query()
	const most = 500
	limit := most
	if n, err := strconv.Atoi(query.Get("limit")); err == nil && n > 0 && n < most {
		limit = n
	}
	end := int64(firstPosition + len(s.store.events))
	from := int64(firstPosition)
	switch position := query.Get("stream_position"); position {
	case "now":
		from = end
	case "", "0":
	default:
		n, err := strconv.ParseInt(position, 10, 64)
		if take(&s.knobs.LostPosition) || err != nil || n < firstPosition || n > end {
			return badRequest("stream_position is not valid")
		}
		from = n
	}
	entries := []any{}
	for at := from; at < end && len(entries) < limit; at++ {
		entries = append(entries, s.eventShape(s.store.events[at-firstPosition]))
	}
	next := from + int64(len(entries))
	if s.knobs.DuplicateEvents && len(entries) > 0 && len(entries) < limit {
		entries = append([]any{entries[len(entries)-1]}, entries...) // twice, and out of order
	}
	if s.knobs.EmptySources {
		about := event{id: fmt.Sprintf("nothing-%d", next), kind: "ITEM_SYNC", created: s.store.clock()}
		entries = append([]any{s.eventShape(about)}, entries...)
	}
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"chunk_size": len(entries), "next_stream_position": json.Number(strconv.FormatInt(next, 10)), "entries": entries,
	})
	return nil
}

func (s *Service) eventShape(e event) map[string]any {
	return map[string]any{
		"type": "event", "event_id": e.id, "event_type": e.kind, "created_at": stamp(e.created),
		"recorded_at": stamp(e.created), "created_by": s.user(), "session_id": nil, "source": e.source,
	}
}

// optionsEvents answers OPTIONS /events: where to wait.
func (s *Service) optionsEvents(w http.ResponseWriter, r *http.Request) *failure {
	faults.WriteJSON(w, http.StatusOK, map[string]any{
		"chunk_size": 1,
		"entries": []any{map[string]any{
			"type": "realtime_server", "url": baseURL(r) + "/subscribe?channel=c0ffee&stream_type=changes",
			"ttl": "10", "max_retries": "10", "retry_timeout": int(max(s.options.LongPoll*6/5, time.Second).Seconds()), //nolint:mnd // as Box: later than the server's own end
		}},
	})
	return nil
}

// subscribe waits until there is an event behind stream_position, or the time of
// a wait is over by the service's clock. It wants no token, and the store not
// locked.
func (s *Service) subscribe(w http.ResponseWriter, r *http.Request) {
	position, err := strconv.ParseInt(r.URL.Query().Get("stream_position"), 10, 64)
	s.store.mu.Lock()
	until := s.store.exactClock().Add(s.options.LongPoll)
	if err != nil { // no position was told: what comes counts
		position = int64(firstPosition + len(s.store.events))
	}
	s.store.waiting++
	s.store.mu.Unlock()
	defer func() {
		s.store.mu.Lock()
		defer s.store.mu.Unlock()
		s.store.waiting--
	}()
	for {
		s.store.mu.Lock()
		end, changed := int64(firstPosition+len(s.store.events)), s.store.changed
		left := until.Sub(s.store.exactClock())
		s.store.mu.Unlock()
		switch {
		case position < end:
			faults.WriteJSON(w, http.StatusOK, map[string]any{"message": "new_change"})
			return
		case left <= 0:
			faults.WriteJSON(w, http.StatusOK, map[string]any{"message": "reconnect"})
			return
		}
		if !waitFor(r, changed, left) {
			return
		}
	}
}

// waitFor waits for a signal, no longer than most, and reports whether the client
// is still there.
func waitFor(r *http.Request, signal <-chan struct{}, most time.Duration) bool {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-signal:
	case <-timer.C:
	case <-r.Context().Done():
		return false
	}
	return true
}
