package cache

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// TestEveryCallFailsOnce lets every call to disk or store that a day's work makes
// fail once. Who made it is told or it is made again; nothing that was
// acknowledged is lost, and no row is there twice: neither now nor after a kill.
func TestEveryCallFailsOnce(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		whole := newScenario(t, form, 0, true)
		whole.run()
		names := whole.moves.names
		if t.Failed() {
			return
		}
		for _, at := range some(t, len(names), 12) {
			t.Run(fmt.Sprintf("%d %s", at, strings.ReplaceAll(names[at-1], "/", ".")), func(t *testing.T) {
				s := newScenario(t, form, at, true)
				s.run()
				for name, lines := range s.model {
					if got := s.w.shown(name); !slices.Equal(sorted(got), sorted(lines)) {
						t.Errorf("%s shows %q, not %q", name, got, lines)
					}
				}
				s.w.kill()
				s.next = s.model
				s.check()
			})
		}
	})
}
