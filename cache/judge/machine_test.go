package judge_test

import (
	"bytes"
	"fmt"
	"reflect"

	"pgregory.net/rapid"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
	"github.com/ragasfs/ragasfs/cache/judge"
)

// The bookkeeping of the cache around Judge in its smallest form: no disk, no
// clock, one thread, one table. What the cache does is this, made durable and
// asynchronous.

// machine is one computer that has the table mounted.
type machine struct {
	t     rapid.TB
	store *remote

	s, l, r   table.Content // what is agreed, the file, what the store was seen to hold
	reference table.Content // the last save that was judged, with keys
	saved     bool          // L is a save, not merged by the machine
	version   int           // of R
	unsure    table.Content // a document that was sent, and the answer lost

	// Arrivals are numbered from 1. inS, inL, inR is the last one in S, L, R; for
	// L that is the last one that its writer knew.
	arrivals      []judge.Arrival
	inS, inL, inR int64
	conflicts     int // that were open when R was taken in last

	guard     judge.Guard
	writer    judge.Writer
	confirmed bool
	resolve   func(table.Conflict) table.Resolution
	nextKey   int
}

// mount loads the table for the first time.
func mount(t rapid.TB, store *remote) *machine {
	m := &machine{t: t, store: store}
	m.r = m.load(table.Content{})
	m.s, m.l, m.reference = m.r, m.r, m.r
	return m
}

// load reads the store's version as bytes with keys. Rows of a document get
// those of the rows of old that they are like.
func (m *machine) load(old table.Content) table.Content {
	m.version = m.store.version
	content := m.store.content()
	if m.store.form == backends.Documents {
		content.Keys = m.compare(old, content).Keys
	}
	return content
}

// options are those with which contents from the store are compared.
func (m *machine) options() table.CompareOptions {
	return table.CompareOptions{
		Columns:  m.store.columns(),
		RowStore: m.store.form == backends.Rows,
		NewKey:   m.newKey,
		Lenient:  true,
	}
}

func (m *machine) compare(old, new table.Content) *table.Comparison {
	comparison, err := table.Compare(old, new, m.options())
	must(m.t, err)
	return comparison
}

func (m *machine) newKey() table.Key {
	m.nextKey++
	if m.store.form == backends.Rows {
		return table.Key(fmt.Sprintf("mine%d", m.nextKey))
	}
	return table.Key(fmt.Sprintf("#%d", m.nextKey))
}

// save puts bytes under the name. knows is the last arrival that the writer knew.
func (m *machine) save(content []byte, knows int64) {
	m.l = table.Content{Source: bytes.NewReader(content)}
	m.inL = knows
	m.saved = true
	m.confirmed = false
}

// appendBytes is growth: it knows what the bytes before it hold.
func (m *machine) appendBytes(more []byte) {
	m.save(append(m.bytes(), more...), m.inL)
}

func (m *machine) bytes() []byte { return read(m.t, m.l) }

// judge gives the verdict on L and remembers its keys.
func (m *machine) judge() *judge.Verdict {
	m.t.Helper()
	verdict, err := judge.Judge(m.input())
	must(m.t, err)
	if verdict.State != judge.Invalid {
		m.l.Keys = verdict.Keys
		if m.saved {
			m.reference = m.l
		}
	}
	return verdict
}

// judgeTwice asks twice: a verdict depends on nothing but its input.
func (m *machine) judgeTwice() {
	m.t.Helper()
	input, next := m.input(), m.nextKey
	first, err := judge.Judge(input)
	must(m.t, err)
	m.nextKey = next
	second, err := judge.Judge(input)
	must(m.t, err)
	if !reflect.DeepEqual(first, second) {
		m.t.Fatalf("judged twice:\n%s\n%s", show(first), show(second))
	}
}

func (m *machine) input() judge.Input {
	input := judge.Input{
		S: m.s, L: m.l, R: m.r, Reference: m.reference,
		Form: m.store.form, Columns: m.store.columns(),
		NewKey: m.newKey, Foreign: m.store.foreign,
		Writer: m.writer, Guard: m.guard, Confirmed: m.confirmed, Resolve: m.resolve,
		Temp: newTemp,
	}
	if m.inL < m.inS {
		input.Later = m.arrivals[m.inL:m.inS]
	}
	return input
}

// settled reports whether the verdict lets contents move.
func settled(v *judge.Verdict) bool {
	return v.State != judge.Invalid && v.State != judge.Held
}

// refresh looks at the store: what has changed is an arrival.
func (m *machine) refresh() {
	if m.version == m.store.version {
		return
	}
	m.reconcile()
	old := m.r
	m.r = m.load(old)
	m.arrived(m.compare(old, m.r).Changes)
}

// arrived numbers what has come in.
func (m *machine) arrived(changes table.Changes) {
	if !changes.Empty() {
		m.arrivals = append(m.arrivals, judge.Arrival{Number: int64(len(m.arrivals)) + 1, Changes: changes})
		m.inR = int64(len(m.arrivals))
	}
}

// reconcile finds out whether a document whose answer was lost had arrived: what
// the store holds now is nearer to it than to what the store held before. (If it
// is as near to both, only the store knows; here it always had arrived.)
func (m *machine) reconcile() {
	sent := m.unsure
	m.unsure = table.Content{}
	if sent.Source == nil {
		return
	}
	now := m.store.content()
	if len(m.compare(sent, now).Changes.Rows) <= len(m.compare(m.r, now).Changes.Rows) {
		m.r = sent
	}
}

// takeIn merges R into the file. It waits while an editor has the file open.
func (m *machine) takeIn() {
	v := m.judge()
	if !settled(v) {
		return
	}
	if m.inL == m.inS && bytes.Equal(m.bytes(), read(m.t, m.s)) && len(v.Merged.Conflicts) == 0 {
		m.l = m.r // nothing here that is not in S: what came is shown as it came
	} else {
		m.l = m.apply(m.l, v.Merged.Take)
	}
	m.s = m.apply(m.r, v.Agreed)
	if m.conflicts > 0 {
		// What was in conflict may come in only now, long after its arrival: who has
		// read the file since has not seen it.
		m.arrived(v.Merged.Take)
	}
	m.conflicts = len(v.Merged.Conflicts)
	m.inS, m.inL = m.inR, m.inR
	m.saved = false
}

// push brings R up to date and sends. cut says how much of it happens.
func (m *machine) push(cut cut) {
	m.refresh()
	v := m.judge()
	if m.store.form == backends.Rows {
		m.pushRows(v, cut)
	} else {
		m.pushDocument(v, cut)
	}
}

// cut is how a push may end early.
type cut struct {
	after      int  // row changes that are made; negative: all
	noAnswer   bool // what was made is not acknowledged
	whileAway  func()
	notStarted bool
}

var whole = cut{after: -1}

func (m *machine) pushDocument(v *judge.Verdict, cut cut) {
	if v.State != judge.Send && (v.State != judge.Clean || !v.BytesDiffer) || cut.notStarted {
		return
	}
	sent := m.apply(m.l, v.Merged.Document)
	m.store.put(read(m.t, sent))
	version := m.store.version
	if cut.whileAway != nil {
		cut.whileAway()
	}
	if cut.noAnswer && m.store.version != version {
		m.unsure = sent // not what was sent, nor what was before, but a later version
		return
	}
	// Acknowledged, or read back and found to be what was sent.
	m.r, m.version = sent, version
	if v.Exact {
		m.s, m.inS = sent, m.inR
	} else {
		// S moves by what was sent only. What came in joins it when the file gets it,
		// or the next verdict would take it for something that was removed here.
		m.s = m.apply(m.s, v.Merged.Send)
	}
}

func (m *machine) pushRows(v *judge.Verdict, cut cut) {
	if v.State != judge.Send || cut.notStarted {
		return
	}
	send := v.Merged.Send
	if cut.after >= 0 && cut.after < len(send.Rows) {
		send.Rows = send.Rows[:cut.after]
	}
	m.store.apply(send)
	m.version = m.store.version
	// Acknowledged one by one, or read back and found to be after.
	m.r = m.apply(m.r, send)
	m.s = m.apply(m.s, send)
}

// confirm sends what is held, and ours of what is in conflict.
func (m *machine) confirm() {
	m.confirmed = true
	m.resolve = func(table.Conflict) table.Resolution { return table.Ours }
	m.push(whole)
	m.takeIn()
	m.resolve = nil
}

// discard takes theirs of what is in conflict.
func (m *machine) discard() {
	m.resolve = func(table.Conflict) table.Resolution { return table.Theirs }
	m.push(whole)
	m.takeIn()
	m.resolve = nil
	m.takeIn() // the file has theirs now: nothing is in conflict, and S follows
}

// restart keeps what is on disk: contents, keys, arrivals.
func (m *machine) restart() {
	for _, content := range []*table.Content{&m.s, &m.l, &m.r, &m.reference} {
		var file bytes.Buffer
		_, err := content.Keys.WriteTo(&file)
		must(m.t, err)
		content.Keys, err = table.ReadKeys(&file)
		must(m.t, err)
	}
}

func (m *machine) apply(content table.Content, changes table.Changes) table.Content {
	if changes.Empty() {
		return content
	}
	check, err := table.Check(content.Source)
	must(m.t, err)
	var out bytes.Buffer
	keys, err := table.Apply(&out, content, changes, table.ApplyOptions{Dialect: check.Dialect, RowStore: m.store.form == backends.Rows})
	must(m.t, err)
	return table.Content{Source: bytes.NewReader(out.Bytes()), Keys: keys}
}

// --- helpers

type temp struct{ bytes.Buffer }

func newTemp() (judge.Temp, error) { return &temp{}, nil }

func (t *temp) Source() (table.Source, error) { return bytes.NewReader(t.Bytes()), nil }

func read(t rapid.TB, content table.Content) []byte {
	t.Helper()
	if content.Source == nil {
		return nil
	}
	out := make([]byte, content.Source.Size())
	if len(out) > 0 {
		if _, err := content.Source.ReadAt(out, 0); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func show(v *judge.Verdict) string {
	return fmt.Sprintf("state %d, problem %v, held %q %s\nsend %+v\ntake %+v\ndocument %+v\nconflicts %+v\nagreed %+v",
		v.State, v.Problem, v.Rule, v.Reason, v.Merged.Send, v.Merged.Take, v.Merged.Document, v.Merged.Conflicts, v.Agreed)
}
