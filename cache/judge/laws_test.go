package judge_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// The laws that hold whatever the programs and the colleague of the model do.

// watchStore: nothing that a push takes out of the store may be anything but
// what a program that had read it left out.
func (w *world) watchStore(push func(), strict bool) {
	before := wordsOf(w.stored())
	push()
	after := wordsOf(w.stored())
	for _, word := range slices.Sorted(maps.Keys(before)) {
		switch {
		case after[word] || !strict || w.unsure[w.rowOf[word]]:
		case w.mine[word] && !w.dropped[word] && !w.left[word]:
			w.t.Fatalf("%s was saved here, no later save lacks it, and a push took it out of the store", word)
		case w.theirs[word] && !w.left[word]:
			w.t.Fatalf("%s is the colleague's, no program that had read it left it out, and a push took it out of the store", word)
		}
	}
	for word := range after {
		if w.gone[word] && !before[word] {
			w.putBackHere(word)
		}
	}
	w.note()
}

// putBackHere notes that what the colleague had removed was put back by a program
// that knew. It is ours now. Without ids it is another row than before; which of
// the two a third program means that knows nothing of all this is a guess.
func (w *world) putBackHere(word string) {
	if !w.idsShown(w.rowOf[word]) {
		w.unsure[w.rowOf[word]] = true
	}
	delete(w.gone, word)
	delete(w.theirs, word)
	w.mine[word], w.dropped[word] = true, false
}

// idsShown reports whether a row always shows its id: those that a program added
// have none as long as it saves them without.
func (w *world) idsShown(row string) bool {
	return w.store.form == backends.Rows && !w.store.hide && strings.HasPrefix(row, "theirs")
}

// editedThere reports whether the colleague ever wrote into a row.
func (w *world) editedThere(row string) bool {
	for word, of := range w.rowOf {
		if of == row && strings.HasPrefix(word, "theirs") {
			return true
		}
	}
	return false
}

func (w *world) note() {
	for word := range wordsOf(w.stored()) {
		w.reached[word] = true
	}
}

// check holds after every step.
func (w *world) check() {
	w.note()
	w.t.Log(trace{w})
	w.findUnsure(w.stored())
	w.findUnsure(withoutIDs(parse(w.t, w.m.bytes())))
	for row, count := range counted(w.stored()) {
		if name, _, _ := strings.Cut(row, ","); count > 1 && !(w.unsure[name] && w.editedThere(name)) {
			w.t.Fatalf("the store has this row %d times: %s", count, row)
		}
	}
}

// findUnsure finds rows that are there twice, by their names. Who a row is that
// shows no id and was moved and edited at once can only be guessed; if someone
// else edits the row that it was, both are kept, and a word may be in either.
// Rows that always show an id are never there twice.
func (w *world) findUnsure(records [][]string) {
	seen := map[string]bool{}
	for _, record := range records[1:] {
		name := record[0]
		if seen[name] && w.idsShown(name) {
			w.t.Fatalf("row %s is there twice", name)
		}
		w.unsure[name] = w.unsure[name] || seen[name]
		seen[name] = true
	}
}

// finish lets everything come to rest and checks what became of it.
func (w *world) finish(t *rapid.T) {
	last := w.m.bytes()
	for range 3 {
		w.watchStore(func() { w.m.push(whole) }, true)
		w.takeIn()
	}
	v := w.m.judge()
	for _, word := range slices.Sorted(maps.Keys(w.mine)) {
		if !w.reached[word] && !w.dropped[word] && !w.unsure[w.rowOf[word]] && !slices.ContainsFunc(v.Merged.Conflicts, func(c table.Conflict) bool {
			return slices.Contains(parse(t, []byte(c.Ours))[0], word)
		}) {
			t.Fatalf("%s was saved, no later save lacks it, and it is nowhere", word)
		}
	}
	store := wordsOf(w.stored())
	for _, word := range slices.Sorted(maps.Keys(w.theirs)) {
		if !store[word] && !w.left[word] && !w.gone[word] && !w.unsure[w.rowOf[word]] {
			t.Fatalf("%s is the colleague's, nobody took it away, and it is not in the store", word)
		}
	}
	if w.alone && !sameTable(parse(t, last), parse(t, w.m.bytes())) {
		t.Fatalf("alone: last saved\n%s\nin the file\n%s", last, w.m.bytes())
	}
	if w.alone && w.store.form == backends.Documents && !bytes.Equal(last, w.store.document) {
		t.Fatalf("alone: last saved\n%s\nin the store\n%s", last, w.store.document)
	}
	if len(v.Merged.Conflicts) > 0 {
		w.settle(t)
	}
	w.converged(t)
}

// settle decides what is in conflict.
func (w *world) settle(t *rapid.T) {
	if w.alone {
		t.Fatalf("alone and in conflict: %+v", w.m.judge().Merged.Conflicts)
	}
	if rapid.Bool().Draw(t, "ours") {
		w.confirm()
	} else {
		w.discard()
	}
}

func (w *world) converged(t *rapid.T) {
	v := w.m.judge()
	if v.State != judge.Clean || !v.Merged.Take.Empty() || !v.Exact {
		t.Fatalf("not clean in the end: %s\nS\n%s\nL\n%s\nR\n%s", show(v), read(t, w.m.s), read(t, w.m.l), read(t, w.m.r))
	}
	store := w.stored()
	for name, content := range map[string]table.Content{"S": w.m.s, "L": w.m.l, "R": w.m.r} {
		if !sameTable(parse(t, read(t, content)), store) {
			t.Fatalf("%s\n%s\nis not what the store has\n%s", name, read(t, content), format(t, store, false))
		}
		if w.store.form == backends.Documents && !bytes.Equal(read(t, content), w.store.document) {
			t.Fatalf("%s\n%s\ndiffers in bytes from the store's\n%s", name, read(t, content), w.store.document)
		}
	}
}

// trace shows where things stand, for a run that fails.
type trace struct{ *world }

func (w trace) String() string {
	return fmt.Sprintf("arrivals: %d in S, %d in L, %d in R; the programs know %d and %d\nL\n%sS\n%sstore\n%s",
		w.m.inS, w.m.inL, w.m.inR, w.programs[0].knows, w.programs[1].knows,
		w.m.bytes(), read(w.t, w.m.s), format(w.t, w.stored(), false))
}
