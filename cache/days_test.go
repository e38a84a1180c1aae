package cache

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// days is what people do with one table, at random: two programs here, the second
// of which saves what it read long ago, and a colleague, with a store that is away
// at times and loses answers, and with kills. Each side changes rows of its own
// only, so that nothing is in conflict, and all that was acknowledged must be in
// the store in the end, once, and nothing else.
type days struct {
	*world
	rnd    *rand.Rand
	who    []Caller
	rows   map[string]string // what there is to be: key -> value. Keys of ours start with L, theirs with C
	buffer map[string]string // what the second program has read
	n      int               // for values that were never there before
	story  []string
}

// TestDays tells some random stories. RAGASFS_SEEDS=N tells N of each kind,
// RAGASFS_SEED=N just that one.
func TestDays(t *testing.T) {
	who := people(t, 2)
	stories(t, 1, func(w *world, rnd *rand.Rand) {
		d := &days{world: w, rnd: rnd, who: who, rows: map[string]string{}}
		d.tell()
	})
}

// stories tells random stories of a kind (another stream of the same seeds), over
// every kind of store.
func stories(t *testing.T, stream uint64, tell func(w *world, rnd *rand.Rand)) {
	for _, kind := range []string{"rows", "rows without versions", "documents"} {
		for _, seed := range seedsOf(t) {
			t.Run(fmt.Sprintf("%s %d", kind, seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					form := backends.Rows
					if kind == "documents" {
						form = backends.Documents
					}
					w := newBubble(t, form, memory.Options{Versionless: kind == "rows without versions"})
					w.open()
					tell(w, rand.New(rand.NewPCG(uint64(seed), stream)))
				})
			})
		}
	}
}

// seedsOf are the seeds of the stories to be told.
func seedsOf(t *testing.T) (seeds []int) {
	t.Helper()
	switch one, many := os.Getenv("RAGASFS_SEED"), os.Getenv("RAGASFS_SEEDS"); {
	case one != "":
		seed, err := strconv.Atoi(one)
		must(t, err)
		seeds = append(seeds, seed)
	default:
		n := 3
		if many != "" {
			var err error
			n, err = strconv.Atoi(many)
			must(t, err)
		}
		for i := range n {
			seeds = append(seeds, i+1)
		}
	}
	return seeds
}

func (d *days) tell() {
	for i := range 6 {
		d.rows[fmt.Sprintf("L%d", i)] = d.value()
		d.rows[fmt.Sprintf("C%d", i)] = d.value()
	}
	d.elsewhere("qa.csv", d.lines()...)
	d.refresh()
	d.reads()
	steps := []func(){d.edits, d.edits, d.grows, d.savesOld, d.reads, d.colleague, d.colleague, d.breaks, d.heals, d.passes, d.passes, d.passes, d.killed,
		d.runs, d.flushes, d.remounts, d.movesAway, d.removesAndWrites}
	for range 40 {
		steps[d.rnd.IntN(len(steps))]()
		if d.t.Failed() {
			break
		}
	}
	d.gate.heal()
	d.readBy("qa.csv", Caller{}) // what nobody uses is not looked at
	d.after(3 * time.Minute)
	status, err := d.c.Status("p/datasets/qa.csv")
	must(d.t, err)
	if strings.Contains(status.Tables[0].Reason, "The save undoes all that came") {
		return // the second program had read the table both before and after: a person decides (guard f)
	}
	d.check()
	if d.t.Failed() {
		d.t.Logf("the story:\n%s", strings.Join(d.story, "\n"))
	}
}

func (d *days) note(format string, args ...any) {
	d.story = append(d.story, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

func (d *days) value() string {
	d.n++
	return fmt.Sprintf("v%d", d.n)
}

// lines are all rows as they are to be.
func (d *days) lines() []string {
	lines := []string{"q,a"}
	for _, key := range slices.Sorted(maps.Keys(d.rows)) {
		lines = append(lines, key+","+d.rows[key])
	}
	return lines
}

func (d *days) check() {
	d.t.Helper()
	d.wantStored("qa.csv", d.lines()...)
	d.wantShown("qa.csv", d.lines()...)
	d.wantState("qa.csv", "clean")
}

// some picks a key of one side, "" if it has none.
func (d *days) some(rows map[string]string, side string) string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if strings.HasPrefix(key, side) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return keys[d.rnd.IntN(len(keys))]
}

// change changes one row of a side in what a program or a person has in hand:
// edited, added or deleted.
func (d *days) change(rows map[string]string, side string) (what string) {
	key := d.some(rows, side)
	switch n := d.rnd.IntN(10); {
	case key == "" || n < 3:
		key = fmt.Sprintf("%s%d", side, 100+d.n)
		rows[key] = d.value()
		return "adds " + key + " " + rows[key]
	case n < 5:
		delete(rows, key)
		return "deletes " + key
	}
	rows[key] = d.value()
	return "makes " + key + " " + rows[key]
}

// inHand are the rows of a file, with the line of each.
func inHand(text string) (rows, lines map[string]string, order []string) {
	rows, lines = map[string]string{}, map[string]string{}
	for i, line := range linesOf(text) {
		key, value, _ := strings.Cut(line, ",")
		if i > 0 {
			rows[key] = value
			order = append(order, key)
		}
	}
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.TrimRight(line, "\r\n"), ",")
		if len(cells) > 1 {
			lines[cells[len(cells)-2]] = line
		}
	}
	return rows, lines, order
}

// rewritten is a file with its rows made those of rows: new ones at the end, with
// ids where it shows them and the program keeps them.
func (d *days) rewritten(text string, rows map[string]string, keepIDs bool) string {
	_, lines, order := inHand(text)
	ids := strings.HasPrefix(text, "_row_id,")
	var b strings.Builder
	if ids && keepIDs {
		b.WriteString("_row_id,")
	}
	b.WriteString("q,a\n")
	put := func(id, key string) {
		if ids && keepIDs {
			b.WriteString(id + ",")
		}
		b.WriteString(key + "," + rows[key] + "\n")
	}
	for _, key := range order {
		id := ""
		if ids {
			id, _, _ = strings.Cut(lines[key], ",")
		}
		if _, stays := rows[key]; stays {
			put(id, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rows)) {
		if !slices.Contains(order, key) {
			put("", key)
		}
	}
	return b.String()
}

// ours replaces our rows in what is to be.
func (d *days) ours(rows map[string]string) {
	maps.DeleteFunc(d.rows, func(key, _ string) bool { return strings.HasPrefix(key, "L") })
	for key, value := range rows {
		if strings.HasPrefix(key, "L") {
			d.rows[key] = value
		}
	}
}

// edits: a program reads the file, changes a row of ours and saves at once.
func (d *days) edits() {
	text := d.readBy("qa.csv", d.who[0])
	rows, _, _ := inHand(text)
	what := d.change(rows, "L")
	next := d.rewritten(text, rows, d.rnd.IntN(4) > 0)
	var err error
	if d.rnd.IntN(2) == 0 {
		d.note("in place: %s", what)
		err = d.put("qa.csv", next, truncating, d.who[0])
	} else {
		d.note("by rename: %s", what)
		if err = d.put("qa.csv.tmp", next, truncating, d.who[0]); err == nil {
			err = d.c.Rename(d.t.Context(), datasets, "qa.csv.tmp", datasets, "qa.csv", 0, d.who[0])
		}
	}
	must(d.t, err)
	d.ours(rows)
}

// grows: a program appends a row.
func (d *days) grows() {
	text := d.readBy("qa.csv", d.who[0])
	key, value := fmt.Sprintf("L%d", 100+d.n), d.value()
	line := key + "," + value + "\n"
	if strings.HasPrefix(text, "_row_id,") {
		line = "," + line
	}
	d.note("appends %s %s", key, value)
	must(d.t, d.put("qa.csv", line, appending, d.who[0]))
	rows, _, _ := inHand(text)
	rows[key] = value
	d.ours(rows)
}

// reads: the second program reads the file.
func (d *days) reads() {
	d.note("the second program reads")
	text := d.readBy("qa.csv", d.who[1])
	d.buffer, _, _ = inHand(text)
}

// savesOld: the second program changes a row in what it has read, perhaps long
// ago, and saves that, without ids.
func (d *days) savesOld() {
	what := d.change(d.buffer, "L")
	d.note("the second program saves its buffer: %s", what)
	lines := []string{"q,a"}
	for _, key := range slices.Sorted(maps.Keys(d.buffer)) {
		lines = append(lines, key+","+d.buffer[key])
	}
	must(d.t, d.put("qa.csv", joined(lines), truncating, d.who[1]))
	d.ours(d.buffer)
}

// colleague: somebody changes a row of theirs in the store.
func (d *days) colleague() {
	stored := map[string]string{}
	for _, line := range d.stored("qa.csv")[1:] {
		key, value, _ := strings.Cut(line, ",")
		stored[key] = value
	}
	before := maps.Clone(stored)
	what := d.change(stored, "C")
	d.note("a colleague %s", what)
	if d.form == backends.Documents {
		lines := []string{"q,a"}
		for _, key := range slices.Sorted(maps.Keys(stored)) {
			lines = append(lines, key+","+stored[key])
		}
		d.elsewhere("qa.csv", lines...)
	} else {
		d.colleagueRows(before, stored)
	}
	maps.DeleteFunc(d.rows, func(key, _ string) bool { return strings.HasPrefix(key, "C") })
	for key, value := range stored {
		if strings.HasPrefix(key, "C") {
			d.rows[key] = value
		}
	}
}

// colleagueRows changes rows by their keys.
func (d *days) colleagueRows(before, after map[string]string) {
	loaded, err := d.memory.Load(d.t.Context(), d.ref("qa.csv"))
	must(d.t, err)
	batch := backends.Batch{Ref: d.ref("qa.csv"), Grows: -1}
	header := []string{"q", "a"}
	batch.Changes.OldHeader, batch.Changes.NewHeader = header, header
	for row, err := range loaded.Rows {
		must(d.t, err)
		key := row.Cells[0].Text
		c := table.Change{Op: table.Update, Key: table.Key(row.ID), Before: []string{key, before[key]}, After: []string{key, after[key]}}
		if _, stays := after[key]; !stays {
			c.Op, c.After = table.Delete, nil
		}
		if after[key] != before[key] {
			batch.Changes.Rows = append(batch.Changes.Rows, c)
		}
	}
	must(d.t, loaded.Close())
	for key, value := range after {
		if _, was := before[key]; !was {
			batch.Changes.Rows = append(batch.Changes.Rows, table.Change{Op: table.Append, Key: table.Key(newRowID()), After: []string{key, value}})
		}
	}
	_, err = d.memory.Apply(d.t.Context(), batch)
	must(d.t, err)
}

func (d *days) breaks() {
	switch d.rnd.IntN(3) {
	case 0:
		d.note("the store goes away")
		d.gate.fail(errAway)
	case 1:
		d.note("answers are lost")
		d.gate.loseAnswers(3, "apply")
	default:
		d.note("pushes are lost")
		d.gate.failTimes(3, "apply", errLostAnswer)
	}
}

func (d *days) heals() {
	d.note("the store is well")
	d.gate.heal()
}

func (d *days) passes() {
	long := time.Duration(1+d.rnd.IntN(30)) * time.Second
	d.note("%v pass", long)
	d.after(long)
}

func (d *days) killed() {
	d.note("ragasfs is killed")
	d.c.know.wait() // who opened the file in the last millisecond may be forgotten
	d.crash()
}

// runs: a program appends for a while, record by record and not always whole ones.
func (d *days) runs() {
	rows, _, _ := inHand(d.readBy("qa.csv", d.who[0]))
	p := d.start("qa.csv", appending, d.who[0])
	ids := ""
	if strings.HasPrefix(d.readBy("qa.csv", d.who[0]), "_row_id,") {
		ids = ","
	}
	d.note("a run begins")
	for range 1 + d.rnd.IntN(4) {
		key, value := fmt.Sprintf("L%d", 100+d.n), d.value()
		d.note("the run appends %s %s", key, value)
		line := ids + key + "," + value + "\n"
		half := d.rnd.IntN(len(line))
		p.write(line[:half])
		if d.rnd.IntN(2) == 0 {
			d.colleague()
		}
		if d.rnd.IntN(2) == 0 {
			d.passes()
		}
		p.write(line[half:])
		rows[key] = value
	}
	p.close()
	d.note("the run ends")
	d.ours(rows)
}

// flushes sends what can be sent now.
func (d *days) flushes() {
	err := d.tryFlush()
	d.note("flush: %v", err)
}

// remounts ends the cache in good order and opens it again.
func (d *days) remounts() {
	d.note("ragasfs is mounted again")
	d.reopen()
}

// movesAway moves the table away and back at once, as careful editors do.
func (d *days) movesAway() {
	d.note("moved away and back")
	must(d.t, d.c.Rename(d.t.Context(), datasets, "qa.csv", datasets, "qa.csv~", 0, d.who[0]))
	if d.rnd.IntN(2) == 0 {
		d.after(time.Second)
	}
	must(d.t, d.c.Rename(d.t.Context(), datasets, "qa.csv~", datasets, "qa.csv", 0, d.who[0]))
}

// removesAndWrites removes the table and writes it again, changed.
func (d *days) removesAndWrites() {
	text := d.readBy("qa.csv", d.who[0])
	rows, _, _ := inHand(text)
	what := d.change(rows, "L")
	d.note("removed and written again: %s", what)
	d.remove("qa.csv")
	if d.rnd.IntN(2) == 0 {
		d.after(time.Duration(d.rnd.IntN(30)) * time.Second)
	}
	must(d.t, d.put("qa.csv", d.rewritten(text, rows, d.rnd.IntN(2) == 0), truncating, d.who[0]))
	d.ours(rows)
}
