package backendtest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

func concurrencyRules() []rule {
	return []rule{
		{name: "TablesChangeAtTheSameTime", check: tablesChangeAtTheSameTime},
		{name: "LoadsAndChangesAtTheSameTime", check: loadsAndChanges},
		{name: "OneOfManyWins", check: oneOfManyWins, needs: (*suite).swaps},
		{name: "OneOfManyCreates", check: oneOfManyCreates},
	}
}

func tablesChangeAtTheSameTime(t *testing.T, s *suite) {
	var wait sync.WaitGroup
	for n := range 4 {
		wait.Go(func() {
			entry, err := s.Backend.Create(t.Context(), s.creation(fmt.Sprint("t", n), content{header: columnNames}))
			if err != nil {
				t.Errorf("Create: %v", err)
				return
			}
			qa := &subject{suite: s, ref: entry.Ref, version: entry.Version, content: content{header: columnNames}}
			for i := range 10 {
				next := qa.content.with(row{id: fmt.Sprint("r", i), cells: []string{"a", "b", fmt.Sprint(n)}})
				result, err := s.Backend.Apply(t.Context(), qa.batch(next))
				if err != nil {
					t.Errorf("Apply: %v", err)
					return
				}
				qa.content, qa.version = next, result.Version
			}
			got, _, err := s.load(t.Context(), qa.ref)
			if want := s.canonical(qa.content); err != nil || got != want {
				t.Errorf("Load: %v, %s", err, difference(got, want))
			}
		})
	}
	wait.Wait()
}

// loadsAndChanges: every load is one of the contents that there were.
func loadsAndChanges(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(300))
	const steps = 20
	contents := []content{qa.content}
	for i := range steps {
		last := contents[len(contents)-1]
		contents = append(contents, last.set(i, "answer", "new").set(299-i, "answer", "new"))
	}
	allowed := map[string]bool{}
	for _, c := range contents {
		allowed[s.canonical(c)] = true
	}
	var wait sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wait.Go(func() {
			for {
				got, _, err := s.load(t.Context(), qa.ref)
				if err == nil && !allowed[got] {
					t.Error("a load is none of the contents that there were")
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for _, next := range contents[1:] {
		qa.change(t, next)
	}
	close(done)
	wait.Wait()
	qa.check(t)
}

// oneOfManyWins: of several changes of one version one is made, the others are
// conflicts.
func oneOfManyWins(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(10))
	const rivals = 4
	errs := make([]error, rivals)
	var wait sync.WaitGroup
	for n := range rivals {
		batch := qa.batch(qa.content.set(n, "answer", fmt.Sprint("rival ", n)))
		wait.Go(func() { _, errs[n] = s.Backend.Apply(t.Context(), batch) })
	}
	wait.Wait()
	winners := 0
	for n, err := range errs {
		if err == nil {
			winners++
			qa.content = qa.content.set(n, "answer", fmt.Sprint("rival ", n))
			continue
		}
		demandError(t, "a rival", err, backends.ErrConflict)
	}
	if winners != 1 {
		t.Errorf("%d of %d rivals won, want 1", winners, rivals)
	}
	qa.version = s.entryOf(t, qa.ref).Version
	qa.check(t)
}

func oneOfManyCreates(t *testing.T, s *suite) {
	const rivals = 4
	errs := make([]error, rivals)
	var wait sync.WaitGroup
	for n := range rivals {
		request := s.creation("qa", content{header: columnNames})
		wait.Go(func() { _, errs[n] = s.Backend.Create(t.Context(), request) })
	}
	wait.Wait()
	winners := 0
	for _, err := range errs {
		if err == nil {
			winners++
			continue
		}
		demandError(t, "a rival", err, backends.ErrExists)
	}
	if winners != 1 {
		t.Errorf("%d of %d rivals created the table, want 1", winners, rivals)
	}
	demandNames(t, s.names(t, s.project), "datasets/qa")
}
