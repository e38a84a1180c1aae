package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
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
	r.Method, r.Path = "POST", `/files/\d+/content$`
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
// the upload: that is held up for a moment.
func whilePushing(other func(box *boxPeer)) func(m *mounted, box *boxPeer) {
	return func(m *mounted, box *boxPeer) {
		onUpload(fault{Action: "stall", Delay: "1s"})(box)
		m.Write(boxTable, faultOurs)
		m.WaitState(boxTable, "pushing")
		other(box)
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

func faultsOfUploads() []boxFault {
	all := []boxFault{
		{name: "F1 applied, dropped", set: onUpload(fault{Action: "apply_then_drop"})},
		{name: "F1 applied, cut", set: onUpload(fault{Action: "apply_then_cut"})},
		{name: "F2 applied 5 s after a 503", set: lateBy("5s"), hits: 2},
		{name: "F2 applied before it is sent again", set: lateBy("50ms")},
		{name: "F3 503, not applied", set: onUpload(fault{Action: "status"})},
		{name: "F3 dropped, not applied", set: onUpload(fault{Action: "drop"})},
		{name: "F3 reset in the body", base: largeTable("2"), edit: editLarge, want: largeTable("ours"),
			set: onUpload(fault{Action: "reset", Times: 2}), hits: 2},
	}
	for _, status := range []int{500, 502, 503} {
		all = append(all, boxFault{name: fmt.Sprintf("F1 applied, %d", status), set: onUpload(fault{Action: "apply_then_status", Status: status})})
	}
	return all
}

func lateBy(d string) func(*boxPeer) {
	return func(box *boxPeer) { box.knobs(map[string]any{"late_persist": d, "late_persist_times": 1}) }
}

// largeTable is a table of some megabytes with a cell in its second row.
func largeTable(cell string) string {
	return "id,v\na," + cell + "\n" + strings.Repeat("b,"+strings.Repeat("x", 1000)+"\n", 3000)
}

func editLarge(m *mounted, _ *boxPeer) { m.Sh("sed -i '2s/2/ours/' " + boxTable) }

func faultsOfCreates() []boxFault {
	create := func(r fault) func(*boxPeer) {
		r.Method, r.Path, r.Times = "POST", "/files/content$", 1
		return rule(r)
	}
	made := boxFault{edit: writeNew, table: faultNew, want: faultBase, versions: 1}
	with := func(name string, set func(*boxPeer)) boxFault {
		f := made
		f.name, f.set = name, set
		return f
	}
	taken := with("F4 somebody else makes it meanwhile", create(fault{Action: "stall", Delay: "1s"}))
	taken.edit = func(m *mounted, box *boxPeer) {
		m.Write(faultNew, faultBase)
		m.WaitState(faultNew, "pushing")
		box.create(box.id("demo/datasets"), "new.csv", faultTheirs)
	}
	taken.check = func(m *mounted, box *boxPeer) {
		if s := m.WaitState(faultNew, "held"); !strings.Contains(s.Reason, "exists in the store") {
			m.t.Errorf("held: %s", s.Reason)
		}
		box.demand(faultNew, faultTheirs, 1)
		if got := m.Read(faultNew); got != faultBase {
			m.t.Errorf("the file is %q", got)
		}
	}
	return []boxFault{
		with("F4 create applied, 503", create(fault{Action: "apply_then_status"})),
		with("F4 create applied, dropped", create(fault{Action: "apply_then_drop"})),
		with("F4 create not applied, 500", create(fault{Action: "status", Status: 500})),
		taken,
		with("F5 name_temporarily_reserved", knob("name_reserved", 2)),
		{name: "F5 operation_blocked_temporary", set: knob("blocked", 2)},
	}
}

func faultsOfPeers() []boxFault {
	renamed := func(m *mounted, box *boxPeer) {
		eventually(m.t, "everything has arrived", func() bool {
			m.Run("flush", "--timeout", "5s", m.Dir)
			return m.Table(boxTable).State == "clean"
		})
		box.demand("demo/datasets/other.csv", faultOurs, 2)
		if items := box.items(); len(items) != 3 && len(items) != 4 {
			m.t.Errorf("Box has %v", items)
		}
	}
	return []boxFault{
		{name: "F6 somebody else writes meanwhile", edit: whilePushing(theirs), want: faultBoth, versions: 3},
		{name: "F7 somebody else describes it", edit: whilePushing(func(box *boxPeer) { box.describe(boxTable) })},
		{name: "F7 somebody else renames it", edit: whilePushing(func(box *boxPeer) { box.rename(boxTable, "other.csv") }), check: renamed},
		{name: "F8 an old version is promoted", before: knob("keep_etag", true), edit: whilePushing(func(box *boxPeer) {
			theirs(box)
			box.promote(boxTable)
		}), versions: 4},
		{name: "F9 deleted and made again", edit: whilePushing(func(box *boxPeer) {
			box.trash(boxTable)
			theirs(box)
		}), check: func(m *mounted, box *boxPeer) {
			// Whether it is the same table to Ragas or not: nothing of the other's is
			// overwritten, nothing of ours is lost.
			eventually(m.t, "it is merged or held", func() bool {
				m.Run("flush", "--timeout", "2s", m.Dir)
				got, _ := box.content(boxTable)
				return got == faultBoth && m.Table(boxTable).State == "clean" || got == faultTheirs && m.Table(boxTable).State == "held"
			})
			if got := m.Read(boxTable); !strings.Contains(got, "b,ours") {
				m.t.Errorf("the file is %q", got)
			}
		}},
	}
}

func faultsOfRates() []boxFault {
	busy := func(name, retryAfter string) boxFault {
		return boxFault{name: name, set: onUpload(fault{Action: "status", Status: 429, RetryAfter: retryAfter})}
	}
	patient := busy("F10 429, in 100 s", "100")
	patient.after = func(m *mounted, box *boxPeer) {
		if all, _ := box.uploads(); all != 1 {
			m.t.Errorf("%d uploads although Box wants to be left alone", all)
		}
	}
	return []boxFault{
		busy("F10 429, in 1 s", "1"), busy("F10 429, no word when", ""), patient,
		busy("F10 429, until a date", time.Now().Add(2*time.Second).UTC().Format(http.TimeFormat)),
		{name: "F10 the uploads of a minute are used up", flags: []string{"--uploads-per-minute", "1"}, after: func(_ *mounted, box *boxPeer) {
			box.advance("1m")
		}},
	}
}

// grants are the credentials of the application, instead of a developer token.
var grants = []string{"BOX_CLIENT_ID=test-client", "BOX_CLIENT_SECRET=test-secret", "BOX_ENTERPRISE_ID=1"}

func faultsOfTokens() []boxFault {
	unauthorised := fault{Action: "status", Status: 401, Body: new(string)}
	revoke := func(box *boxPeer) {
		box.call(box.t, "POST", "/_emulator/tokens", map[string]any{"revoke_all": true, "add": []string{peerToken}}, nil)
	}
	asking := func(r fault) func(*boxPeer) {
		r.Path, r.Times = "/oauth2/token$", 1
		return func(box *boxPeer) {
			revoke(box)
			box.faults(box.t, r)
		}
	}
	asked := endsIn("/oauth2/token")
	invalid := `{"error":"invalid_grant","error_description":"Grant credentials are invalid"}`
	all := []boxFault{
		{name: "F11 401 without words, developer token", set: onUpload(unauthorised)},
		{name: "F11 401 with words, client credentials", env: grants, set: onUpload(fault{Action: "status", Status: 401})},
		{name: "F11 token revoked, client credentials", env: grants, set: revoke},
		{name: "F12 the answer with the token is lost", env: grants, set: asking(fault{Action: "apply_then_drop"}), hit: asked},
		{name: "F12 invalid_grant, once", env: grants, set: asking(fault{Action: "status", Status: 400, Body: &invalid}), hit: asked},
		{name: "F12 the token endpoint is down", env: grants, set: asking(fault{Action: "status", Status: 503}), hit: asked},
		{name: "F13 the clock is 10 minutes off", jwt: true, set: func(box *boxPeer) {
			box.advance("10m")
			revoke(box)
		}, hit: asked, hits: 2},
	}
	return all
}

func faultsOfDownloads() []boxFault {
	// Somebody else has written, and what comes down is bad a few times.
	download := boxFault{edit: func(m *mounted, box *boxPeer) {
		theirs(box)
		eventually(m.t, "the new version is shown", func() bool { return m.Read(boxTable) == faultTheirs })
		m.Write(boxTable, faultBoth)
	}, hit: func(c boxCall) bool { return strings.HasPrefix(c.Path, "/d/1/") }, want: faultBoth, versions: 3}
	with := func(name string, set func(*boxPeer)) boxFault {
		f := download
		f.name, f.set = name, set
		return f
	}
	other := with("F15 the host of downloads gets no credentials", nil)
	other.options = []string{"as_user=2"}
	purged := with("F22 the version is purged before it is read", rule(fault{Path: `/content\?version=`, Times: 1, Action: "status", Status: 404}))
	ring := boxFault{name: "F22 one past version is kept", before: knob("version_ring", 1), edit: func(m *mounted, box *boxPeer) {
		for range 3 {
			theirs(box)
		}
		eventually(m.t, "the new version is shown", func() bool { return m.Read(boxTable) == faultTheirs })
		m.Write(boxTable, faultBoth)
	}, want: faultBoth}
	return []boxFault{
		with("F14 202, three times", knob("not_ready", 3)), with("F14 the address has expired", knob("expired_url", 1)),
		with("F14 cut off", rule(fault{Path: "^/d/1/", Times: 1, Action: "apply_then_cut"})),
		with("F14 other bytes", knob("wrong_bytes", 1)), with("F14 no bytes", knob("empty_body", 1)),
		with("F14 compressed", knob("gzip", 1)), other, purged, ring,
	}
}

func faultsOfParts() []boxFault {
	committed := func(c boxCall) bool { return strings.HasSuffix(c.Path, "/commit") }
	inParts := boxFault{base: largeTable("2"), edit: editLarge, want: largeTable("ours"), hit: committed,
		flags: []string{"--min-chunked", "1000", "--part-size", "1000000"}, options: []string{"chunk_above=1000000"}}
	with := func(name string, set func(*boxPeer)) boxFault {
		f := inParts
		f.name, f.set = name, set
		return f
	}
	part := func(r fault) func(*boxPeer) {
		r.Method, r.Path, r.Skip, r.Times = "PUT", "/upload_sessions/", 1, 1
		return rule(r)
	}
	commit := func(r fault) func(*boxPeer) {
		r.Method, r.Path, r.Times = "POST", "/commit$", 1
		return rule(r)
	}
	return []boxFault{
		with("F16 part stored, 500", part(fault{Action: "apply_then_status", Status: 500})),
		with("F16 part not stored, dropped", part(fault{Action: "drop"})),
		with("F16 409, the part is there", part(fault{Action: "apply_then_drop"})),
		with("F16 410, the session has expired", knob("session_expired", 1)),
		with("F16 commit 202, twice", knob("commit_not_ready", 2)),
		with("F16 parts_mismatch, twice", knob("parts_mismatch", 2)),
		with("F16 commit applied, 500", commit(fault{Action: "apply_then_status", Status: 500})),
		with("F16 commit applied, dropped", commit(fault{Action: "apply_then_drop"})),
	}
}

func faultsOfListings() []boxFault {
	// Another table is made and one is deleted while listings are hard to read.
	listing := boxFault{edit: func(m *mounted, _ *boxPeer) {
		m.Write(faultNew, faultBase)
		m.Run("flush", "--timeout", "5s", m.Dir)
		m.Sh("rm demo/datasets/old.csv")
		m.Run("flush", "--timeout", "5s", m.Dir)
		if got := m.Sh("ls demo/datasets"); got != "new.csv\nqa.csv\n" {
			m.t.Errorf("listed are %q", got)
		}
	}, check: func(m *mounted, box *boxPeer) {
		eventually(m.t, "both tables are listed", func() bool {
			m.Run("refresh", m.Dir) // what was deleted just before the kill is listed once more
			return m.Sh("ls demo/datasets") == "new.csv\nqa.csv\n"
		})
		if got := m.Read(boxTable) + m.Read(faultNew); got != faultBase+faultBase {
			m.t.Errorf("the files are %q", got)
		}
		m.Write(boxTable, faultOurs)
		m.Flush()
		box.demand(boxTable, faultOurs, 2)
		box.demand(faultNew, faultBase, 1)
		if _, n := box.content("demo/datasets/old.csv"); n > 0 {
			m.t.Error("what was deleted is still there")
		}
	}}
	with := func(name string, knobs map[string]any) boxFault {
		f := listing
		f.name = name
		f.before = func(box *boxPeer) {
			box.put("demo/datasets/old.csv", "a\n1\n")
			box.advance("1h")
			box.knobs(knobs)
		}
		return f
	}
	return []boxFault{
		with("F17 listings lag behind", map[string]any{"listing_lag": "2s"}),
		with("F17 an entry on two pages", map[string]any{"page_size": 1, "repeat_entries": true}),
		with("F17 next_marker is empty", map[string]any{"page_size": 1, "marker_end": "empty"}),
		with("F17 next_marker is null", map[string]any{"marker_end": "null"}),
		with("F17 a marker is rejected", map[string]any{"page_size": 1, "marker_rejected": 1}),
		with("F18 order, links, unknown fields", map[string]any{"strange_listing": true}),
		with("F18 numbers, fractions, null", map[string]any{"strange_types": true}),
	}
}

func faultsOfEvents() []boxFault {
	seen := boxFault{edit: func(m *mounted, box *boxPeer) {
		theirs(box)
		eventually(m.t, "the new version is shown", func() bool { return m.Read(boxTable) == faultTheirs })
		m.Write(boxTable, faultBoth)
	}, hit: boxCall.isUpload, want: faultBoth, versions: 3, after: func(m *mounted, box *boxPeer) {
		const most = 60
		if n := len(box.journal()); n > most {
			m.t.Errorf("%d calls for one change", n)
		}
	}}
	with := func(name string, set func(*boxPeer)) boxFault {
		f := seen
		f.name, f.set = name, set
		return f
	}
	backlog := with("F20 600 events at once", nil)
	backlog.after = nil
	backlog.set = func(box *boxPeer) {
		id := box.id(boxTable)
		for i := range 600 {
			box.must("PUT", "/2.0/files/"+id, map[string]string{"description": fmt.Sprint(i)})
		}
	}
	quick := func(f boxFault) boxFault {
		f.flags = []string{"--long-poll", "1s"}
		return f
	}
	return []boxFault{
		with("F20 twice, out of order", knob("duplicate_events", true)),
		with("F20 about nothing", knob("empty_sources", true)),
		with("F20 the position is lost", knob("lost_position", 1)),
		backlog,
		quick(with("F20 the wait is reset", rule(fault{Path: "^/subscribe", Times: 2, Action: "drop"}))),
		quick(with("F20 the wait hangs", rule(fault{Path: "^/subscribe", Times: 1, Action: "stall"}))),
		quick(with("F20 nothing is said but to come again", nil)),
	}
}

func faultsOfRights() []boxFault {
	locked := boxFault{name: "F21 locked by somebody else", set: func(box *boxPeer) {
		box.someoneElse().must("PUT", "/2.0/files/"+box.id(boxTable), map[string]any{"lock": map[string]string{"type": "lock"}})
	}, after: func(m *mounted, box *boxPeer) {
		eventually(m.t, "the status says why", func() bool { return strings.Contains(m.Table(boxTable).Error, "locked") })
		box.someoneElse().must("PUT", "/2.0/files/"+box.id(boxTable), map[string]any{"lock": nil})
	}}
	large := boxFault{name: "F21 413", set: onUpload(fault{Action: "status", Status: 413, Times: 1}), after: func(m *mounted, _ *boxPeer) {
		m.Run("flush", "--retry", "--timeout", "5s", m.Dir)
	}}
	trashed := boxFault{name: "F21 its folder is deleted", set: func(box *boxPeer) { box.trash("demo") },
		hit: func(c boxCall) bool { return strings.Contains(c.Path, "/files/") && c.Status == http.StatusNotFound }, check: func(m *mounted, _ *boxPeer) {
			eventually(m.t, "it is not clean", func() bool { s := m.Table(boxTable); return s.State != "clean" && s.Reason+s.Error != "" })
			if got := m.Read(boxTable); got != faultOurs {
				m.t.Errorf("the file is %q", got)
			}
		}}
	removed := boxFault{name: "F21 the collaboration is removed, and given again", set: rule(fault{Path: `/(files|folders)/[1-9]`, Action: "status", Status: 404}),
		after: func(m *mounted, box *boxPeer) {
			if got := m.Read(boxTable); got != faultOurs {
				m.t.Errorf("the file is %q", got)
			}
			box.call(m.t, "DELETE", "/_emulator/faults", nil, nil)
		}}
	return []boxFault{locked, large, trashed, removed, {name: "F21 no space", set: knob("storage_full", 2), hits: 2}}
}

func faultsOfAnswers() []boxFault {
	html, empty := "<html><body><h1>502 Bad Gateway</h1></body></html>", ""
	silent := []string{"timeout=1s"}
	return []boxFault{
		{name: "F19 the name is changed", before: knob("sanitize", true), edit: func(m *mounted, _ *boxPeer) {
			m.Write("demo/datasets/what?.csv", faultBase)
			m.Write(boxTable, faultOurs)
		}, check: func(m *mounted, box *boxPeer) {
			eventually(m.t, "the status says why", func() bool {
				s := m.Table("demo/datasets/what?.csv")
				return s.State != "clean" && strings.Contains(s.Reason+s.Error, "what_")
			})
			eventually(m.t, "the other table has arrived", func() bool { got, _ := box.content(boxTable); return got == faultOurs })
			if _, n := box.content("demo/datasets/what_.csv"); n > 0 {
				m.t.Error("a file with another name stays")
			}
		}},
		{name: "F19 bad names", edit: func(m *mounted, _ *boxPeer) {
			for name, want := range map[string]string{
				"QA.csv": "File exists", strings.Repeat("x", 252) + ".csv": "File name too long", "a\x01.csv": "Invalid argument", `b\b.csv`: "Invalid argument",
			} {
				r := m.TrySh("printf 'a\n' > $'demo/datasets/" + strings.NewReplacer(`\`, `\\`, "\x01", `\x01`).Replace(name) + "'")
				if r.Code == 0 || !strings.Contains(r.Err, want) {
					m.t.Errorf("%q: exit code %d, %s", name, r.Code, r.Err)
				}
			}
			m.Write(boxTable, faultOurs)
		}},
		{name: "F23 HTML from a gateway", set: onUpload(fault{Action: "status", Status: 502, Body: &html})},
		{name: "F23 HTML from a gateway, applied", set: onUpload(fault{Action: "apply_then_status", Status: 502, Body: &html})},
		{name: "F23 500 without words", set: onUpload(fault{Action: "status", Status: 500, Body: &empty})},
		{name: "F23 no answer", options: silent, set: onUpload(fault{Action: "stall"})},
		{name: "F23 headers too late", options: silent, set: onUpload(fault{Action: "stall", Delay: "3s"})},
		{name: "F23 byte by byte", options: silent, set: onUpload(fault{Action: "trickle", Delay: "100ms"})},
		{name: "F24 the answer has another sha1", set: knob("wrong_sha1", 1)},
		{name: "F24 the answer has another size", set: knob("wrong_size", 1)},
		{name: "F24 the answer has another name", set: knob("wrong_name", 1)},
	}
}
