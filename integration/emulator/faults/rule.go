package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
)

// Action is what a fault does to a request.
type Action string

// The actions.
const (
	// Status answers Rule.Status; the service never sees the request.
	Status Action = "status"
	// Drop closes the connection without an answer; the service never sees the
	// request.
	Drop Action = "drop"
	// Stall lets the request wait for Rule.Delay, after which it goes on as if
	// nothing had been, or until the rules are deleted; without a delay, until the
	// client gives up. A request whose client has gone by then never reaches the
	// service.
	Stall Action = "stall"
	// ApplyThenDrop lets the service do its work and closes the connection
	// instead of answering.
	ApplyThenDrop Action = "apply_then_drop"
	// ApplyThenStatus lets the service do its work and answers Rule.Status.
	ApplyThenStatus Action = "apply_then_status"
	// ApplyThenCut lets the service do its work, sends the first half of its
	// answer and closes the connection.
	ApplyThenCut Action = "apply_then_cut"
	// Reset reads half of the request's body and closes the connection; the
	// service never sees the request.
	Reset Action = "reset"
	// Trickle lets the service do its work and sends its answer byte by byte, one
	// each Rule.Delay.
	Trickle Action = "trickle"
)

var actions = []Action{Status, Drop, Stall, ApplyThenDrop, ApplyThenStatus, ApplyThenCut, Reset, Trickle}

// Rule says which requests meet which fault.
type Rule struct {
	// Method that is meant; empty: any.
	Method string `json:"method"`
	// Path is a regular expression that is looked for in the escaped path, or in
	// the path with "?" and the query; empty: any.
	Path string `json:"path"`
	// Skip is how many matching requests pass before the first fault.
	Skip int `json:"skip"`
	// Times is how many faults there are then; 0: until the rules are deleted.
	Times  int    `json:"times"`
	Action Action `json:"action"`
	// Status of the answer; 0: 503.
	Status int `json:"status"`
	// Body of the answer instead of the service's own words, for Status and
	// ApplyThenStatus: the HTML of a gateway, or nothing.
	Body *string `json:"body"`
	// RetryAfter is the value of that header; empty: no header.
	RetryAfter string `json:"retry_after"`
	// Delay before the fault happens (before the service's work, too).
	Delay Duration `json:"delay"`
}

// Duration is a time.Duration as JSON text, "1.5s".
type Duration time.Duration

// MarshalJSON implements json.Marshaler.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("a duration is a text like \"1.5s\": %w", err)
	}
	if text == "" {
		*d = 0
		return nil
	}
	parsed, err := time.ParseDuration(text)
	*d = Duration(parsed)
	return err
}

// rules are the rules that are in force.
type rules struct {
	mu      sync.Mutex
	list    []*activeRule
	deleted chan struct{} // closed when the rules are deleted; nil: nobody waits for it
}

type activeRule struct {
	Rule
	path *regexp.Regexp
	seen int // matching requests so far
}

// add puts rules behind those there are. If one is no good, none is added.
func (r *rules) add(added []Rule) error {
	var active []*activeRule
	for i, rule := range added {
		if !slices.Contains(actions, rule.Action) {
			return fmt.Errorf("rule %d: action %q is none of %v", i, rule.Action, actions)
		}
		if rule.Skip < 0 || rule.Times < 0 || rule.Delay < 0 {
			return fmt.Errorf("rule %d: skip, times and delay can't be negative", i)
		}
		path, err := regexp.Compile(rule.Path)
		if err != nil {
			return fmt.Errorf("rule %d: path: %w", i, err)
		}
		if rule.Status == 0 {
			rule.Status = http.StatusServiceUnavailable
		}
		if rule.Status < 100 || rule.Status > 999 {
			return fmt.Errorf("rule %d: status %d is no HTTP status", i, rule.Status)
		}
		active = append(active, &activeRule{Rule: rule, path: path})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, active...)
	return nil
}

func (r *rules) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = nil
	if r.deleted != nil {
		close(r.deleted)
		r.deleted = nil
	}
}

// untilDeleted is closed when the rules are deleted.
func (r *rules) untilDeleted() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.deleted == nil {
		r.deleted = make(chan struct{})
	}
	return r.deleted
}

// match returns the fault that a request meets: that of the first rule which
// matches and is neither still skipping nor used up. Rules before that one
// count the request, those behind it don't.
func (r *rules) match(request *http.Request) (Rule, bool) {
	path := request.URL.EscapedPath()
	full := path
	if request.URL.RawQuery != "" {
		full += "?" + request.URL.RawQuery
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rule := range r.list {
		if rule.Method != "" && rule.Method != request.Method {
			continue
		}
		if !rule.path.MatchString(path) && !rule.path.MatchString(full) {
			continue
		}
		rule.seen++
		if rule.seen > rule.Skip && (rule.Times == 0 || rule.seen <= rule.Skip+rule.Times) {
			return rule.Rule, true
		}
	}
	return Rule{}, false
}
