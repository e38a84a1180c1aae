package backendtest

import (
	"errors"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// failureRules run where the harness can make a store fail.
func failureRules() []rule {
	rules := []rule{
		{name: "FailedListIsNotEmpty", check: failedListIsNotEmpty},
		{name: "FailedLoadIsNotEmpty", check: failedLoadIsNotEmpty},
		{name: "LostAnswerToApplyIsUnknown", check: lostAnswerToApply},
		{name: "FailedApplyDoesNotClaim", check: failedApplyDoesNotClaim},
		{name: "LostAnswerToCreateIsUnknown", check: lostAnswerToCreate},
		{name: "LostAnswerToDeleteIsUnknown", check: lostAnswerToDelete},
		{name: "BadCredentialsAreSaid", check: badCredentialsAreSaid},
		{name: "OverloadSaysWhenToComeBack", check: overloadSaysWhen},
	}
	for i := range rules {
		rules[i].needs = (*suite).injects
	}
	return rules
}

func failedListIsNotEmpty(t *testing.T, s *suite) {
	s.table(t, "qa", sample(1))
	for _, scope := range []backends.Ref{{}, s.project} {
		for _, fault := range []Fault{Lost, AnswerLost, Overloaded, Unauthorised, Cut} {
			s.Inject(t, List, fault)
			entries, err := s.Backend.List(t.Context(), scope)
			if err == nil {
				// A read may be repeated; then the answer is whole.
				if len(entries) != 1 {
					t.Errorf("List %s with fault %d: %d entries, want 1 or an error", scope, fault, len(entries))
				}
				s.settle(t)
				continue
			}
			if errors.Is(err, backends.ErrNotFound) {
				t.Errorf("List %s with fault %d says that it is not there: %v", scope, fault, err)
			}
		}
	}
	demandNames(t, s.names(t, s.project), "datasets/qa")
}

// settle makes the call that meets a fault which a repeated read has not used up.
func (s *suite) settle(t *testing.T) {
	t.Helper()
	for range 3 {
		if _, err := s.Backend.List(t.Context(), s.project); err == nil {
			return
		}
	}
}

func failedLoadIsNotEmpty(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(300))
	for _, fault := range []Fault{Lost, AnswerLost, Overloaded, Unauthorised, Cut} {
		s.Inject(t, Load, fault)
		got, _, err := s.load(t.Context(), qa.ref)
		if err == nil && got != s.canonical(qa.content) {
			t.Errorf("Load with fault %d: %s", fault, difference(got, s.canonical(qa.content)))
		}
		if errors.Is(err, backends.ErrNotFound) {
			t.Errorf("Load with fault %d says that the table is not there: %v", fault, err)
		}
	}
	qa.check(t)
}

// lostAnswerToApply: it is not known whether it was done; sent again, it is
// done once.
func lostAnswerToApply(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	next := qa.content.set(1, "answer", "new").without(2).with(row{id: "added", cells: []string{"a", "b", "c"}})
	batch := qa.batch(next)
	s.Inject(t, Apply, AnswerLost)
	result, err := s.Backend.Apply(t.Context(), batch)
	demandError(t, "a lost answer", err, backends.ErrUnknown)
	demandUnknown(t, batch, result)
	again, err := s.Backend.Apply(t.Context(), batch)
	if s.swaps() {
		demandError(t, "the same batch again", err, backends.ErrConflict)
	} else if err != nil {
		t.Errorf("the same batch again: %v", err)
	} else {
		demandApplied(t, batch, again)
	}
	qa.content, qa.version = next, s.entryOf(t, qa.ref).Version
	qa.check(t)
}

// failedApplyDoesNotClaim: what did not reach the store may be called unknown
// or failed, never done.
func failedApplyDoesNotClaim(t *testing.T, s *suite) {
	for _, fault := range []Fault{Lost, Overloaded, Unauthorised} {
		qa := s.table(t, "qa"+string('0'+rune(fault)), sample(3))
		batch := qa.batch(qa.content.without(1))
		s.Inject(t, Apply, fault)
		result, err := s.Backend.Apply(t.Context(), batch)
		switch {
		case err == nil:
			t.Errorf("Apply with fault %d succeeded", fault)
		case errors.Is(err, backends.ErrUnknown):
			demandUnknown(t, batch, result)
		case len(result.Outcomes) > 0:
			t.Errorf("Apply with fault %d: error %v, and yet outcomes %v", fault, err, result.Outcomes)
		}
		qa.check(t)
	}
}

func lostAnswerToCreate(t *testing.T, s *suite) {
	request := s.creation("qa", content{header: columnNames})
	s.Inject(t, Create, AnswerLost)
	_, err := s.Backend.Create(t.Context(), request)
	demandError(t, "a lost answer", err, backends.ErrUnknown)
	entry, there := s.find(t, request.Ref)
	if !there {
		t.Fatal("the table was made, and is not listed")
	}
	if entry.Nonce != "" && entry.Nonce != request.Nonce {
		t.Errorf("the nonce is %q, want %q", entry.Nonce, request.Nonce)
	}
}

func lostAnswerToDelete(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	s.Inject(t, Delete, AnswerLost)
	demandError(t, "a lost answer", s.Backend.Delete(t.Context(), qa.ref, qa.version), backends.ErrUnknown)
	if err := s.Backend.Delete(t.Context(), qa.ref, qa.version); err != nil {
		t.Errorf("the same delete again: %v", err)
	}
	demandNames(t, s.names(t, s.project))
}

func badCredentialsAreSaid(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	s.Inject(t, List, Unauthorised)
	_, err := s.Backend.List(t.Context(), s.project)
	demandError(t, "List", err, backends.ErrAuth)
	s.Inject(t, Apply, Unauthorised)
	_, err = s.Backend.Apply(t.Context(), qa.batch(qa.content.without(0)))
	demandError(t, "Apply", err, backends.ErrAuth)
	qa.check(t)
}

// overloadSaysWhen: the harness's store answers with a Retry-After.
func overloadSaysWhen(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	s.Inject(t, Apply, Overloaded)
	_, err := s.Backend.Apply(t.Context(), qa.batch(qa.content.without(0)))
	var retry *backends.RetryAfter
	if !errors.As(err, &retry) || retry.Wait <= 0 {
		t.Errorf("error %v does not say when to come back", err)
	}
	qa.check(t)
}
