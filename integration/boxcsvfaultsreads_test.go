package integration

import (
	"fmt"
	"net/http"
	"strings"
)

// Faults of listings, events, rights and answers: F17 to F24.

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
			box.noFaults()
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
