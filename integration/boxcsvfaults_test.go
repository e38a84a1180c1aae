package integration

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// The table in every test of a fault, what a program here makes of it, what
// somebody else makes of it, and both.
const (
	faultBase   = "id,v\na,1\nb,2\nc,3\n"
	faultOurs   = "id,v\na,1\nb,ours\nc,3\n"
	faultTheirs = "id,v\na,1\nb,2\nc,theirs\n"
	faultBoth   = "id,v\na,1\nb,ours\nc,theirs\n"
	faultNew    = "demo/datasets/new.csv"
)

// boxFault is one fault of facts/box.md, section 6: a mounted table is edited, the
// fault strikes, and in the end Box has what it should in so many versions, and
// the file is the same.
type boxFault struct {
	name     string // its number, and what happens
	flags    []string
	options  []string
	env      []string                       // credentials instead of the developer token
	jwt      bool                           // an application with a key
	base     string                         // content of the table; "": faultBase
	before   func(box *boxPeer)             // before the mount
	set      func(box *boxPeer)             // before the edit
	edit     func(m *mounted, s *boxPeer)   // nil: faultOurs is saved
	hit      func(c boxCall) bool           // a call that the fault struck; nil: an upload
	hits     int                            // how many of them there are; 0: one
	after    func(m *mounted, box *boxPeer) // when it has struck, and after the kill: what ends it
	table    string                         // "": boxTable
	want     string                         // "": faultOurs
	versions int                            // 0: 2
	check    func(m *mounted, box *boxPeer) // instead of want and versions
}

// TestBoxFaults: every fault by its number, and again with a kill right after it
// has struck.
func TestBoxFaults(t *testing.T) {
	t.Parallel()
	// They wait for the most part: many at a time, whatever the number of processors.
	const atOnce = 10
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for _, f := range boxFaults() {
		for _, kill := range []bool{false, true} {
			name := f.name
			if kill {
				name += ", killed"
			}
			all.Go(func() {
				slots <- struct{}{}
				defer func() { <-slots }()
				t.Run(name, func(t *testing.T) { f.run(t, kill) })
			})
		}
	}
	all.Wait()
}

func (f boxFault) run(t *testing.T, kill bool) {
	f = f.withDefaults()
	if f.jwt {
		config, publicKey := jwtConfig(t)
		f.options, f.flags = []string{"config_file=" + config}, []string{"--jwt-public-key", publicKey}
	}
	box := startBox(t, f.flags...)
	box.put(boxTable, f.base)
	if f.before != nil {
		f.before(box)
	}
	m := prepareBox(t, box, f.options...)
	if f.env != nil {
		m.useCredentials(f.env...)
	}
	m.Mount()
	if got := m.Read(boxTable); got != f.base {
		t.Fatalf("read %q", got)
	}
	box.clearJournal()
	if f.set != nil {
		f.set(box)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, c := range box.journal() {
				t.Logf("%s %s?%s: %d", c.Method, c.Path, c.Query, c.Status)
			}
		}
	})
	f.edit(m, box)
	var last []boxCall
	eventually(t, "the fault has struck", func() bool {
		last = box.journal()
		n := 0
		for _, c := range last {
			if f.hit(c) {
				n++
			}
		}
		return n >= f.hits
	}, &last)
	if kill {
		m.Kill9()
		m.Mount()
	}
	if f.after != nil {
		f.after(m, box)
	}
	if f.check != nil {
		f.check(m, box)
		return
	}
	eventually(t, "everything has arrived", func() bool {
		m.Run("flush", "--timeout", "5s", m.Path(f.table))
		got, _ := box.content(f.table)
		return got == f.want && m.Table(f.table).State == "clean"
	})
	box.demand(f.table, f.want, f.versions)
	if got := m.Read(f.table); got != f.want {
		t.Errorf("the file is %q, want %q", got, f.want)
	}
	m.Unmount()
	box.demand(f.table, f.want, f.versions)
	for _, c := range box.journal() {
		if strings.HasPrefix(c.Path, "/d/1/") && c.Status == http.StatusBadRequest { // credentials came there
			t.Errorf("%s %s: %d", c.Method, c.Path, c.Status)
		}
	}
}

func (f boxFault) withDefaults() boxFault {
	if f.base == "" {
		f.base = faultBase
	}
	if f.table == "" {
		f.table = boxTable
	}
	if f.want == "" {
		f.want = faultOurs
	}
	if f.versions == 0 {
		f.versions = 2
	}
	if f.edit == nil {
		f.edit = func(m *mounted, _ *boxPeer) { m.Write(boxTable, faultOurs) }
	}
	if f.hit == nil {
		f.hit = boxCall.isUpload
	}
	f.hits = max(f.hits, 1)
	return f
}

// rule adds a rule of the emulator.
func rule(r fault) func(*boxPeer) { return func(box *boxPeer) { box.faults(box.t, r) } }

// knob sets a knob of the emulator.
func knob(name string, value any) func(*boxPeer) {
	return func(box *boxPeer) { box.knobs(map[string]any{name: value}) }
}

// onUpload is a rule for the next version.
func onUpload(r fault) func(*boxPeer) {
	r.Method, r.Path = "POST", `/files/\d+/content\?fields=` // other clients ask for none
	if r.Times == 0 {
		r.Times = 1
	}
	return rule(r)
}

func endsIn(end string) func(boxCall) bool {
	return func(c boxCall) bool { return strings.HasSuffix(c.Path, end) }
}

// writeNew makes another table.
func writeNew(m *mounted, _ *boxPeer) { m.Write(faultNew, faultBase) }

// whilePushing edits, and has somebody else do something between the last look and
// the upload: that is held up meanwhile.
func whilePushing(other func(box *boxPeer)) func(m *mounted, box *boxPeer) {
	return func(m *mounted, box *boxPeer) {
		onUpload(fault{Action: "stall", Delay: "30s"})(box)
		m.Write(boxTable, faultOurs)
		m.WaitState(boxTable, "pushing")
		other(box)
		box.noFaults()
	}
}

func theirs(box *boxPeer) { box.put(boxTable, faultTheirs) }

func boxFaults() []boxFault {
	var all []boxFault
	for _, list := range [][]boxFault{
		faultsOfUploads(), faultsOfCreates(), faultsOfPeers(), faultsOfRates(), faultsOfTokens(),
		faultsOfDownloads(), faultsOfParts(), faultsOfListings(), faultsOfEvents(), faultsOfRights(), faultsOfAnswers(),
	} {
		all = append(all, list...)
	}
	return all
}
