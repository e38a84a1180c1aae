package judge_test

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// The model test: two programs of this machine, a colleague at the store, and
// everything that can come in between, in random order. Every cell that anyone
// ever writes is a word of its own, so that what became of it can be followed;
// the first cell of a row is the row's name and is never edited.

func TestModelDocuments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { runModel(t, backends.Documents, false) })
}

func TestModelRowsWithIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { runModel(t, backends.Rows, false) })
}

func TestModelRowsHiddenIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { runModel(t, backends.Rows, true) })
}

func runModel(t *rapid.T, form backends.Form, hide bool) {
	w := newWorld(t, form, hide)
	w.alone = rapid.Bool().Draw(t, "alone")
	program := func(t *rapid.T) *program { return w.programs[rapid.IntRange(0, 1).Draw(t, "program")] }
	actions := map[string]func(*rapid.T){
		"read":   func(t *rapid.T) { w.read(program(t)) },
		"edit":   func(t *rapid.T) { w.edit(t, program(t)) },
		"append": func(t *rapid.T) { w.grow(program(t)) },
		"undo":   func(t *rapid.T) { w.undo(t, program(t)) },
		"refresh": func(*rapid.T) {
			w.m.refresh()
		},
		"take in": func(*rapid.T) { w.takeIn() },
		"push":    func(t *rapid.T) { w.push(t) },
		"restart": func(*rapid.T) { w.m.restart() },
		"judge": func(*rapid.T) {
			w.m.judgeTwice()
			w.m.judge()
		},
		"": func(*rapid.T) { w.check() },
	}
	if !w.alone {
		actions["colleague"] = func(t *rapid.T) { w.colleague(t) }
		actions["confirm"] = func(*rapid.T) { w.confirm() }
		actions["discard"] = func(*rapid.T) { w.discard() }
	}
	t.Repeat(actions)
	w.finish(t)
}

// world is the machine, its programs, the store, and what the laws need to know
// of every word.
type world struct {
	t        *rapid.T
	m        *machine
	store    *remote
	programs [2]*program
	alone    bool
	words    int

	theirs  map[string]bool   // written by the colleague
	gone    map[string]bool   // taken out of the store by the colleague
	left    map[string]bool   // left out by a program that had read it, or by a person's decision
	mine    map[string]bool   // saved here
	dropped map[string]bool   // left out by a later save here
	decided map[string]bool   // discarded by a person
	unsure  map[string]bool   // in a row that was both kept and taken for another: see check
	rowOf   map[string]string // word -> name of its row
	reached map[string]bool   // has been in the store
}

// program remembers what it read, when, and its earlier buffers.
type program struct {
	name    string
	knows   int64 // the last arrival in what it read or wrote last
	buffer  []byte
	earlier [][]byte
	has     map[string]bool // the words of what it read or wrote last
}

func newWorld(t *rapid.T, form backends.Form, hide bool) *world {
	w := &world{
		t: t, theirs: map[string]bool{}, gone: map[string]bool{}, left: map[string]bool{}, mine: map[string]bool{},
		dropped: map[string]bool{}, reached: map[string]bool{}, decided: map[string]bool{}, unsure: map[string]bool{}, rowOf: map[string]string{},
	}
	w.store = &remote{t: t, form: form, hide: hide, header: strings.Split(columns, ","), rows: map[string][]string{}}
	w.store.put([]byte(columns + "\n"))
	for i := range rapid.IntRange(0, 6).Draw(t, "rows") {
		w.store.insert(i, fmt.Sprintf("theirs%d", i), w.row("theirs", w.theirs))
	}
	w.m = mount(t, w.store)
	w.m.guard = judge.GuardOff
	w.programs = [2]*program{{name: "p"}, {name: "q"}}
	for _, p := range w.programs {
		w.read(p)
	}
	return w
}

const columns = "name,a,b,c"

// word returns a new word, noted in a set.
func (w *world) word(by, row string, set map[string]bool) string {
	w.words++
	word := fmt.Sprintf("%s-%d", by, w.words)
	set[word] = true
	w.rowOf[word] = cmp.Or(row, word)
	return word
}

func (w *world) row(by string, set map[string]bool) []string {
	row := make([]string, len(w.store.header))
	for i := range row {
		row[i] = w.word(by, row[0], set)
	}
	return row
}

// --- what programs do

func (w *world) read(p *program) {
	p.buffer = w.m.bytes()
	p.knows = w.m.inL
	p.has = wordsOf(parse(w.t, p.buffer))
}

// save writes a program's buffer under the name, and notes what it left out.
func (w *world) save(p *program) {
	p.earlier = append(p.earlier, p.buffer)
	now := wordsOf(parse(w.t, p.buffer))
	for word := range p.has {
		if !now[word] {
			w.left[word] = true
		}
	}
	for word := range w.mine {
		if !now[word] {
			w.dropped[word] = true
		}
	}
	p.has = now
	w.m.save(p.buffer, p.knows)
}

// edit saves what the program read with some edits, as a whole file.
func (w *world) edit(t *rapid.T, p *program) {
	records := parse(w.t, p.buffer)
	edited := map[string]bool{} // a row that was moved and edited at once can't be told from another one
	for range rapid.IntRange(1, 3).Draw(t, "edits") {
		records = w.editOnce(t, p, records, edited)
	}
	p.buffer = format(w.t, records, rapid.Bool().Draw(t, "crlf"))
	w.save(p)
}

func (w *world) editOnce(t *rapid.T, p *program, records [][]string, edited map[string]bool) [][]string {
	ids := slices.Index(records[0], table.RowIDColumn) + 1 // cells before the name
	i := rapid.IntRange(1, len(records)).Draw(t, "row")
	kind := rapid.SampledFrom([]string{"cell", "cell", "add", "delete", "move"}).Draw(t, "kind")
	if i == len(records) || kind == "add" {
		row := append(make([]string, ids), w.row(p.name, w.mine)...)
		edited[row[ids]] = true
		return slices.Insert(records, i, row)
	}
	row := slices.Clone(records[i])
	switch kind {
	case "cell":
		if !edited[row[ids]] {
			edited[row[ids]] = true
			row[rapid.IntRange(ids+1, len(row)-1).Draw(t, "column")] = w.word(p.name, row[ids], w.mine)
		}
		records[i] = row
	case "delete":
		records = slices.Delete(records, i, i+1)
	case "move":
		if edited[row[ids]] {
			break
		}
		edited[row[ids]] = true
		records = slices.Delete(records, i, i+1)
		records = slices.Insert(records, rapid.IntRange(1, len(records)).Draw(t, "to"), row)
	}
	return records
}

// grow appends a row to what is there, as >> does.
func (w *world) grow(p *program) {
	records := parse(w.t, w.m.bytes())
	row := w.row(p.name, w.mine)
	if records[0][0] == table.RowIDColumn {
		row = append([]string{""}, row...)
	}
	w.m.appendBytes([]byte(strings.Join(row, ",") + "\n"))
}

// undo saves an earlier buffer of the program.
func (w *world) undo(t *rapid.T, p *program) {
	if len(p.earlier) == 0 {
		return
	}
	p.buffer = rapid.SampledFrom(p.earlier).Draw(t, "buffer")
	w.save(p)
}

// --- what comes in between

// colleague edits the store.
func (w *world) colleague(t *rapid.T) {
	before := wordsOf(w.stored())
	rows := len(w.stored()) - 1
	i := rapid.IntRange(0, rows).Draw(t, "row")
	kind := rapid.SampledFrom([]string{"cell", "cell", "add", "delete"}).Draw(t, "kind")
	column := rapid.IntRange(1, len(w.store.header)-1).Draw(t, "column")
	switch {
	case i == rows || kind == "add":
		w.store.insert(i, fmt.Sprintf("theirs%d", w.words), w.row("theirs", w.theirs))
	case kind == "cell":
		w.store.set(i, column, w.word("theirs", w.stored()[i+1][0], w.theirs))
	case kind == "delete":
		w.store.remove(i)
	}
	after := wordsOf(w.stored())
	for word := range before {
		if !after[word] {
			w.gone[word] = true
		}
	}
}

func (w *world) push(t *rapid.T) {
	cut := cut{
		after:      rapid.IntRange(-1, 3).Draw(t, "applied"),
		noAnswer:   rapid.Bool().Draw(t, "no answer"),
		notStarted: rapid.IntRange(0, 4).Draw(t, "not started") == 0,
	}
	if !w.alone && rapid.IntRange(0, 4).Draw(t, "meanwhile") == 0 {
		cut.whileAway = func() {
			w.note()
			w.colleague(t)
		}
	}
	w.watchStore(func() { w.m.push(cut) }, cut.whileAway == nil && cut.after < 0)
}

// takeIn must not take a word away that is only here.
func (w *world) takeIn() {
	before := wordsOf(parse(w.t, w.m.bytes()))
	w.m.takeIn()
	after := wordsOf(parse(w.t, w.m.bytes()))
	for _, word := range slices.Sorted(maps.Keys(before)) {
		if w.mine[word] && !w.reached[word] && !after[word] && !w.unsure[w.rowOf[word]] && !w.decided[word] {
			w.t.Fatalf("%s was only here, and vanished when R was taken in", word)
		}
	}
}

// confirm is a person's decision for ours: what is in conflict may go.
func (w *world) confirm() {
	w.m.refresh()
	for _, c := range w.m.judge().Merged.Conflicts {
		for _, word := range parse(w.t, []byte(c.Theirs))[0] { // a cell, or a row
			w.left[word] = true
		}
	}
	w.watchStore(w.m.confirm, true)
}

// discard is a person's decision for theirs.
func (w *world) discard() {
	w.m.refresh()
	for _, c := range w.m.judge().Merged.Conflicts {
		for _, word := range parse(w.t, []byte(c.Ours))[0] {
			w.dropped[word], w.decided[word] = true, true
		}
	}
	w.watchStore(w.m.discard, true)
}

// --- tables as records

// stored returns what the store holds, without ids.
func (w *world) stored() [][]string {
	if w.store.form == backends.Documents {
		return parse(w.t, w.store.document)
	}
	out := [][]string{w.store.header}
	for _, id := range w.store.ids {
		out = append(out, slices.Clone(w.store.rows[id]))
	}
	return out
}

func parse(t rapid.TB, content []byte) [][]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(content)).ReadAll()
	must(t, err)
	return records
}

func format(t rapid.TB, records [][]string, crlf bool) []byte {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.UseCRLF = crlf
	must(t, w.WriteAll(records))
	return out.Bytes()
}

// wordsOf returns all cells but the header and ids.
func wordsOf(records [][]string) map[string]bool {
	out := map[string]bool{}
	for _, record := range withoutIDs(records)[1:] {
		for _, word := range record {
			out[word] = true
		}
	}
	return out
}

func withoutIDs(records [][]string) [][]string {
	if records[0][0] != table.RowIDColumn {
		return records
	}
	out := make([][]string, len(records))
	for i, record := range records {
		out[i] = record[1:]
	}
	return out
}

// sameTable compares without order and ids.
func sameTable(a, b [][]string) bool {
	return maps.Equal(counted(a), counted(b))
}

func counted(records [][]string) map[string]int {
	out := map[string]int{}
	for _, record := range withoutIDs(records) {
		out[strings.Join(record, ",")]++
	}
	return out
}
