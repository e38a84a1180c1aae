package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
)

// tables is one table in each state.
func tables() []cache.TableStatus {
	create := "create"
	since := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return []cache.TableStatus{
		{Path: "p/datasets/clean.csv", State: "clean", Rows: 3},
		{Path: "p/datasets/dirty.csv", State: "dirty", Pending: cache.PendingRows{Append: 2, Update: 1}, TableOp: &create, Since: &since},
		{Path: "p/datasets/held.csv", State: "held", Reason: "every row is gone (ragasfs confirm held.csv | ragasfs discard held.csv)"},
		{Path: "p/datasets/in valid.csv", State: "invalid", Error: "line 3, column 2: bare quote"},
		{Path: "q/experiments/rejected.csv", State: "rejected", Error: "too long"},
		{Path: "q/experiments/conflict.csv", State: "conflict", Reason: "1 cell; ragasfs confirm sends ours"},
	}
}

const named = "ragasfs: MNT/p/datasets/dirty.csv: not sent yet (create table, 2 new, 1 changed); send it with `ragasfs flush MNT/p/datasets/dirty.csv`\n" +
	"ragasfs: MNT/p/datasets/held.csv: held: every row is gone; send it with `ragasfs confirm MNT/p/datasets/held.csv` or go back with `ragasfs discard MNT/p/datasets/held.csv`\n" +
	"ragasfs: MNT/p/datasets/in valid.csv: invalid: line 3, column 2: bare quote; save it again, or go back with `ragasfs discard 'MNT/p/datasets/in valid.csv'`\n"

const namedToo = "ragasfs: MNT/q/experiments/rejected.csv: rejected: too long; change the rows in rejected.csv, or try again with `ragasfs flush --retry MNT/q/experiments/rejected.csv`\n" +
	"ragasfs: MNT/q/experiments/conflict.csv: conflict: 1 cell; send yours with `ragasfs confirm MNT/q/experiments/conflict.csv` or take theirs with `ragasfs discard MNT/q/experiments/conflict.csv`\n"

func TestDecisions(t *testing.T) {
	for command, done := range map[string]string{"confirm": "confirmed", "discard": "discarded", "refresh": "refreshed"} {
		t.Run(command, func(t *testing.T) {
			w := newWorld(t)
			w.run(command, "MNT/p/datasets/qa.csv").want(t, 0, done+" MNT/p/datasets/qa.csv\n", "")
			w.store.wasAsked(t, command+" p/datasets/qa.csv")
			w.store.outcome = fmt.Errorf("qa.csv: nothing is held: %w", backends.ErrNotFound)
			w.run(command, "MNT").want(t, 1, "", "ragasfs: qa.csv: nothing is held: not found in the store\n")
			w.store.wasAsked(t, command+" ")
		})
	}
}

func TestDiffAndFind(t *testing.T) {
	w := newWorld(t)
	w.run("diff", "MNT/a.csv").want(t, 0, "+ a row\n", "")
	w.run("find", "MNT/a.csv", "q=x=y").want(t, 0, "id,q\n7,x\n", "")
	w.run("find", "MNT/a.csv", "q=").want(t, 0, "id,q\n7,x\n", "")
	w.store.wasAsked(t, "diff a.csv", "find a.csv q x=y", "find a.csv q ")
	w.store.outcome = backends.ErrUnavailable
	w.run("find", "MNT/a.csv", "q=x").want(t, 1, "id,q\n7,x\n", "ragasfs: store not reachable\n")
}

func TestFlush(t *testing.T) {
	w := newWorld(t)
	w.run("flush", "MNT/a.csv", "MNT/b").want(t, 0, "", "")
	w.store.wasAsked(t, "flush a.csv b false")

	w.store.outcome = fmt.Errorf("something: %w", cache.ErrPending)
	w.store.status = cache.Status{Tables: tables()}
	w.run("flush", "--retry", "MNT/p").want(t, 3, "", named)
	w.store.wasAsked(t, "flush p true", "status ")
	w.run("flush", "MNT").want(t, 3, "", named+namedToo)

	w.store.outcome = backends.ErrAuth
	w.run("flush", "MNT").want(t, 1, "", "ragasfs: not authorised\n")

	w.store.hang = true
	w.run("flush", "--timeout", "1ms", "MNT/p").want(t, 3, "",
		"ragasfs: MNT: no progress for 1ms; it goes on in the background\n"+named)
}

func TestStatusOfPath(t *testing.T) {
	w := newWorld(t)
	w.store.status = cache.Status{Mountpoint: w.mnt, Source: "memory", Backend: "memory", PID: 7, State: "online"}
	w.run("status", "MNT").want(t, 0, "MNT: memory, online, pid 7\n  nothing is pending\n", "")

	w.store.status.Tables = tables()[:1]
	w.run("status", "MNT/p/datasets/clean.csv").want(t, 0,
		"MNT: memory, online, pid 7\n  nothing is pending\n  p/datasets/clean.csv: clean, 3 rows\n", "")

	w.store.status.Tables = tables()[2:3]
	w.store.status.Pending = cache.PendingTotal{Tables: 1, Rows: 5}
	w.store.status.Notices = []string{"2 files are only on this machine"}
	r := w.run("status", "MNT/p")
	want := "MNT: memory, online, pid 7\n  5 rows in 1 table not sent\n  p/datasets/held.csv: held: every row is gone\n" +
		"  note: 2 files are only on this machine\n"
	if r.code != 3 || r.out != want || !strings.HasPrefix(r.err, "ragasfs: MNT/p/datasets/held.csv: held") {
		t.Errorf("got %+v, want code 3 and %q", r, want)
	}
	w.run("status", "MNT/nowhere.csv").want(t, 1, "", "ragasfs: nowhere.csv: no such table: not found in the store\n")
}

// TestStatusJSON checks the form that is fixed for programs.
func TestStatusJSON(t *testing.T) {
	w := newWorld(t)
	w.store.status = cache.Status{Mountpoint: "/m", Source: "memory", Backend: "memory", PID: 7, State: "offline"}
	const head = `{"mountpoint":"/m","source":"memory","backend":"memory","pid":7,"state":"offline",` +
		`"pending":{"tables":0,"rows":0},"calls":{"list":0,"load":0,"append":0,"update":0,"delete":0},"tables":[`
	w.run("status", "--json", "MNT").want(t, 0, head+"]}\n", "")
	w.store.status.Tables = tables()[1:2]
	r := w.run("status", "MNT", "--json")
	if want := head + `{"path":"p/datasets/dirty.csv","state":"dirty","rows":0,"pending":{"append":2,"update":1,"delete":0,"columns":0},` +
		`"table_op":"create","reason":"","error":"","since":"2026-11-24T12:00:00Z"}]}` + "\n"; r.code != 3 || r.out != want {
		t.Errorf("got %d %s\nwant 3 %s", r.code, r.out, want)
	}
	// Without a path: one object for each mount, and no special exit code.
	w.run("status", "--json").want(t, 0, r.out, "")
	w.run("status", "--json", "--state-dir", "DIR/other").want(t, 0, "", "")
	w.run("status", "--state-dir", "DIR/other").want(t, 0, "nothing is mounted, nothing waits to be sent\n", "")
	w.run("status", "--json", "--state-dir", "DIR/state").want(t, 0, r.out, "")
}

func TestStatusOfAll(t *testing.T) {
	w := newWorld(t)
	w.store.status = cache.Status{Mountpoint: w.mnt, Backend: "memory", PID: 7, State: "online"}
	w.table = append(w.table, w.table[0])
	w.table[1].Mountpoint, w.table[1].Device = "/dead", "0:100"
	w.run("status").want(t, 0, "MNT: memory, online, pid 7\n  nothing is pending\n",
		"ragasfs: /dead: its process is gone; clean up with `ragasfs unmount /dead`\n")

	w.table = nil
	w.kill()
	w.run("status").want(t, 0, "nothing is mounted, nothing waits to be sent\n", "")
}

func TestNoDaemon(t *testing.T) {
	w := newWorld(t)
	w.kill()
	for _, args := range [][]string{{"status", "MNT"}, {"flush", "MNT"}, {"confirm", "MNT/a"}, {"diff", "MNT"}, {"find", "MNT/a", "b=c"}} {
		w.run(args...).want(t, 1, "", "ragasfs: MNT: its ragasfs process is gone: not in a ragasfs mount; "+
			"`ragasfs unmount MNT` cleans up, and a new mount resumes what was not sent\n")
	}
	w.run("status", "DIR").want(t, 1, "", "ragasfs: DIR: not in a ragasfs mount; `ragasfs status` lists the mounts\n")
}

func TestBackends(t *testing.T) {
	w := newWorld(t)
	r := w.run("backends")
	if r.code != 0 || !strings.HasPrefix(r.out, "memory: ") || !strings.Contains(r.out, "\n    -o address ") {
		t.Errorf("got %+v", r)
	}
	var list []struct {
		Name    string
		Options []struct{ Name, Default, Env, Help string }
	}
	r = w.run("backends", "--json")
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != 1 || list[0].Name != "memory" || len(list[0].Options) == 0 {
		t.Errorf("got %s: %v", r.out, err)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ args, want string }{
		{"frob", `unknown command "frob"; usage: ragasfs`},
		{"--frob", "unknown flag: --frob; usage: ragasfs"},
		{"mount memory", "accepts 2 arg(s), received 1; usage: ragasfs mount SOURCE MOUNTPOINT"},
		{"mount memory MNT --log-level loud", `invalid argument "loud"`},
		{"mount nope MNT", `backend "nope" not found; available: memory`},
		{"mount memory MNT -o nope=1", "-o nope: unknown option; known: address, allow_other,"},
		{"mount memory MNT -o ttl=x", `-o ttl=x: "x" is no duration`},
		{"unmount", "accepts 1 arg(s), received 0; usage: ragasfs unmount MOUNTPOINT"},
		{"unmount MNT --timeout soon", `invalid argument "soon"`},
		{"flush", "requires at least 1 arg(s)"},
		{"status a b", "accepts at most 1 arg(s)"},
		{"find MNT field", `"field" is not of the form FIELD=VALUE`},
		{"find MNT =x", `"=x" is not of the form FIELD=VALUE`},
		{"version x", "unknown command \"x\" for \"ragasfs version\""},
	} {
		r := w.run(strings.Fields(test.args)...)
		if r.code != 2 || !strings.HasPrefix(r.err, "ragasfs: "+test.want) || strings.Count(r.err, "\n") != 1 {
			t.Errorf("%s: code %d, stderr %q; want 2 and one line with %q", test.args, r.code, r.err, test.want)
		}
	}
	if r := w.run(); r.code != 2 || r.out != "" || !strings.Contains(r.err, "Available Commands:") {
		t.Errorf("without arguments: %+v, want code 2 and help on stderr", r)
	}
	w.store.wasAsked(t)
}

func TestHelp(t *testing.T) {
	w := newWorld(t)
	r := w.run("--help")
	for _, command := range []string{
		"mount", "unmount", "flush", "status", "diff", "confirm", "discard", "refresh", "find", "backends", "version", "completion",
	} {
		if r.code != 0 || !strings.Contains(r.out, "\n  "+command+" ") {
			t.Errorf("ragasfs --help (code %d) does not list %s", r.code, command)
		}
		if r := w.run(command, "--help"); r.code != 0 || r.err != "" || !strings.Contains(r.out, "Usage:") {
			t.Errorf("%s --help: %+v", command, r)
		}
	}
	if r := w.run("mount", "--help"); !strings.Contains(r.out, "write_back=DURATION|manual") || !strings.Contains(r.out, "on_conflict=hold|ours|theirs") {
		t.Errorf("mount --help lacks the options: %s", r.out)
	}
	if r := w.run("completion", "bash"); r.code != 0 || !strings.Contains(r.out, "bash completion") || r.err != "" {
		t.Errorf("completion bash: code %d, stderr %q", r.code, r.err)
	}
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}} {
		if r := w.run(args...); r.code != exitUsage || r.out != "" || !strings.Contains(r.err, "one of bash, fish, powershell, zsh") {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := w.run("version"); r.code != 0 || !strings.HasPrefix(r.out, "ragasfs ") {
		t.Errorf("version: %+v", r)
	}
}
