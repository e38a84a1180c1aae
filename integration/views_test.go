package integration

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestViews: .ragasfs is not listed, can't be changed, and tells what waits and
// why.
func TestViews(t *testing.T) { onStores(t, testViews) }

func testViews(t *testing.T, store string) {
	t.Parallel()
	m := prepareOn(t, store, "write_back=1h")
	m.Seed(qa, tableOf(0, 30))
	m.Mount()
	if list := m.Sh("ls -A . && ls -A .ragasfs"); list != "p\nconflicts\nhistory\npending.csv\nrejected.csv\nstatus.json\n" {
		t.Errorf("listed are\n%s", list)
	}
	records := func(name string) [][]string {
		t.Helper()
		list, err := csv.NewReader(strings.NewReader(m.Read(".ragasfs/" + name))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if header := strings.Join(list[0], ","); header != "project,kind,table,op,row_id,column,before,after,reason,since" {
			t.Fatalf("%s begins with %s", name, header)
		}
		return list[1:]
	}
	for _, name := range []string{"pending.csv", "rejected.csv"} {
		if list := records(name); len(list) > 0 {
			t.Errorf("at first, %s has %v", name, list)
		}
	}

	before := m.Read(qa)
	first := strings.Split(before, "\n")[1]
	cells := strings.Split(first, ",")
	m.Write(qa, strings.Replace(before, first, strings.Join(append(slices.Clone(cells[:len(cells)-1]), "777"), ","), 1))
	list := records("pending.csv")
	if len(list) != 1 || strings.Join(list[0][:4], ",") != "p,datasets,qa,update" || list[0][6] != strings.TrimSpace(cells[len(cells)-1]) || list[0][7] != "777" {
		t.Errorf("one edited cell is pending as %v", list)
	}
	var status status
	if err := json.Unmarshal([]byte(m.Read(".ragasfs/status.json")), &status); err != nil || len(status.Tables) != 1 {
		t.Errorf("status.json: %v, %v", status, err)
	}
	if size := m.Sh("stat -c %s .ragasfs/pending.csv"); strings.TrimSpace(size) != fmt.Sprint(len(m.Read(".ragasfs/pending.csv"))) {
		t.Errorf("the size of pending.csv is %s", size)
	}
	m.Flush()
	if list := records("pending.csv"); len(list) > 0 {
		t.Errorf("after the flush, %v are pending", list)
	}

	// Held: why, beside each cell.
	m.Write(qa, strings.Split(before, "\n")[0]+"\n")
	m.Run("flush", m.Dir)
	m.WaitState(qa, "held")
	list = records("pending.csv")
	if len(list) == 0 || list[0][3] != "delete" || !strings.HasPrefix(list[0][8], "held: ") {
		t.Errorf("a held save is pending as %v", list)
	}
	m.must("discard", m.Path(qa))
	kept := strings.Fields(m.Sh("find .ragasfs/history -type f -name '*.csv' | sort"))
	if !slices.ContainsFunc(kept, func(name string) bool { return m.Read(name) == strings.Split(before, "\n")[0]+"\n" }) {
		t.Errorf("what was discarded is not in the history: %v", kept)
	}

	for what, err := range map[string]error{
		"write":  os.WriteFile(m.Path(".ragasfs/status.json"), []byte("x"), 0o600),
		"create": os.WriteFile(m.Path(".ragasfs/new"), []byte("x"), 0o600),
		"mkdir":  os.Mkdir(m.Path(".ragasfs/conflicts/p"), 0o700),
		"remove": os.Remove(m.Path(".ragasfs/pending.csv")),
		"rename": os.Rename(m.Path(qa), m.Path(".ragasfs/qa.csv")),
		"move":   os.Rename(m.Path(".ragasfs"), m.Path("q")),
		"chmod":  os.Chmod(m.Path(".ragasfs/pending.csv"), 0o600),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", what, err)
		}
	}
}
