package integration

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

const boxTable = "demo/datasets/qa.csv"

// A table goes through its whole life, and what is at Box is byte for byte what
// was saved.
func TestBoxLife(t *testing.T) {
	t.Parallel()
	m, box := mountBox(t)
	saved := "q,a\r\n\"two\r\nlines\",\"quote \"\" here\"\r\nplain,1\r\n"
	m.Sh("mkdir -p demo/datasets demo/experiments")
	m.Write(boxTable, saved)
	m.Flush()
	box.demand(boxTable, saved, 1)

	m.Sh("sed -i 's/plain,1/plain,2/' " + boxTable)
	m.Sh("printf 'new,3\\r\\n' >> " + boxTable)
	m.Flush()
	want := strings.Replace(saved, "plain,1", "plain,2", 1) + "new,3\r\n"
	box.demand(boxTable, want, 2)
	m.Sh("cp " + boxTable + " demo/experiments/run.csv")
	m.Flush()
	id := box.id("demo/experiments/run.csv")
	m.Sh("mv demo/experiments/run.csv demo/experiments/renamed.csv")
	m.Flush()
	if box.id("demo/experiments/renamed.csv") != id {
		t.Error("a rename has made another file")
	}
	m.Sh("mv demo/experiments/renamed.csv demo/datasets/") // to another folder: a copy, and what was moved away is held
	m.must("confirm", m.Path("demo/experiments/renamed.csv"))
	m.Sh("printf 'q,a\\r\\nother,1\\r\\n' > demo/datasets/x.csv; mv demo/datasets/x.csv " + boxTable)
	m.Flush()
	if got, _ := box.content(boxTable); got != "q,a\r\nother,1\r\n" {
		t.Errorf("Box has %q", got)
	}
	m.Sh("rm -r demo")
	m.Flush()
	if items := box.items(); len(items) > 0 {
		t.Errorf("Box still has %v", items)
	}
	m.Unmount()
}

// What others do at Box shows in the mount, without being asked for.
func TestBoxOutside(t *testing.T) {
	t.Parallel()
	box := startBox(t)
	box.put(boxTable, "q,a\nx,1\n")
	m := prepareBox(t, box, "ttl=1h")
	m.Mount()
	if got := m.Read(boxTable); got != "q,a\nx,1\n" {
		t.Fatalf("read %q", got)
	}
	box.put(boxTable, "q,a\nx,2\n")
	eventually(t, "the new version is shown", func() bool { return m.Read(boxTable) == "q,a\nx,2\n" })
	box.put("demo/experiments/new.csv", "a\n1\n")
	eventually(t, "the new table is listed", func() bool { return strings.Contains(m.Sh("ls demo/experiments"), "new.csv") })
	box.rename("demo/experiments/new.csv", "other.csv")
	m.Write("demo/experiments/new.csv", "a\n2\n") // a name once shown stays while it is mounted
	m.Flush()
	box.demand("demo/experiments/other.csv", "a\n2\n", 2)
	box.put("second/datasets/t.csv", "a\n1\n")
	eventually(t, "the new project is listed", func() bool { return strings.Contains(m.TrySh("ls second/datasets").Out, "t.csv") })
	box.trash("second")
	eventually(t, "the project is gone", func() bool { return m.Sh("ls") == "demo\n" })
}

// Any number of edits within one settle time is one conditional upload, and
// nothing else; what is saved again without a change costs nothing.
func TestBoxUploads(t *testing.T) {
	t.Parallel()
	m, box := mountBox(t, "write_back=1s")
	var table strings.Builder
	table.WriteString("id,v\n")
	for i := range 200 {
		fmt.Fprintf(&table, "%d,old\n", i)
	}
	m.Sh("mkdir -p demo/datasets")
	m.Write(boxTable, table.String())
	m.Flush()
	box.clearJournal()
	for i := range 20 {
		m.Sh(fmt.Sprintf("sed -i 's/^%d,old/%d,new/' %s", i, i, boxTable))
	}
	m.WaitClean()
	uploads := 0
	for _, c := range box.journal() {
		switch {
		case c.isUpload():
			uploads++
		case !c.isWaiting() && c.Method != "GET":
			t.Errorf("%s %s", c.Method, c.Path)
		}
	}
	if _, versions := box.content(boxTable); uploads != versions-1 || uploads < 1 || uploads > 4 {
		t.Errorf("%d uploads for 20 edits, %d versions", uploads, versions) // the scripts may take longer than the settle time
	}
	box.clearJournal()
	m.Sh("cat " + boxTable + " > $M/copy; cat copy > " + boxTable + "; cp copy " + boxTable + "; touch " + boxTable)
	m.Flush()
	for _, c := range box.journal() {
		if !c.isWaiting() {
			t.Errorf("saved again without a change: %s %s", c.Method, c.Path)
		}
	}
}

// To list 500 tables costs list calls, and ten idle minutes cost nothing but
// waiting for events.
func TestBoxIdle(t *testing.T) {
	t.Parallel()
	const tables, opened = 500, 5
	box := startBox(t, "--token-ttl", "1h")
	box.put("demo/datasets/t0.csv", "q,a\nx,0\n")
	folder := box.id("demo/datasets")
	for i := 1; i < tables; i++ {
		box.create(folder, fmt.Sprintf("t%d.csv", i), fmt.Sprintf("q,a\nx,%d\n", i))
	}
	m := prepareBox(t, box, "ttl=100ms")
	box.clearJournal()
	m.Mount()
	if n := strings.Count(m.Sh("ls -l demo/datasets"), ".csv\n"); n != tables {
		t.Errorf("%d tables are listed, want %d", n, tables)
	}
	for _, c := range box.journal() {
		if !c.isWaiting() && !strings.HasSuffix(c.Path, "/items") && !strings.HasSuffix(c.Path, "/users/me") {
			t.Errorf("ls -l: %s %s", c.Method, c.Path)
		}
	}
	for i := range opened {
		if got := m.Read(fmt.Sprintf("demo/datasets/t%d.csv", i)); !strings.Contains(got, fmt.Sprint(i)) {
			t.Errorf("table %d is %q", i, got)
		}
	}
	waits := func() (n int) {
		for _, c := range box.journal() {
			if c.Path == "/subscribe" {
				n++
			}
		}
		return n
	}
	// What happened before watching began is looked for once.
	eventually(t, "all was listed twice", func() bool {
		listed := 0
		for _, c := range box.journal() {
			if strings.HasSuffix(c.Path, "/items") {
				listed++
			}
		}
		return listed >= 2*3 // the root, the project, its one folder
	})
	const each, minutes = 50 * time.Second, 10
	tick := func() {
		eventually(t, "the mount waits for events", func() bool {
			var state struct{ Waiting int }
			box.call(t, "GET", "/_emulator/state", nil, &state)
			return state.Waiting == 1
		})
		before := waits()
		box.advance(each.String())
		eventually(t, "a wait for events has ended", func() bool { return waits() > before })
	}
	tick()
	box.clearJournal()
	for range int(minutes * time.Minute / each) {
		tick()
		m.Sh("ls demo/datasets > $M/list; cat demo/datasets/t1.csv > $M/copy") // a program that looks now and then
	}
	reads := 0
	for _, c := range box.journal() {
		switch {
		case strings.HasSuffix(c.Path, "/events"):
			reads++
		case !c.isWaiting():
			t.Errorf("idle: %s %s", c.Method, c.Path)
		}
	}
	const retryTimeout = time.Minute // what the emulator tells: 10 s after its own end of a wait
	if most := int(minutes * time.Minute / retryTimeout); reads > most {
		t.Errorf("%d calls for events in %d minutes, want %d at most", reads, minutes, most)
	}
}

// A table larger than Box takes in one piece goes up in parts, and comes back
// identical.
func TestBoxParts(t *testing.T) {
	t.Parallel()
	size, flags, options := 60_000_000, []string(nil), []string(nil)
	if raceBuild { // as many parts, smaller ones
		size, flags, options = 6_000_000, []string{"--min-chunked", "1000", "--part-size", "800000"}, []string{"chunk_above=1000000"}
	}
	box := startBox(t, flags...)
	m := prepareBox(t, box, options...)
	m.Mount()
	m.Sh("mkdir -p demo/datasets")
	big := bigTable(size)
	m.Write(boxTable, big)
	m.Flush()
	parts, uploads := 0, 0
	for _, c := range box.journal() {
		if c.Method == "PUT" {
			parts++
		}
		if c.isUpload() {
			uploads++
		}
	}
	if parts != 8 || uploads != 1 {
		t.Errorf("%d parts, %d uploads; want 8 and 1", parts, uploads)
	}
	sum := sha1.Sum([]byte(big))
	if i := box.items()[boxTable]; i.SHA1 != hex.EncodeToString(sum[:]) || len(i.Versions) != 1 {
		t.Errorf("Box has %s in %d versions, want %x", i.SHA1, len(i.Versions), sum)
	}
	m.Unmount()
	second := prepareBox(t, box, options...)
	second.Mount()
	if second.Read(boxTable) != big {
		t.Error("what comes down is not what went up")
	}
	// Someone writes between the last part and the commit: it answers 412, and the
	// merge has both.
	box.clearJournal()
	box.faults(t, fault{Method: "POST", Path: "/commit$", Times: 1, Action: "stall", Delay: "50s"})
	second.Sh("sed -i '2s/^[^,]*/ours/' " + boxTable)
	eventually(t, "all parts are sent", func() bool {
		parts := 0
		for _, c := range box.journal() {
			if c.Method == "PUT" && c.Status == 200 {
				parts++
			}
		}
		return parts >= 8
	})
	box.put(boxTable, strings.Replace(big, "\nrow 1,", "\ntheirs,", 1))
	box.noFaults()
	second.Flush()
	if _, stale := box.uploads(); stale != 1 {
		t.Errorf("%d uploads met a newer version, want 1", stale)
	}
	got, versions := box.content(boxTable)
	want := strings.Replace(strings.Replace(big, "\nrow 1,", "\ntheirs,", 1), "\nrow 0,", "\nours,", 1)
	if got != want || versions != 3 {
		t.Errorf("Box has %d bytes in %d versions, beginning %.60q; want %d, %.60q", len(got), versions, got, len(want), want)
	}
	eventually(t, "the file has both", func() bool { return second.Read(boxTable) == want })
}

// bigTable is a table of at least size bytes.
func bigTable(size int) string {
	var table strings.Builder
	table.Grow(size + 1<<10)
	table.WriteString("name,text\n")
	text := strings.Repeat("lorem ipsum ", 80)
	for i := 0; table.Len() < size; i++ {
		fmt.Fprintf(&table, "row %d,%s\n", i, text)
	}
	return table.String()
}

// A bad download never reaches the cache: cold the open fails, warm the old bytes
// stay and the state says so.
func TestBoxBadDownloads(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(box *boxPeer){
		"0 bytes":    func(box *boxPeer) { box.knobs(map[string]any{"empty_body": 1000}) },
		"wrong sha1": func(box *boxPeer) { box.knobs(map[string]any{"wrong_bytes": 1000}) },
		"short":      func(box *boxPeer) { box.faults(t, fault{Path: "^/d/1/", Action: "apply_then_cut"}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := startBox(t)
			box.put(boxTable, "q,a\nx,1\n")
			box.put("demo/datasets/cold.csv", "q,a\nx,1\n")
			m := prepareBox(t, box, "timeout=20s")
			m.Mount()
			if got := m.Read(boxTable); got != "q,a\nx,1\n" {
				t.Fatalf("read %q", got)
			}
			set(box)
			box.put(boxTable, "q,a\nx,2\n")
			eventually(t, "the state is offline", func() bool {
				if got := m.Read(boxTable); got != "q,a\nx,1\n" {
					t.Fatalf("with a warm cache: read %q", got)
				}
				return m.Status().State == "offline"
			})
			if _, err := os.ReadFile(m.Path("demo/datasets/cold.csv")); err == nil || !strings.Contains(err.Error(), "input/output error") {
				t.Errorf("with a cold cache: error %v, want EIO", err)
			}
			box.knobs(map[string]any{"empty_body": 0, "wrong_bytes": 0})
			box.noFaults()
			eventually(t, "the new version is shown", func() bool { return m.Read(boxTable) == "q,a\nx,2\n" })
			if got := m.Read("demo/datasets/cold.csv"); got != "q,a\nx,1\n" {
				t.Errorf("read %q", got)
			}
		})
	}
}

// A collaboration that is removed is an empty folder, and no error: nothing that
// is known is dropped, nothing pending is made anew, and the status says why.
func TestBoxCollaborationRemoved(t *testing.T) {
	t.Parallel()
	for _, tables := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(tables), func(t *testing.T) {
			t.Parallel()
			testCollaborationRemoved(t, tables)
		})
	}
}

func testCollaborationRemoved(t *testing.T, tables int) {
	const edited = "demo/datasets/t0.csv"
	box := startBox(t)
	m := prepareBox(t, box)
	want := map[string]string{}
	for i := range tables {
		name := fmt.Sprintf("demo/datasets/t%d.csv", i)
		want[name] = fmt.Sprintf("q,a\nx,%d\n", i)
		box.put(name, want[name])
	}
	m.Mount()
	for name := range want {
		m.Read(name)
	}
	box.faults(t, fault{Path: "/files/[1-9]", Action: "status", Status: 404})
	box.knobs(map[string]any{"hide_listings": 1 << 30})
	box.clearJournal()
	if r := m.Run("refresh", m.Dir); r.Code != 0 {
		t.Logf("refresh: %s", r.Err)
	}
	want[edited] = "q,a\nx,edited\n"
	m.Write(edited, want[edited])
	m.Run("refresh", m.Dir)
	if r := m.Run("flush", "--timeout", "3s", m.Dir); r.Code != 3 {
		t.Errorf("flush: exit code %d, want 3\n%s", r.Code, r.Err)
	}
	for name, content := range want {
		if got := m.Read(name); got != content {
			t.Errorf("%s is %q", name, got)
		}
	}
	for _, c := range box.journal() {
		if c.Method == "POST" && (c.Status < 300 || strings.HasSuffix(c.Path, "/files/content") || strings.HasSuffix(c.Path, "/folders")) {
			t.Errorf("%s %s: %d", c.Method, c.Path, c.Status)
		}
	}
	if s := m.Table(edited); s.State == "clean" || !strings.Contains(s.Reason+s.Error, "not found in the store") {
		t.Errorf("the status says %+v", s)
	}

	// It comes back.
	box.noFaults()
	box.knobs(map[string]any{"hide_listings": 0})
	m.Run("refresh", m.Dir)
	eventually(t, "the edit has arrived", func() bool {
		m.Run("flush", "--timeout", "3s", m.Dir)
		got, _ := box.content(edited)
		return got == want[edited]
	})
	for name, content := range want {
		box.demand(name, content, map[bool]int{true: 2, false: 1}[name == edited])
	}
	m.Unmount()
}

// The limits that Box documents are kept, and what is left of them is shown.
func TestBoxLimits(t *testing.T) {
	t.Parallel()
	box := startBox(t, "--calls-per-minute", "1000", "--uploads-per-minute", "240")
	m := prepareBox(t, box)
	m.Mount()
	m.Sh("mkdir -p demo/datasets; for i in $(seq 25); do echo a > demo/datasets/t$i.csv; done")
	m.Flush()
	for _, c := range box.journal() {
		if c.Status == http.StatusTooManyRequests {
			t.Errorf("%s %s: %d", c.Method, c.Path, c.Status)
		}
	}
	left := map[string]int{}
	for _, l := range m.Status().Limits {
		left[l.Name] = l.Left
		if l.Left < 0 || l.Left >= l.Burst || l.PerMinute <= 0 {
			t.Errorf("%+v", l)
		}
	}
	if len(left) != 2 {
		t.Errorf("the limits are %v", left)
	}
	if out := m.Run("status", m.Dir).Out; !strings.Contains(out, "uploads: 210 a minute") {
		t.Errorf("the status is %s", out)
	}
}
