package integration

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// relay passes connections on to a server until it is closed: the server is down
// then, and keeps its state.
type relay struct {
	t       testing.TB
	address string
	to      string

	mu       sync.Mutex
	listener net.Listener      // guarded by mu; nil: down
	open     map[net.Conn]bool // guarded by mu
	most     int               // guarded by mu: connections at a time
}

// mostOpen is how many connections there have been at a time.
func (r *relay) mostOpen() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

func newRelay(t testing.TB, to string) *relay {
	t.Helper()
	r := &relay{t: t, address: "127.0.0.1:0", to: to, open: map[net.Conn]bool{}}
	r.up()
	t.Cleanup(r.down)
	return r
}

// up listens (again, at the same address).
func (r *relay) up() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.address = listener.Addr().String()
	r.mu.Lock()
	r.listener = listener
	r.mu.Unlock()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // down
			}
			r.pass(listener, conn)
		}
	}()
}

func (r *relay) pass(listener net.Listener, conn net.Conn) {
	other, err := net.Dial("tcp", r.to)
	if err != nil {
		_ = conn.Close() // as a server would that is not there
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener != listener {
		_, _ = conn.Close(), other.Close() // down meanwhile
		return
	}
	r.open[conn], r.open[other] = true, true
	r.most = max(r.most, len(r.open)/2)
	for from, to := range map[net.Conn]net.Conn{conn: other, other: conn} {
		go func() {
			_, _ = io.Copy(to, from)        // until either side ends it
			_, _ = to.Close(), from.Close() // may be closed by the other direction
			r.mu.Lock()
			delete(r.open, from)
			r.mu.Unlock()
		}()
	}
}

// down refuses connections and cuts those that there are.
func (r *relay) down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener == nil {
		return
	}
	_ = r.listener.Close() // it listens
	r.listener = nil
	for conn := range r.open {
		_ = conn.Close() // it may be closed
	}
}

// prepareRelayed is prepareRagas with a relay before the server, and a table of
// three rows.
func prepareRelayed(t testing.TB) (*mounted, *emulator, *relay) {
	t.Helper()
	m, e := prepareRagas(t)
	r := newRelay(t, e.Address)
	m.options = append(m.options, "api_url=http://"+r.address, "timeout=2s") // the last one counts
	other := newPeer(t, e)
	project := other.project("p")
	for _, name := range []string{"qa", "unread"} {
		other.rows(other.table(project, "datasets", name, bigColumns), 3, bigRow)
	}
	return m, e, r
}

// TestRagasAppServerDownWarm: with a cache, everything that was read works on,
// and what was edited goes out when the server is back.
func TestRagasAppServerDownWarm(t *testing.T) {
	t.Parallel()
	m, e, r := prepareRelayed(t)
	m.Mount()
	before := m.Read(qa)
	m.Unmount()
	r.down()
	m.Mount()
	if got := m.Read(qa); got != before {
		t.Errorf("the cache has\n%s, want\n%s", got, before)
	}
	m.Sh("sed -i 's/question 1/edited offline/' " + qa)
	f := m.Run("flush", "--timeout", "1s", m.Dir)
	if f.Code != 3 || !strings.Contains(f.Err, "qa.csv") {
		t.Errorf("flush: exit code %d, %s%s", f.Code, f.Out, f.Err)
	}
	if s := m.Status(); s.State != "offline" || s.Pending.Tables != 1 {
		t.Errorf("the status is %+v", s)
	}
	// What was never loaded can't be read: an error within a bounded time, but
	// never "does not exist", and never nothing.
	if data, err := os.ReadFile(m.Path("p/datasets/unread.csv")); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("a table that is not cached: %q, error %v", data, err)
	}
	if out := m.Sh("ls p/datasets"); out != "qa.csv\nunread.csv\n" {
		t.Errorf("ls shows %q", out)
	}
	r.up()
	m.WaitClean()
	if got := string(e.ragasState(t)["p/datasets/qa"].Rows[1].Cells["q"]); got != `"edited offline"` {
		t.Errorf("the server has %s", got)
	}
	if got := m.Read("p/datasets/unread.csv"); strings.Count(got, "\n") != 4 {
		t.Errorf("the other table is %q", got)
	}
}

// TestRagasAppServerDownCold: without a cache, `mount` ends with an error that
// says why, within twice the timeout.
func TestRagasAppServerDownCold(t *testing.T) {
	t.Parallel()
	m, _, r := prepareRelayed(t)
	r.down()
	start := time.Now()
	got := m.TryMount()
	took := time.Since(start)
	if got.Code == 0 { // it may mount without the names: then the names are not "not there"
		entries, err := os.ReadDir(m.Dir)
		if err == nil {
			t.Errorf("ls shows %v", entries)
		}
	} else if !strings.Contains(got.Err, r.address) {
		t.Errorf("mount says %q", got.Err)
	}
	if took > patience {
		t.Errorf("it took %s", took)
	}
}

// TestRagasAppKeyStopsWorking: state auth, reading goes on, nothing is dropped,
// and the file with the key is read again.
func TestRagasAppKeyStopsWorking(t *testing.T) {
	t.Parallel()
	m, e, _ := prepareRelayed(t)
	m.Mount()
	before := m.Read(qa)
	writeKey(t, m.keyFile(), "revoked-key")
	m.Sh("sed -i 's/question 1/edited/' " + qa)
	if f := m.Run("flush", "--timeout", "1s", m.Dir); f.Code != 3 {
		t.Errorf("flush: exit code %d, %s", f.Code, f.Err)
	}
	eventually(t, "the state is auth", func() bool { return m.Status().State == "auth" })
	if got := m.Read(qa); got != strings.Replace(before, "question 1", "edited", 1) {
		t.Errorf("the table is\n%s", got)
	}
	log := readFile(t, m.Log) + m.Run("status", m.Dir).Out + m.Run("status", "--json", m.Dir).Out
	if strings.Contains(log, "revoked-key") || strings.Contains(log, ragasToken) {
		t.Error("a key stands in the log or the status")
	}
	writeKey(t, m.keyFile(), ragasToken)
	m.WaitClean()
	if got := string(e.ragasState(t)["p/datasets/qa"].Rows[1].Cells["q"]); got != `"edited"` {
		t.Errorf("the server has %s", got)
	}
}

func writeKey(t testing.TB, path, key string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRagasAppOtherWorkspace: with the key of another workspace nothing that is
// pending is sent, and nothing that is cached goes away; whether the key is
// another one at the next mount, or all of a sudden.
func TestRagasAppOtherWorkspace(t *testing.T) {
	for _, when := range []string{"at the next mount", "while mounted"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			testOtherWorkspace(t, when == "while mounted")
		})
	}
}

func testOtherWorkspace(t *testing.T, mounted bool) {
	m, e := prepareRagas(t, "--other-token", "other-token")
	other := newPeer(t, e)
	project := other.project("p")
	for _, name := range []string{"qa", "removed"} {
		other.rows(other.table(project, "datasets", name, bigColumns), 3, bigRow)
	}
	m.options = append(m.options, "write_back=manual")
	m.Mount()
	m.Sh("cat p/datasets/*.csv > /dev/null; sed -i 's/question 1/edited/' " + qa + "; rm p/datasets/removed.csv; cp " + qa + " p/datasets/new.csv; mkdir fresh")
	before := m.Read(qa)
	change := func(key string) {
		if mounted {
			writeKey(t, m.keyFile(), key)
			return
		}
		m.Kill9()
		writeKey(t, m.keyFile(), key)
		r := m.TryMount()
		if said := strings.Contains(r.Err, "not the store that was mounted before"); r.Code != 0 || said != (key != ragasToken) {
			t.Errorf("mount with %s: exit code %d, %s", key, r.Code, r.Err)
		}
	}
	change("other-token")
	made := e.callsOf(t, func() {
		for range 2 { // a second look at what is missing changes nothing
			if f := m.Run("flush", "--timeout", "2s", m.Dir); f.Code != 3 {
				t.Errorf("flush: exit code %d, %s", f.Code, f.Err)
			}
		}
		m.Run("refresh", m.Path(qa)) // it may fail, and must not change anything
	})
	for _, c := range made {
		if c.Method != "GET" {
			t.Errorf("sent to the other workspace: %s %s, answered %d", c.Method, c.Path, c.Status)
		}
	}
	if got := m.Read(qa); got != before {
		t.Errorf("the table is\n%s", got)
	}
	if s := m.Status(); mounted && s.State != "auth" || len(s.Notices) == 0 {
		t.Errorf("the status is %+v", s)
	}
	change(ragasToken)
	m.Flush()
	tables := e.ragasState(t)
	if _, there := tables["p/datasets/removed"]; there || len(tables) != 2 || len(tables["p/datasets/new"].Rows) != 3 {
		t.Errorf("the server has %v", tables)
	}
	if got := string(tables["p/datasets/qa"].Rows[1].Cells["q"]); got != `"edited"` {
		t.Errorf("the server has %s", got)
	}
}

// TestRagasAppConflict: the same cell edited on both sides is overwritten on
// neither; other edits go out; confirm sends ours, discard takes theirs.
func TestRagasAppConflict(t *testing.T) {
	for _, verb := range []string{"confirm", "discard"} {
		t.Run(verb, func(t *testing.T) {
			t.Parallel()
			m, e := prepareRagas(t)
			m.options = append(m.options, "write_back=manual")
			other := newPeer(t, e)
			path := other.table(other.project("p"), "datasets", "qa", bigColumns)
			other.rows(path, 4, bigRow)
			m.Mount()
			m.Sh("sed -i 's/question 1/ours/; s/question 2/also ours/; s/,3,/,33,/' " + qa)
			other.set(path, "r1", `{"c-q": "theirs"}`)
			other.set(path, "r3", `{"c-q": "theirs, another cell"}`)
			f := m.Run("flush", m.Dir)
			if f.Code != 3 || !strings.Contains(f.Err, "confirm") {
				t.Errorf("flush: exit code %d, %s", f.Code, f.Err)
			}
			m.WaitState(qa, "conflict")
			check := func(when string, want ...string) {
				t.Helper()
				rows := e.ragasState(t)["p/datasets/qa"].Rows
				for i, w := range want {
					if got := fmt.Sprintf("%s %s", rows[i].Cells["q"], rows[i].Cells["n"]); got != w {
						t.Errorf("%s: row %d is %s, want %s", when, i, got, w)
					}
				}
			}
			check("in conflict", `"question 0" 0`, `"theirs" 1`, `"also ours" 2`, `"theirs, another cell" 33`)
			if got := m.Read(qa); !strings.Contains(got, "\nr1,ours,1,") {
				t.Errorf("the file is\n%s", got)
			}
			if got := m.Read(".ragasfs/conflicts/" + qa); !strings.Contains(got, "\nr1,q,question 1,theirs,ours,") {
				t.Errorf("the view of conflicts is\n%s", got)
			}
			m.must(verb, m.Path(qa))
			m.Flush()
			if entries, err := os.ReadDir(m.Path(".ragasfs/conflicts")); err != nil || len(entries) > 0 {
				t.Errorf("in the view of conflicts are still %v (%v)", entries, err)
			}
			want := map[string]string{"confirm": `"ours" 1`, "discard": `"theirs" 1`}[verb]
			check("after "+verb, `"question 0" 0`, want, `"also ours" 2`, `"theirs, another cell" 33`)
			eventually(t, "the file says so", func() bool {
				return strings.Contains(m.Read(qa), strings.NewReplacer(`"`, "", " ", ",").Replace(want)) && strings.Contains(m.Read(qa), "another cell")
			})
		})
	}
}

// TestRagasAppStalledRead: a first load that gets no answer can be interrupted,
// and ends by itself within twice the timeout.
func TestRagasAppStalledRead(t *testing.T) {
	t.Parallel()
	m, e, _ := prepareRelayed(t)
	m.Mount()
	e.faults(t, fault{Method: "GET", Path: `/rows`, Action: "stall"})
	start := time.Now()
	_, err := os.ReadFile(m.Path(qa))
	if err == nil || errnoOf(err) == syscall.ENOENT {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %s", took)
	}
	e.call(t, "DELETE", "/_emulator/faults", nil, nil)
	eventually(t, "it is read", func() bool {
		data, err := os.ReadFile(m.Path(filepath.Clean(qa)))
		return err == nil && strings.Count(string(data), "\n") == 4
	})
}

// TestRagasAppColumnsElsewhere: what a colleague does to the columns shows after
// a refresh, and edits of ours go on.
func TestRagasAppColumnsElsewhere(t *testing.T) {
	t.Parallel()
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	path := other.table(other.project("p"), "datasets", "qa", bigColumns)
	other.rows(path, 3, bigRow)
	m.Mount()
	if header := strings.SplitN(m.Read(qa), "\n", 2)[0]; header != "_row_id,q,n,ok" {
		t.Errorf("the header is %q", header)
	}
	other.do("PATCH", path+"/columns/c-q", map[string]string{"name": "question"}, nil)
	other.do("POST", path+"/columns", peerColumn{"c-new", "new", "longText", map[string]any{"position": 3}}, nil)
	m.must("refresh", m.Path(qa))
	eventually(t, "the columns show", func() bool { return strings.HasPrefix(m.Read(qa), "_row_id,question,n,ok,new\n") })
	m.Sh("sed -i 's/question 1,1,False,/edited,1,False,mine/' " + qa)
	m.Flush()
	row := e.ragasState(t)["p/datasets/qa"].row(t, "r1")
	if string(row.Data["c-q"]) != `"edited"` || string(row.Data["c-new"]) != `"mine"` {
		t.Errorf("the row is %s", row.Data)
	}
}
