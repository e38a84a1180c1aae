package cache

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// A store is the same if one known project is listed. A list of others is not
// believed: for a minute if nothing is pending, else until somebody decides.
func TestRecognition(t *testing.T) {
	listed := func(id string) []backends.Entry {
		return []backends.Entry{{Ref: backends.Ref{Project: "x", ProjectID: id}}}
	}
	for name, test := range map[string]struct {
		pending       bool
		first, second []backends.Entry
		strange       bool  // after the first list
		believed      error // the second list, a minute later
	}{
		"the same":                          {first: listed("1"), second: listed("9")},
		"it comes back":                     {first: nil, second: listed("1"), strange: true},
		"another, nothing pending":          {first: listed("9"), second: listed("9"), strange: true},
		"another, something pending":        {pending: true, first: listed("9"), second: listed("9"), strange: true, believed: ErrOtherStore},
		"nothing there, something pending":  {pending: true, first: nil, second: nil, strange: true, believed: ErrOtherStore},
		"it comes back, something pending":  {pending: true, first: nil, second: listed("1"), strange: true},
		"the same, later none of the known": {pending: true, first: listed("1"), second: nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCache(Config{})
				defer c.cancel()
				c.projects["p"] = newProject(projectRecord{Name: "p", InStore: true, Removed: test.pending, Ref: backends.Ref{Project: "p", ProjectID: "1"}})
				err := c.sameStore.look(test.first)
				if errors.Is(err, ErrOtherStore) != test.strange || c.isOther() != test.strange {
					t.Errorf("the first list: error %v, another store: %t", err, c.isOther())
				}
				time.Sleep(strangeFor) //nolint:forbidigo // in a bubble: no time passes
				if err := c.sameStore.look(test.second); !errors.Is(err, test.believed) {
					t.Errorf("the second list: error %v, want %v", err, test.believed)
				}
				if c.isOther() != (test.believed != nil) {
					t.Errorf("after the second list another store: %t", c.isOther())
				}
			})
		})
	}
}
