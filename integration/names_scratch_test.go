package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestScratchIsADisk: what is no table behaves as on the local disk, everywhere in
// the mount, stays over remounts and kills, and is never sent.
func TestScratchIsADisk(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		m.Mount()
		disk := t.TempDir()
		before := m.Calls()
		const script = `set -e; umask 022
			mkdir -p .dir x; cd "$1"; mkdir -p d/e/f; echo one > d/one; ln d/one d/two; ln -s one d/link; ln -s nowhere dangling; mkfifo fifo
			ln d/one one; chmod 600 d/one; truncate -s 1M sparse; echo end >> sparse; echo abc > new; chmod 400 new; touch -d 2020-01-02 d/e/f old
			echo x > a; echo y > b; mv a b; mv d/e d/moved; mv -T d/moved d/e; echo z > c; rm c; mkdir gone; rmdir gone
			exec 3> open; rm open; echo lost >&3; echo again > open; exec 3>&-
			dd if=/dev/zero of=d/dd bs=1000 count=5 seek=3 conv=notrunc status=none; cp -a d copy; tar cf - d | tar xf - -C copy; rm -r copy/d/e
			flock d/one true; echo locked > qa.csv~; echo swap > .qa.csv.swp; rmdir d 2> /dev/null && exit 1; mv d/one d/link 2>&1; stat -c %h one`
		const look = `cd "$1"; find . \( -name '*.csv' \) -prune -o -mindepth 1 \( -type d -printf '%y %m %p\n' -o -type f -printf '%y %m %n %s %p\n' -o -printf '%y %m %l %p\n' \) | sort
			find . -type f ! -name '*.csv' -print0 | sort -z | xargs -0 sha256sum`
		at := func(script, dir, folder string) string {
			t.Helper()
			return m.Sh(fmt.Sprintf("cd '%s'; set -- %s; %s", dir, folder, script))
		}
		for _, folder := range []string{".dir", "p", "p/datasets"} {
			if err := os.MkdirAll(filepath.Join(disk, folder), 0o755); err != nil {
				t.Fatal(err)
			}
			m.Sh("mkdir -p '" + folder + "'")
			if got, want := at(script, m.Dir, folder), at(script, disk, folder); got != want {
				t.Errorf("%s: printed %q, on the disk %q", folder, got, want)
			}
		}
		check := func(when string) {
			t.Helper()
			for _, folder := range []string{".dir", "p/datasets"} {
				if got, want := at(look, m.Dir, folder), at(look, disk, folder); got != want {
					t.Errorf("%s, %s:\n%s\non the disk\n%s", when, folder, got, want)
				}
			}
		}
		check("at once")
		m.Flush()
		if got := m.Calls().rows(); got != before.rows() {
			t.Errorf("sent %+v", got)
		}
		m.Remount()
		check("after a remount")
		m.Kill9()
		m.Mount()
		check("after a kill")
		s.demand("at the end", map[string]string{qa: rowsOf(5), "x/": ""}) // x is a project
	})
}

// TestNewTables: a name becomes a table of the store when it is closed, valid, and
// has stayed for the settle time.
func TestNewTables(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		m.Mount()
		// duckdb and others: a temporary file that looks like a table.
		m.Write("p/datasets/tmp_qa.csv", strings.Replace(rowsOf(5), "a1", "new", 1))
		m.Sh("mv p/datasets/tmp_qa.csv p/datasets/qa.csv; printf 'q,a\n1,2\n' > p/datasets/short.csv; rm p/datasets/short.csv")
		// Not closed, not valid, only begun.
		open, err := os.Create(m.Path("p/datasets/open.csv"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := open.WriteString("q,a\n"); err != nil {
			t.Fatal(err)
		}
		m.Sh(`printf 'q,a\n1,2,3\n' > p/datasets/invalid.csv || true; > p/datasets/empty.csv; printf '%s\n' q,a > p/datasets/header.csv`)
		m.Run("flush", m.Dir)
		want := map[string]string{qa: strings.Replace(rowsOf(5), "a1", "new", 1), "p/datasets/header.csv": "q,a\n"}
		if s.has("p/datasets/open.csv") { // a flush sends what is complete of it
			want["p/datasets/open.csv"] = "q,a\n"
		}
		s.demand("what is valid", want)
		if got := m.Calls(); got.Update != 1 || got.Delete != 0 {
			t.Errorf("sent %+v", got)
		}
		for _, name := range []string{"invalid", "empty"} {
			if table := m.Table("p/datasets/" + name + ".csv"); table.State == "clean" {
				t.Errorf("%s: %+v", name, table)
			}
		}
		if _, err := open.WriteString("1,2\n"); err != nil {
			t.Error(err)
		}
		if err := open.Close(); err != nil {
			t.Error(err)
		}
		m.Sh(`printf 'q,a\n1,2\n' | tee p/datasets/invalid.csv > p/datasets/empty.csv`)
		m.Flush()
		for _, name := range []string{"open", "invalid", "empty"} {
			want["p/datasets/"+name+".csv"] = "q,a\n1,2\n"
		}
		s.demand("at the end", want)
	})
}

// TestExchange of names: among scratch, and of a table with a scratch file.
func TestExchange(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		m.Mount()
		exchange := func(a, b string) syscall.Errno {
			return errnoOf(unix.Renameat2(unix.AT_FDCWD, m.Path(a), unix.AT_FDCWD, m.Path(b), unix.RENAME_EXCHANGE))
		}
		edited := strings.Replace(rowsOf(5), "a1", "new", 1)
		m.Write("p/datasets/qa.csv.sb-1", edited)
		m.Write("p/x", "x")
		m.Write("p/y", "y")
		if errno := exchange("p/x", "p/y"); errno != 0 {
			t.Errorf("scratch: %v", errno)
		}
		if errno := exchange("p/datasets/qa.csv.sb-1", qa); errno != 0 {
			t.Errorf("a table and scratch: %v", errno)
		}
		if errno := exchange("p/datasets/none", qa); errno != syscall.ENOENT {
			t.Errorf("with nothing: %v", errno)
		}
		noReplace := unix.Renameat2(unix.AT_FDCWD, m.Path("p/x"), unix.AT_FDCWD, m.Path(qa), unix.RENAME_NOREPLACE)
		if errnoOf(noReplace) != syscall.EEXIST {
			t.Errorf("without replacing: %v", noReplace)
		}
		m.Flush()
		s.demand("exchanged", map[string]string{qa: edited})
		same(t, "the mount", plainAll(m.shown()), map[string]string{qa: edited, "p/datasets/qa.csv.sb-1": rowsOf(5), "p/x": "y", "p/y": "x"})
		if got := m.Calls().rows(); got != (calls{Update: 1}) {
			t.Errorf("sent %+v, want one update", got)
		}
	})
}

// TestSizesAreTrue also of tables that were never loaded. Listings and lookups
// load nothing where the store knows the size.
func TestSizesAreTrue(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms")
	for i := range 20 {
		m.Seed(fmt.Sprintf("p/datasets/t%d.csv", i), rowsOf(i*7))
	}
	m.Mount()
	m.Sh(`ls -lR > /dev/null; find . -size +1k > /dev/null; du -s . > /dev/null; [ -e p/datasets/t3.csv ]; test -s p/datasets/t4.csv`)
	want := m.Sh(`cd "$R"; stat -c '%s %Y %n' p/datasets/*`)
	if got := m.Sh("stat -c '%s %Y %n' p/datasets/*"); got != want {
		t.Errorf("the mount shows\n%swant\n%s", got, want)
	}
	if got := m.Calls(); got.Load != 0 {
		t.Errorf("%d loads", got.Load)
	}
	m.Sh("cat p/datasets/* > /dev/null")
	if got := m.Sh("stat -c '%s %Y %n' p/datasets/*"); got != want {
		t.Errorf("after the load the mount shows\n%swant\n%s", got, want)
	}
	if got := m.Calls(); got.Load != 20 {
		t.Errorf("%d loads", got.Load)
	}
}

// TestSizesOfRows: a row store does not know the size of its tables as files.
// Names are looked up and listed without a load; only stat needs one, once.
func TestSizesOfRows(t *testing.T) {
	t.Parallel()
	e := startMemory(t)
	m := prepare(t, "memory", "address="+e.Address, "write_back=200ms", "ttl=1h")
	s := shelf{m: m, e: e}
	for i := range 12 {
		s.put(fmt.Sprintf("p/datasets/t%d.csv", i), rowsOf(i*7))
	}
	m.Mount()
	m.Sh("ls p/datasets > /dev/null; find . > /dev/null; python3 -c 'import os; list(os.scandir(\"p/datasets\"))'; cd p/datasets; echo *.csv > /dev/null")
	if got := m.Calls(); got.Load != 0 {
		t.Errorf("listings took %d loads", got.Load)
	}
	m.Sh("ls -l p/datasets > /dev/null; ls -l p/datasets > /dev/null")
	if got := m.Calls(); got.Load != 12 {
		t.Errorf("ls -l took %d loads", got.Load)
	}
	sizes := m.Sh("cd p/datasets; stat -c '%s %n' *; wc -c *")
	m.Remount()
	if got := m.Sh("cd p/datasets; stat -c '%s %n' *; wc -c *"); got != sizes {
		t.Errorf("the sizes are\n%sbefore the remount\n%s", got, sizes)
	}
	for line := range strings.Lines(m.Sh("cd p/datasets; for f in *; do echo $(stat -c %s $f) $(cat $f | wc -c); done")) {
		var size, bytes int
		if _, err := fmt.Sscan(line, &size, &bytes); err != nil || size != bytes {
			t.Errorf("size and bytes are %s", line)
		}
	}
	if got := m.Calls(); got.Load != 0 {
		t.Errorf("after the remount %d loads", got.Load)
	}
}

// TestLinkOfTable keeps what the table holds, as a file of its own: so programs
// keep the old version (`gawk -i inplace` with a suffix knows no other way).
func TestLinkOfTable(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.put("p/datasets/unread.csv", rowsOf(3))
		m.Mount("write_back=manual")
		edited := strings.Replace(rowsOf(5), "a3", "new", 1)
		m.Sh(`cd p/datasets; ln qa.csv qa.csv.bak; sed -i s/a3/new/ qa.csv; ln unread.csv unread.bak; ln qa.csv.bak second; touch t; mkdir -p ../dir; cp -l qa.csv ../dir/
			ln qa.csv t 2> /dev/null && exit 1; ln t new.csv 2> /dev/null && exit 1; ln -s t new.csv 2> /dev/null && exit 1; rm t`)
		m.Flush()
		tables := map[string]string{qa: edited, "p/datasets/unread.csv": rowsOf(3)}
		s.demand("edited", tables)
		scratch := map[string]string{"p/datasets/qa.csv.bak": rowsOf(5), "p/datasets/second": rowsOf(5), "p/datasets/unread.bak": rowsOf(3), "p/dir/qa.csv": edited}
		same(t, "the mount", plainAll(m.shown()), mergeFiles(tables, scratch))
		m.Remount()
		same(t, "after a remount", plainAll(m.shown()), mergeFiles(tables, scratch))
		// Writing to the one link writes to the other, and not to the table.
		m.Sh(`cd p/datasets; cp qa.csv.bak keep; echo more >> second; [ "$(tail -1 qa.csv.bak)" = more ]; ! grep more qa.csv; mv keep qa.csv`)
		m.Flush()
		s.demand("put back", map[string]string{qa: rowsOf(5), "p/datasets/unread.csv": rowsOf(3)})
	})
}

// TestOneProject: -o project= shows one project at the top.
func TestOneProject(t *testing.T) {
	eachStore(t, func(t *testing.T, m *mounted, s shelf) {
		s.put(qa, rowsOf(5))
		s.put("other/datasets/qa.csv", rowsOf(3))
		m.Mount("project=p", "delete_after=1h")
		same(t, "the mount", m.shown(), map[string]string{"datasets/qa.csv": rowsOf(5)})
		m.Sh(`mkdir sub; echo x > sub/notes; echo y > top.csv; printf 'q,a\nx,1\ny,2\n' > experiments/run.csv; touch -d '2 hours ago' sub/notes; mkdir datasets 2> /dev/null && exit 1; rmdir datasets 2> /dev/null && exit 1; true`)
		m.appendLines("datasets/qa.csv", "q5,a5\n")
		m.Flush()
		want := map[string]string{qa: rowsOf(5) + "q5,a5\n", "p/experiments/run.csv": small, "other/datasets/qa.csv": rowsOf(3)}
		s.demand("edited", want)
		if notices := fmt.Sprint(m.Status().Notices); !strings.Contains(notices, "sub/notes") || strings.Contains(notices, "p/sub") {
			t.Errorf("the status says %s", notices)
		}
		m.Sh("mv datasets/qa.csv datasets/away")
		m.held("datasets/qa.csv", "renamed away")
		m.must("discard", m.Path("datasets/qa.csv"))
		m.Sh("mv experiments/run.csv experiments/b.csv")
		m.Unmount()
		m.Mount("project=p")
		same(t, "the mount", plainAll(m.shown()), map[string]string{"datasets/qa.csv": want[qa], "experiments/b.csv": small,
			"sub/notes": "x\n", "top.csv": "y\n", "datasets/away": want[qa]})
		delete(want, "p/experiments/run.csv")
		want["p/experiments/b.csv"] = small
		s.demand("at the end", want)
	})
}

// TestRootIsProject: -o project=. with local/csv, the layout of Ragas 0.3 and later.
func TestRootIsProject(t *testing.T) {
	t.Parallel()
	m := prepare(t, "local/csv", "write_back=200ms", "project=.")
	m.Seed("datasets/qa.csv", rowsOf(5))
	m.Mount()
	m.Sh(`[ "$(echo *)" = "datasets experiments" ]; cp datasets/qa.csv experiments/run.csv; mv datasets/qa.csv datasets/b.csv; echo x > notes`)
	m.Flush()
	same(t, "root_dir", tree(t, m.Root), map[string]string{"datasets/b.csv": rowsOf(5), "experiments/run.csv": rowsOf(5)})
	m.Remount()
	same(t, "the mount", m.shown(), map[string]string{"datasets/b.csv": rowsOf(5), "experiments/run.csv": rowsOf(5), "notes": "x\n"})
}
