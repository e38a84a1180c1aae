package cache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// disputes are days on which a program here and a colleague change the same cells.
// Who had seen the other's value replaces it; where neither had, both stand until a
// person decides.
type disputes struct {
	days
	ours   map[string]string // last value written here
	theirs map[string]string // last value written there
	// knew: whoever wrote last had the other's last value before him.
	knew  map[string]bool
	last  map[string]string // who wrote last
	rough bool              // answers were lost, or ragasfs was killed: what came first can't always be told
}

func TestDisputes(t *testing.T) {
	decided := 0
	stories(t, 2, func(w *world, rnd *rand.Rand) {
		d := &disputes{days: days{world: w, rnd: rnd, who: []Caller{{}, {}}, rows: map[string]string{}},
			ours: map[string]string{}, theirs: map[string]string{}, knew: map[string]bool{}, last: map[string]string{}}
		decided += d.tell()
	})
	if decided == 0 && os.Getenv("RAGASFS_SEED") == "" {
		t.Error("no story came to a conflict")
	}
}

// tell returns 1 if a person had to decide.
func (d *disputes) tell() (decided int) {
	for i := range 5 {
		key := fmt.Sprintf("S%d", i)
		d.rows[key] = d.value()
		d.theirs[key], d.last[key], d.knew[key] = d.rows[key], "theirs", true
	}
	d.elsewhere("qa.csv", d.lines()...)
	d.refresh()
	d.readBy("qa.csv", Caller{})
	d.rough = d.rnd.IntN(2) == 0
	steps := []func(){d.weEdit, d.weEdit, d.theyEdit, d.theyEdit, d.passes, d.passes, d.passes, d.flushes}
	if d.rough {
		steps = append(steps, d.breaks, d.heals, d.killed)
	}
	for range 30 {
		steps[d.rnd.IntN(len(steps))]()
	}
	d.gate.heal()
	d.readBy("qa.csv", Caller{})
	d.after(3 * time.Minute)
	disputed := d.checkBoth()
	decide, name := d.confirm, "ours"
	if d.rnd.IntN(2) == 0 {
		decide, name = d.discard, "theirs"
	}
	if disputed && !d.t.Failed() {
		decided = 1
		d.note("decided: %s", name)
		shown, stored := d.cells()
		decide("qa.csv")
		d.after(time.Minute)
		want := shown
		if name == "theirs" {
			want = stored
		}
		nowShown, nowStored := d.cells()
		if !maps.Equal(nowShown, want) || !maps.Equal(nowStored, want) {
			d.t.Errorf("after %s: shown %v, stored %v, not %v", name, nowShown, nowStored, want)
		}
		d.wantState("qa.csv", "clean")
	}
	if d.t.Failed() {
		d.t.Logf("the story:\n%s", strings.Join(d.story, "\n"))
	}
	return decided
}

// cells are the values that the mount shows and that the store holds.
func (d *disputes) cells() (shown, stored map[string]string) {
	shown, _, _ = inHand(d.readBy("qa.csv", Caller{}))
	return shown, d.inStore()
}

func (d *disputes) inStore() map[string]string {
	stored := map[string]string{}
	for _, line := range d.stored("qa.csv")[1:] {
		key, value, _ := strings.Cut(line, ",")
		stored[key] = value
	}
	return stored
}

func (d *disputes) weEdit() {
	text := d.read("qa.csv")
	rows, _, _ := inHand(text)
	key := d.some(rows, "S")
	// Who goes on from his own value knows what that knew.
	d.knew[key] = rows[key] == d.theirs[key] || d.last[key] == "ours" && d.knew[key] && rows[key] == d.ours[key]
	rows[key] = d.value()
	d.ours[key], d.last[key] = rows[key], "ours"
	d.note("we make %s %s, knowing theirs: %v", key, rows[key], d.knew[key])
	must(d.t, d.put("qa.csv", d.rewritten(text, rows, true), truncating, me()))
}

func (d *disputes) theyEdit() {
	before := d.inStore()
	key := d.some(before, "S")
	after := maps.Clone(before)
	after[key] = d.value()
	d.knew[key] = d.ours[key] == "" || before[key] == d.ours[key] || d.last[key] == "theirs" && d.knew[key]
	d.theirs[key], d.last[key] = after[key], "theirs"
	d.note("they make %s %s, knowing ours: %v", key, after[key], d.knew[key])
	if d.form == backends.Rows {
		d.colleagueRows(before, after)
		return
	}
	lines := []string{"q,a"}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		lines = append(lines, key+","+after[key])
	}
	d.elsewhere("qa.csv", lines...)
}

// checkBoth wants each cell to be whose it is, and reports whether any is disputed.
func (d *disputes) checkBoth() (disputed bool) {
	d.t.Helper()
	shown, stored := d.cells()
	for _, key := range slices.Sorted(maps.Keys(d.theirs)) {
		ours, theirs := d.ours[key], d.theirs[key]
		both := shown[key] == ours && stored[key] == theirs
		one := map[string]string{"ours": ours, "theirs": theirs}[d.last[key]]
		agreed := shown[key] == one && stored[key] == one
		switch {
		case d.knew[key] && agreed:
		case both && ours != "" && (!d.knew[key] || d.rough && d.last[key] == "theirs"):
			disputed = true
		default:
			d.t.Errorf("%s: shown %q, stored %q; ours is %q, theirs %q, last were %s, knowing the other: %v",
				key, shown[key], stored[key], ours, theirs, d.last[key], d.knew[key])
		}
	}
	state := "clean"
	if disputed {
		state = "conflict"
	}
	d.wantState("qa.csv", state)
	return disputed
}
