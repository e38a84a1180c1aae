package integration

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// writerKinds are the programs that write at the same time, each to tables of
// its own, and how they save. A number is how often, relative to the others.
var writerKinds = []map[saving]int{
	{appending: 1},
	{renaming: 1},
	{inPlace: 1},
	{appending: 3, renaming: 1, inPlace: 1},
	{creating: 3, appending: 2, moving: 2, removing: 1},
}

// saving is a way to change a table.
type saving string

const (
	appending saving = "append"   // >>
	renaming  saving = "rename"   // a temporary file, renamed onto the table
	inPlace   saving = "in place" // >, which truncates
	creating  saving = "create"   // a table more
	moving    saving = "move"     // mv a.csv b.csv
	removing  saving = "remove"   // rm
)

// soakWriter is one program. Its model changes with every acknowledged save.
type soakWriter struct {
	soak   *soak
	number int
	kinds  []saving // each as often as it is to be chosen
	rnd    *rand.Rand
	tables map[string][]string // what is acknowledged: lines, the header first
	begun  *begun              // not acknowledged
	rows   int                 // rows made so far: no two are equal
	made   int                 // tables made so far
	left   int                 // tables that it may still remove before the next kill
}

// begun is what a writer is doing.
type begun struct {
	how  saving
	name string
	to   string   // moving
	next []string // the content that it saves
}

func newSoakWriter(s *soak, number int, kinds map[saving]int, rnd *rand.Rand) *soakWriter {
	w := &soakWriter{soak: s, number: number, rnd: rnd, tables: map[string][]string{}}
	for _, k := range []saving{appending, renaming, inPlace, creating, moving, removing} {
		for range kinds[k] {
			w.kinds = append(w.kinds, k)
		}
	}
	return w
}

func (w *soakWriter) path(name string) string { return w.soak.m.Path("p/datasets/" + name) }

// work saves until it is stopped or a save fails.
func (w *soakWriter) work(stop <-chan struct{}) {
	w.left = 1
	for {
		select {
		case <-stop:
			return
		case <-time.After(time.Duration(w.rnd.IntN(40)) * time.Millisecond): // a program takes its time
		}
		w.begin()
		if err := w.do(); err != nil {
			return
		}
		w.done()
	}
}

// begin decides what to do next.
func (w *soakWriter) begin() {
	how := w.kinds[w.rnd.IntN(len(w.kinds))]
	names := make([]string, 0, len(w.tables))
	for name := range w.tables {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) == 0 || how == removing && (w.left == 0 || len(names) < 2) {
		how = creating
	}
	if how == creating {
		w.made++
		name := fmt.Sprintf("t%d-%d.csv", w.number, w.made)
		w.begun = &begun{how: how, name: name, next: append([]string{"id,text,n"}, w.newRows(1+w.rnd.IntN(30))...)}
		return
	}
	name := names[w.rnd.IntN(len(names))]
	b := &begun{how: how, name: name}
	switch how {
	case appending:
		b.next = append(slices.Clone(w.tables[name]), w.newRows(1+w.rnd.IntN(3))...)
	case renaming, inPlace:
		b.next = w.edited(w.tables[name])
	case moving:
		w.made++
		b.to, b.next = fmt.Sprintf("t%d-%d.csv", w.number, w.made), w.tables[name]
	case removing:
		w.left--
	}
	w.begun = b
}

// newRows makes rows that no table has.
func (w *soakWriter) newRows(n int) []string {
	var rows []string
	for range n {
		w.rows++
		rows = append(rows, fmt.Sprintf("w%d-%d,text %d,%d", w.number, w.rows, w.rnd.IntN(1000), w.rnd.IntN(10)))
	}
	return rows
}

// edited is a table with some rows changed, some deleted and some new.
func (w *soakWriter) edited(lines []string) []string {
	next := slices.Clone(lines)
	for range w.rnd.IntN(4) {
		if i := 1 + w.rnd.IntN(len(next)); i < len(next) {
			id, _, _ := strings.Cut(next[i], ",")
			next[i] = fmt.Sprintf("%s,text %d,%d", id, w.rnd.IntN(1000), w.rnd.IntN(10))
		}
	}
	for range w.rnd.IntN(3) {
		if i := 1 + w.rnd.IntN(len(next)); i < len(next) && len(next) > 5 {
			next = slices.Delete(next, i, i+1)
		}
	}
	return append(next, w.newRows(1+w.rnd.IntN(3))...)
}

// do saves, with the system calls that programs make.
func (w *soakWriter) do() error {
	b := w.begun
	switch b.how {
	case appending:
		return w.appendRows(b.name, b.next[len(w.tables[b.name]):])
	case renaming:
		return w.replace(b.name, b.next)
	case inPlace, creating:
		content, err := w.content(b.name, b.next)
		if err != nil {
			return err
		}
		return w.write(w.path(b.name), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, content)
	case moving:
		return os.Rename(w.path(b.name), w.path(b.to))
	case removing:
		// By a process that has not read it: else it counts as moved to another disk.
		return exec.Command("rm", w.path(b.name)).Run()
	}
	return fmt.Errorf("saving %q is not known", b.how)
}

// write writes, with or without fsync, and closes.
func (w *soakWriter) write(path string, flags int, content []byte) error {
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && w.rnd.IntN(4) == 0 {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (w *soakWriter) replace(name string, lines []string) error {
	content, err := w.content(name, lines)
	if err != nil {
		return err
	}
	temp := w.path("." + name + ".tmp")
	if err := w.write(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, content); err != nil {
		return err
	}
	return os.Rename(temp, w.path(name))
}

// appendRows opens for appending, looks what columns the table has now, and
// appends.
func (w *soakWriter) appendRows(name string, rows []string) error {
	f, err := os.OpenFile(w.path(name), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	ids, err := rowIDs(w.path(name))
	if err == nil {
		_, err = f.Write(text(rows, ids))
	}
	return errors.Join(err, f.Close())
}

// content is what a program writes: of a table with row ids sometimes with them,
// as one that edits what it has read, sometimes without.
func (w *soakWriter) content(name string, lines []string) ([]byte, error) {
	var ids map[string]string
	if w.rnd.IntN(2) == 0 {
		var err error
		if ids, err = rowIDs(w.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return text(lines, ids), nil
}

// text is lines as bytes, with row ids before them if ids is not nil.
func text(lines []string, ids map[string]string) []byte {
	var b bytes.Buffer
	for _, line := range lines {
		if ids != nil {
			id, _, _ := strings.Cut(line, ",")
			b.WriteString(ids[id] + ",")
		}
		b.WriteString(line + "\n")
	}
	return b.Bytes()
}

// rowIDs are the row ids that a file shows, by the first cell of the row; nil if
// it shows none.
func rowIDs(path string) (map[string]string, error) {
	data, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(data, []byte("_row_id,")) {
		return nil, err
	}
	ids := map[string]string{}
	for line := range strings.Lines(string(data)) {
		rowID, rest, _ := strings.Cut(line, ",")
		id, _, _ := strings.Cut(rest, ",")
		ids[id] = rowID
	}
	return ids, nil
}

// readTable returns the lines of a file, without row ids.
func readTable(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	shown := bytes.HasPrefix(data, []byte("_row_id,"))
	var lines []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if shown {
			_, line, _ = strings.Cut(line, ",")
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// done notes that what was begun is acknowledged.
func (w *soakWriter) done() {
	b := w.begun
	w.begun = nil
	if b.how == moving || b.how == removing {
		delete(w.tables, b.name)
		w.soak.acknowledged(string(b.how), b.name, nil)
		if b.how == removing {
			return
		}
	}
	name := b.name
	if b.how == moving {
		name = b.to
	}
	w.tables[name] = b.next
	w.soak.acknowledged(string(b.how), name, b.next)
}

// settle finds out, after a kill, whether what was begun has happened. What is
// there by half is done again, as by a person who got an error.
func (w *soakWriter) settle(what string) {
	b, t := w.begun, w.soak.t
	if b == nil {
		return
	}
	before := w.tables[b.name]
	got, err := readTable(w.path(b.name))
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", what, err)
	}
	switch {
	case b.how == moving && !there, b.how == removing && !there:
		w.done()
	case b.how == moving, b.how == removing:
		w.begun = nil
	case slices.Equal(got, b.next) && w.soak.m.Table("p/datasets/"+b.name).State != "held":
		w.done()
	case !there && before == nil:
		w.begun = nil
	case slices.Equal(got, before) && before != nil:
		w.begun = nil
	default:
		if b.how != inPlace && b.how != creating {
			t.Errorf("%s: %s of %s has happened by half:\n%s", what, b.how, b.name, difference(got, b.next))
		}
		if err := w.replace(b.name, b.next); err != nil {
			t.Errorf("%s: saving %s again: %v", what, b.name, err)
		}
		w.done()
	}
}
