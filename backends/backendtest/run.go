package backendtest

import (
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// Harness says how to test one backend.
type Harness struct {
	// New opens a store without projects (but see Project). The kit closes it.
	New func(t *testing.T) Store
	// Project is the one project of a store that has no others and can't create
	// any. Empty: the store has projects.
	Project string
	// Skip names rules that this store can't keep, each with the reason.
	Skip map[string]string
	// BigTable is how many rows a big table has; 0: 20000.
	BigTable int
}

// Store is an open store under test.
type Store struct {
	backends.Opened
	// Inject makes the next call with that verb meet a fault. Nil: this store
	// can't be made to fail.
	Inject func(t *testing.T, verb Verb, fault Fault)
	// PutRow gives a row of a row store exactly these cells by another way than
	// the backend, with missing ones, empty ones and columns that are new. Nil:
	// there is no other way.
	PutRow func(t *testing.T, ref backends.Ref, id string, cells map[string]backends.Cell)
}

// Verb is a method of backends.Backend.
type Verb string

// The verbs.
const (
	List   Verb = "list"
	Create Verb = "create"
	Delete Verb = "delete"
	Load   Verb = "load"
	Apply  Verb = "apply"
)

// Fault is a way to fail.
type Fault uint8

// The faults.
const (
	// Lost: the connection breaks before the store has seen the request.
	Lost Fault = iota + 1
	// AnswerLost: the store has done it, the connection breaks before it says so.
	AnswerLost
	// Overloaded: the store says that it has no time (503), and did nothing.
	Overloaded
	// Unauthorised: the store does not know the credentials (401).
	Unauthorised
	// Cut: the connection breaks in the middle of the answer.
	Cut
	// Silent: the store takes the request and does not answer.
	Silent
)

// rule is one demand of the contract.
type rule struct {
	name  string
	check func(t *testing.T, s *suite)
	// needs says whether the rule applies to the store; nil: to all.
	needs func(s *suite) bool
}

// Run checks every rule on a store of its own.
func Run(t *testing.T, h Harness) {
	t.Helper()
	const bigTable = 20_000
	if h.BigTable == 0 {
		h.BigTable = bigTable
	}
	known := map[string]bool{}
	for _, group := range [][]rule{
		projectRules(), tableRules(), loadRules(), cellRules(), applyRules(), rowRules(),
		columnRules(), documentRules(), cancelRules(), concurrencyRules(), failureRules(), abilityRules(),
	} {
		for _, r := range group {
			known[r.name] = true
			t.Run(r.name, func(t *testing.T) {
				if reason := h.Skip[r.name]; reason != "" {
					t.Skip(reason)
				}
				s := newSuite(t, h)
				if r.needs != nil && !r.needs(s) {
					t.Skip("does not apply to this store")
				}
				r.check(t, s)
			})
		}
	}
	for name, reason := range h.Skip {
		if !known[name] || reason == "" {
			t.Errorf("Skip[%q] = %q: there must be such a rule and a reason", name, reason)
		}
	}
}
