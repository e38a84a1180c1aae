package integration

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Faults of writes: F1 to F13, F16.

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
		r.Method, r.Path, r.Times = "POST", `/files/content\?fields=`, 1
		return rule(r)
	}
	made := boxFault{edit: writeNew, table: faultNew, want: faultBase, versions: 1}
	with := func(name string, set func(*boxPeer)) boxFault {
		f := made
		f.name, f.set = name, set
		return f
	}
	taken := with("F4 somebody else makes it meanwhile", create(fault{Action: "stall", Delay: "30s"}))
	taken.edit = func(m *mounted, box *boxPeer) {
		m.Write(faultNew, faultBase)
		m.WaitState(faultNew, "pushing")
		box.create(box.id("demo/datasets"), "new.csv", faultTheirs)
		box.noFaults()
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
		if all, _ := box.uploads(); all > 2 { // a new process does not know of it
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
