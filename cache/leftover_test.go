package cache

import (
	"slices"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// A store that is not mounted is listed if anything waits in it, whatever that
// is: after an unmount, and after a kill.
func TestStoresThatWait(t *testing.T) {
	type waits struct {
		name     string
		make     func(w *world)
		tables   int
		projects []string
	}
	all := []waits{
		{"nothing", func(*world) {}, 0, nil},
		{"a save", func(w *world) { w.write("qa.csv", "q,a\n1,eins\n2,two\n") }, 1, nil},
		{"a held save", func(w *world) { w.write("qa.csv", "q,a\n"); w.pending() }, 1, nil},
		{"a conflict", func(w *world) {
			w.elsewhere("qa.csv", "q,a", "1,uno", "2,two")
			w.replace("qa.csv", "q,a\n1,eins\n2,two\n")
			w.pending()
			w.wantState("qa.csv", "conflict")
		}, 1, nil},
		{"a refused row", func(w *world) {
			if w.form != backends.Rows {
				w.write("qa.csv", "q,a\n") // a document store refuses no rows
				return
			}
			w.refuseRows("bad")
			w.write("qa.csv", "q,a\n1,bad\n2,two\n")
			w.pending()
			w.wantState("qa.csv", "rejected")
		}, 1, nil},
		{"a removed table", func(w *world) { w.remove("qa.csv") }, 1, nil},
		{"a renamed table", func(w *world) { must(w.t, w.mv("qa.csv", "b.csv")) }, 1, nil},
		{"a new project", func(w *world) {
			_, err := w.c.Mkdir(w.t.Context(), "", "fresh", 0o755, me())
			must(w.t, err)
		}, 0, []string{"fresh"}},
	}
	bothForms(t, func(t *testing.T, form backends.Form) {
		for _, test := range all {
			for how, end := range map[string]func(w *world){"closed": (*world).close, "killed": (*world).kill} {
				t.Run(test.name+" "+how, func(t *testing.T) {
					w := newWorld(t, form)
					w.write("qa.csv", "q,a\n1,one\n2,two\n")
					w.flush()
					test.make(w)
					if list, err := Stores(w.stateDir); err != nil || len(list) > 0 {
						t.Errorf("while it is mounted: %+v, error %v", list, err)
					}
					end(w)
					for range 2 {
						list, err := Stores(w.stateDir)
						must(t, err)
						found := test.tables > 0 || len(test.projects) > 0
						if len(list) > 1 || len(list) == 1 != found {
							t.Fatalf("listed: %+v", list)
						}
						if found && (list[0].Tables != test.tables || !slices.Equal(list[0].Projects, test.projects) || list[0].Damaged) {
							t.Errorf("listed: %+v", list[0])
						}
					}
				})
			}
		}
	})
}
