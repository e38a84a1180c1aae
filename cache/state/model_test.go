package state_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/cache/state"
)

// Any sequence of transactions, closes and crashes leaves what a map would have.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir := memory(t)
		defer func() { _ = os.RemoveAll(dir) }() // there are many; memory does it at the end
		model := map[state.Key]int{}
		clean := true
		for range rapid.IntRange(1, 4).Draw(r, "sessions") {
			db, report, err := state.Open(state.Options{Dir: dir})
			if err != nil {
				r.Fatal(err)
			}
			defer func() { _ = db.Close() }() // r.Fatal may leave it open
			if report.Clean != clean || report.Damaged || report.Incomplete {
				r.Fatalf("opened (clean: %v): %+v", clean, report)
			}
			for range rapid.IntRange(0, 8).Draw(r, "updates") {
				model = update(r, db, model)
				if got := everything(r, db); !maps.Equal(got, model) {
					r.Fatalf("have %v, want %v", got, model)
				}
			}
			if clean = rapid.Bool().Draw(r, "clean"); !clean {
				before := dir
				dir = crash(t, dir)
				defer func() { _ = os.RemoveAll(before) }()
			}
			if err := db.Close(); err != nil {
				r.Fatal(err)
			}
		}
		db, _, err := state.Open(state.Options{Dir: dir})
		if err != nil {
			r.Fatal(err)
		}
		if got := everything(r, db); !maps.Equal(got, model) {
			r.Errorf("at the end have %v, want %v", got, model)
		}
		if err := db.Close(); err != nil {
			r.Error(err)
		}
	})
}

// keys are few, so that they meet, and some are prefixes of others.
func drawKey(r *rapid.T) state.Key {
	return state.Key{
		Kind: rapid.SampledFrom([]string{"a", "b"}).Draw(r, "kind"),
		ID:   rapid.StringOfN(rapid.RuneFrom([]rune("/xÿ")), 0, 3, -1).Draw(r, "id"),
	}
}

// update runs one transaction of random writes, which may fail at its end, and
// answers what must be there afterwards.
func update(r *rapid.T, db *state.DB, model map[state.Key]int) map[state.Key]int {
	boom := errors.New("boom")
	fails := rapid.IntRange(0, 4).Draw(r, "fails") == 0
	after := maps.Clone(model)
	err := db.Update(rapid.SampledFrom([]state.Level{state.Normal, state.Full}).Draw(r, "level"), func(tx *state.Tx) error {
		for range rapid.IntRange(0, 5).Draw(r, "writes") {
			key := drawKey(r)
			var err error
			switch rapid.SampledFrom([]string{"put", "put", "delete", "prefix"}).Draw(r, "write") {
			case "put":
				after[key] = rapid.Int().Draw(r, "body")
				err = tx.Put(key.Kind, key.ID, after[key])
			case "delete":
				delete(after, key)
				err = tx.Delete(key.Kind, key.ID)
			case "prefix":
				maps.DeleteFunc(after, func(k state.Key, _ int) bool {
					return k.Kind == key.Kind && strings.HasPrefix(k.ID, key.ID)
				})
				err = tx.DeletePrefix(key.Kind, key.ID)
			}
			if err != nil {
				return err
			}
			var got int // a transaction sees its own writes
			want, exists := after[key]
			if found, err := tx.Get(key.Kind, key.ID, &got); err != nil || found != exists || got != want {
				return fmt.Errorf("%v is %d, %v, %w; want %d, %v", key, got, found, err, want, exists)
			}
		}
		if fails {
			return boom
		}
		return nil
	})
	switch {
	case fails && errors.Is(err, boom):
		return model
	case err != nil || fails:
		r.Fatal(err)
	}
	return after
}

// everything is what Each gives, of both kinds.
func everything(r *rapid.T, db *state.DB) map[state.Key]int {
	all := map[state.Key]int{}
	err := db.View(func(tx *state.Tx) error {
		for _, kind := range []string{"a", "b"} {
			var order []string
			err := tx.Each(kind, "", func(id string, decode func(any) error) error {
				var body int
				if err := decode(&body); err != nil {
					return err
				}
				all[state.Key{Kind: kind, ID: id}] = body
				order = append(order, id)
				return nil
			})
			if err != nil || !slices.IsSorted(order) {
				return fmt.Errorf("order of %q: %w", order, err)
			}
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	return all
}
