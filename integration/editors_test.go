package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// saver is a program that changes one cell of a table and saves it in its own
// way. The script runs in the directory of the table; $T is the table's name,
// $PY a Python, $W a directory elsewhere. It changes "needle" to "NEEDLE".
type saver struct {
	name, needs, script string
}

// savers are the ways to save of facts/saves.md, one a line: in place, by a
// temporary file and a rename, by renaming away, by unlinking.
func savers() []saver {
	const (
		emacs = `HOME=$W emacs -Q --batch "$T" --eval '(progn `
		edit  = `(goto-char (point-min)) (let ((case-fold-search nil)) (search-forward "needle") (replace-match "NEEDLE" t t)) (save-buffer))'`
	)
	vimWith := func(set string) string {
		return `vim -u NONE -N -i NONE -es -c 'set ` + set + `' -c '%s/needle/NEEDLE/' -c 'wq' "$T"`
	}
	python := func(lines ...string) string {
		return `"$PY" - "$T" <<'PY'` + "\nimport os, sys\nt = sys.argv[1]\n" + strings.Join(lines, "\n") + "\nPY"
	}
	const read = `new = open(t, newline="").read().replace("needle", "NEEDLE")`
	return []saver{
		{"vim", "vim", vimWith("swapfile")},
		{"vim backupcopy=yes", "vim", vimWith("swapfile backupcopy=yes")},
		{"vim nowritebackup", "vim", vimWith("nobackup nowritebackup")},
		{"vim backup undofile", "vim", vimWith("backup undofile backupcopy=no")},
		{"vim saves twice", "vim", `vim -u NONE -N -i NONE -es -c '%s/needle/NEEDLEX/' -c w -c '%s/NEEDLEX/NEEDLE/' -c wq "$T"`},
		{"emacs", "emacs", emacs + edit},
		{"emacs backup-by-copying", "emacs", emacs + `(setq backup-by-copying t) ` + edit},
		{"emacs file-precious", "emacs", emacs + `(setq file-precious-flag t) ` + edit},
		{"nano", "nano", nano("")},
		{"nano with backup", "nano", nano("-B")},
		{"sed -i", "sed", `sed -i s/needle/NEEDLE/ "$T"`},
		{"sed -i.bak", "sed", `sed -i.bak s/needle/NEEDLE/ "$T"`},
		{"perl -i", "perl", `perl -pi -e s/needle/NEEDLE/ "$T"`},
		{"perl -i.bak", "perl", `perl -pi.bak -e s/needle/NEEDLE/ "$T"`},
		{"awk and mv", "awk", `awk '{ sub("needle", "NEEDLE") } 1' "$T" > "$T.tmp" && mv "$T.tmp" "$T"`},
		{"redirection", "sed", `new=$(sed s/needle/NEEDLE/ "$T"); echo "$new" > "$T"`},
		{"header and rows by two programs", "sed", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; (head -n 1 "$W/$T"; tail -n +2 "$W/$T") > "$T"`},
		{"tee", "tee", `new=$(sed s/needle/NEEDLE/ "$T"); echo "$new" | tee "$T"`},
		{"dd in place", "dd", `at=$(grep -bo needle "$T" | cut -d: -f1); printf NEEDLE | dd of="$T" bs=1 seek="$at" conv=notrunc status=none`},
		{"cp", "cp", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; cp "$W/$T" "$T"`},
		{"cp -p", "cp", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; touch -d 2020-01-01 "$W/$T"; cp -p "$W/$T" "$T"`},
		{"cp --remove-destination", "cp", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; cp --remove-destination "$W/$T" "$T"`},
		{"cp --backup", "cp", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; cp --backup=numbered "$W/$T" "$T"`},
		{"mv from another disk", "mv", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; mv "$W/$T" "$T"`},
		{"mv -b", "mv", `sed s/needle/NEEDLE/ "$T" > new; mv -b new "$T"`},
		{"install", "install", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; install -m 644 "$W/$T" "$T"`},
		{"rsync", "rsync", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; rsync -tc "$W/$T" "$T"`},
		{"rsync --inplace", "rsync", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; rsync -c --inplace "$W/$T" "$T"`},
		{"rsync -b", "rsync", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; rsync -cb "$W/$T" "$T"`},
		{"tar x", "tar", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; tar -C "$W" -cf "$W/x.tar" "$T"; tar -xf "$W/x.tar"`},
		{"unzip", "unzip", `sed s/needle/NEEDLE/ "$T" > "$W/$T"; (cd "$W" && zip -q x.zip "$T"); unzip -qo "$W/x.zip"`},
		{"patch", "patch", `sed s/needle/NEEDLE/ "$T" | diff -u "$T" - > "$W/x.diff"; patch -s "$T" < "$W/x.diff"`},
		{"patch -b", "patch", `sed s/needle/NEEDLE/ "$T" | diff -u "$T" - > "$W/x.diff"; patch -sb "$T" < "$W/x.diff"`},
		{"git checkout", "git", git + `sed s/needle/NEEDLE/ "$T" > "$W/$T"; git checkout -qb new; cp "$W/$T" "$T"; git commit -qam new; git checkout -q master; git checkout -q new`},
		{"git stash", "git", git + `sed -i s/needle/NEEDLE/ "$T"; git stash -q; git stash pop -q`},
		{"git apply", "git", git + `sed s/needle/NEEDLE/ "$T" > "$W/$T"; git diff --no-index "$T" "$W/$T" | sed "s#$W/#/#" > "$W/x.diff"; git apply "$W/x.diff"`},
		{"sqlite3 .once", "sqlite3", `sqlite3 :memory: '.mode csv' ".import $T t" 'update t set a = "NEEDLE" where a = "needle"' '.headers on' ".once $T" 'select * from t'`},
		{"Python in place", "", python(read, `open(t, "w", newline="").write(new)`)},
		{"Python, os.replace", "", python(`import tempfile`, read,
			`fd, name = tempfile.mkstemp(dir=".")`, `os.write(fd, new.encode())`, `os.fsync(fd)`, `os.close(fd)`, `os.replace(name, t)`)},
		{"renamed while open", "", python(read, // as gedit and mousepad do
			`f = open(".goutputstream-ABC123", "x", newline="")`, `f.write(new)`, `f.flush()`, `os.fsync(f.fileno())`, `os.rename(f.name, t)`, `f.close()`)},
		{"LibreOffice", "", python(read, // its calls: a temporary file, a rename, then chmod and fsync of the table
			`open(".~lock." + t + "#", "w").write("me")`, `open("lu1234.tmp", "x", newline="").write(new)`, `os.rename("lu1234.tmp", t)`,
			`os.chown(t, -1, os.getgid())`, `os.chmod(t, 0o644)`, `f = open(t, "r+b")`, `os.fsync(f.fileno())`, `f.close()`, `os.unlink(".~lock." + t + "#")`)},
		{"truncated, closed, written", "", python(read, // as numpy's savetxt
			`open(t, "w").close()`, `open(t, "w", newline="").write(new)`)},
		{"a temporary file that ends in .csv", "", python(read, // as duckdb
			`open("tmp_" + t, "w", newline="").write(new)`, `os.rename("tmp_" + t, t)`)},
		{"removed, then renamed", "", python(read, // as Excel
			`open("Cedd4100", "w", newline="").write(new)`, `os.unlink(t)`, `os.rename("Cedd4100", t)`)},
		{"fileinput", "", python(`import fileinput`, `for line in fileinput.input(t, inplace=True):`, `    print(line.replace("needle", "NEEDLE"), end="")`)},
		{"mmap", "", python(`import mmap`, `f = open(t, "r+b")`, `m = mmap.mmap(f.fileno(), 0)`, `at = m.find(b"needle")`, `m[at:at + 6] = b"NEEDLE"`, `m.close()`)},
		{"csv module", "", python(`import csv`, `rows = list(csv.reader(open(t, newline="")))`, // CRLF by default
			`rows = [[c.replace("needle", "NEEDLE") for c in row] for row in rows]`, `csv.writer(open(t, "w", newline="")).writerows(rows)`)},
		{"pandas", "", python(`import pandas`, `d = pandas.read_csv(t)`, `d.a = d.a.replace("needle", "NEEDLE")`, `d.to_csv(t, index=False)`)},
	}
}

const git = `export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
d=.repo-$T; mkdir "$d"; git init -q -b master --separate-git-dir="$d/git" . && git add "$T" && git commit -qm old
`

// nano needs a terminal, and somebody who types when it is ready.
func nano(flags string) string {
	return `HOME=$W TERM=xterm "$PY" - nano -I ` + flags + ` "$T" <<'PY'
import fcntl, os, pty, signal, struct, sys, termios
signal.alarm(30)
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
for wait, keys in [
    (b"Help", b"\x1c"), (b"Search (to replace)", b"needle\r"), (b"Replace with", b"NEEDLE\r"),
    (b"this instance", b"a"), (b"Replaced 1", b"\x0f"), (b"File Name to Write", b"\r"), (b"Wrote", b"\x18"),
]:
    while wait not in seen:
        seen += os.read(terminal, 4096)
    seen = b""
    os.write(terminal, keys)
try:
    while os.read(terminal, 4096):
        pass
except OSError:
    pass # it has closed its terminal
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY`
}

// TestSavers: whatever way a program saves, one edited cell is one row update,
// and the table is what the program wrote.
func TestSavers(t *testing.T) {
	t.Parallel()
	for _, backend := range []string{"local/csv", "box/csv", "memory", "ragas/app"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			// Some save in steps (git stash): on a busy machine the settle time must not
			// end between them.
			m := mountOn(t, backend, "write_back=30s", withIDs)
			m.Sh("mkdir -p p/datasets")
			var b strings.Builder
			b.WriteString("q,a,n\n")
			for i := range 300 {
				fmt.Fprintf(&b, "question-%d,%s,%d\n", i, map[bool]string{true: "needle", false: fmt.Sprint("answer-", i)}[i == 170], i)
			}
			for i := range savers() {
				m.Write(fmt.Sprintf("p/datasets/t%02d.csv", i), b.String())
			}
			m.Flush()
			if backend != "local/csv" && backend != "box/csv" {
				m.Remount() // the ids show after a reload
			}
			for i, s := range savers() {
				t.Run(s.name, func(t *testing.T) { m.in(t).saves(s, fmt.Sprintf("t%02d.csv", i)) })
			}
		})
	}
}

// saves lets a program save a table and looks at what came of it.
func (m *mounted) saves(s saver, name string) {
	t := m.t
	if s.needs != "" {
		program(t, s.needs)
	}
	path := "p/datasets/" + name
	before, calls := m.Read(path), m.Calls()
	elsewhere := t.TempDir()
	m.Sh(fmt.Sprintf("cd p/datasets; export T=%s W=%s PY=%s\n%s", name, elsewhere, python(t), s.script))
	want := strings.Replace(before, "needle", "NEEDLE", 1)
	if got := m.Read(path); strings.ReplaceAll(got, "\r\n", "\n") != want {
		t.Fatalf("after the save the table is\n%s", got)
	}
	m.must("flush", m.Path(path))
	now := m.Calls()
	if now.Append != calls.Append || now.Delete != calls.Delete || now.Update != calls.Update+1 {
		t.Errorf("one edited cell took %+v, before %+v", now.rows(), calls.rows())
	}
	if got := m.Read(path); strings.ReplaceAll(got, "\r\n", "\n") != want {
		t.Errorf("after the push the table is\n%s", got)
	}
	if _, err := os.Stat(filepath.Join(m.Root, "p")); err == nil && m.Store(path) != m.Read(path) {
		t.Errorf("the store has\n%s", m.Store(path))
	}
}
