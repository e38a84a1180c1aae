package localcsv_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// In all of these a program has the table open when it is replaced, and goes on
// writing to the file that has lost its name.

func TestLateRecordsAreBroughtAfter(t *testing.T) {
	b, path := demo(t, "a,b\n1,2\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a,b\n1,edited\n"))

	writeTo(t, program, "late,1\nla") // the second record is not whole yet
	if kept := b.LookNow(); kept != 1 {
		t.Errorf("%d files are kept, want 1: the program still has it open", kept)
	}
	demandFile(t, path, "a,b\n1,edited\nlate,1\n")

	writeTo(t, program, "te,2\n")
	b.LookNow()
	demandFile(t, path, "a,b\n1,edited\nlate,1\nlate,2\n")

	writeTo(t, program, `late,"3`) // and ends in the middle of one
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	if kept := b.LookNow(); kept != 0 {
		t.Errorf("%d files are kept, want 0", kept)
	}
	demandFile(t, path, "a,b\n1,edited\nlate,1\nlate,2\nlate,\"3")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// Each look moves what is new, once.
func TestLateRecordsAreBroughtOnce(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a\n1\n2\n"))
	writeTo(t, program, "late\n")
	for range 3 {
		b.LookNow()
	}
	demandFile(t, path, "a\n1\n2\nlate\n")
}

// A table without a last line ending gets one before the late records.
func TestLateRecordsStartALine(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a\n2"))
	writeTo(t, program, "late\n")
	b.LookNow()
	demandFile(t, path, "a\n2\nlate\n")
}

// Records under other columns can't be appended: they stay in a table of their own.
func TestLateRecordsOfAnotherHeaderAreKept(t *testing.T) {
	b, path := demo(t, "a,b\n1,2\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a,b,c\n1,2,3\n"))
	writeTo(t, program, "late,1\n")
	b.LookNow()
	demandFile(t, path, "a,b,c\n1,2,3\n")
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	if kept := b.LookNow(); kept != 0 {
		t.Errorf("%d files are kept, want 0", kept)
	}
	demandFile(t, path, "a,b,c\n1,2,3\n")
	demandFile(t, late(t, path), "a,b\n1,2\nlate,1\n")
}

// So does a file in which old bytes were changed.
func TestLateChangesAreKept(t *testing.T) {
	for name, change := range map[string]func(*os.File) error{
		"same size": func(f *os.File) error { _, err := f.WriteAt([]byte("9"), 2); return err },
		"and grown": func(f *os.File) error { _, err := f.WriteAt([]byte("9\n8\n7\n"), 2); return err },
		"truncated": func(f *os.File) error { return f.Truncate(2) },
	} {
		t.Run(name, func(t *testing.T) {
			b, path := demo(t, "a\n1\n")
			program, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			apply(t, b, replaceBy(t, b, "a\n2\n"))
			if err := change(program); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile("/proc/self/fd/" + fd(program))
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Close(); err != nil {
				t.Fatal(err)
			}
			b.LookNow()
			demandFile(t, path, "a\n2\n")
			demandFile(t, late(t, path), string(want))
		})
	}
}

// An edit beats a delete.
func TestLateWriteBringsADeletedTableBack(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	program := appender(t, path)
	if err := b.Delete(t.Context(), qa, version(t, b)); err != nil {
		t.Fatal(err)
	}
	writeTo(t, program, "late\n")
	b.LookNow()
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	b.LookNow()
	demandFile(t, path, "a\n1\nlate\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// Late records follow their table to its new name.
func TestLateRecordsFollowARename(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a\n2\n"))
	if _, err := b.Rename(t.Context(), qa, "renamed"); err != nil {
		t.Fatal(err)
	}
	writeTo(t, program, "late\n")
	b.LookNow()
	demandFile(t, filepath.Join(filepath.Dir(path), "renamed.csv"), "a\n2\nlate\n")
}

// A replaced file that nobody can write to goes at the latest with Close.
func TestReplacedFilesGo(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	for _, text := range []string{"a\n2\n", "a\n3\n", "a\n4\n"} {
		apply(t, b, replaceBy(t, b, text))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// What a program writes after the unmount is brought after at the next mount.
func TestLateRecordsAfterClose(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a\n2\n"))
	writeTo(t, program, "late,1\n")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	demandFile(t, path, "a\n2\nlate,1\n")
	writeTo(t, program, "late,2\n")
	if err := program.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, rootOf(path))
	demandFile(t, path, "a\n2\nlate,1\nlate,2\n")
	demandNames(t, filepath.Dir(path), "qa.csv")
}

// A program that locks the file it appends to is not held up.
func TestLateWritersMayLock(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	program := appender(t, path)
	apply(t, b, replaceBy(t, b, "a\n2\n"))
	if err := syscall.Flock(int(program.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("flock: %v", err)
	}
	if err := syscall.FcntlFlock(program.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
		t.Errorf("fcntl: %v", err)
	}
	writeTo(t, program, "late\n")
	b.LookNow()
	demandFile(t, path, "a\n2\nlate\n")
}

// A second daemon leaves alone what the first one looks after.
func TestHiddenFilesOfALivingProcess(t *testing.T) {
	b, path := demo(t, "a\n1\n")
	apply(t, b, replaceBy(t, b, "a\n2\n"))
	opened(t, rootOf(path))
	if got := names(t, filepath.Dir(path)); len(got) != 2 {
		t.Errorf("the folder holds %q, want the table and the hidden file", got)
	}
}

func rootOf(path string) string { return filepath.Dir(filepath.Dir(filepath.Dir(path))) }

// late finds the table of its own that a late writer's file has become.
func late(t *testing.T, path string) string {
	t.Helper()
	prefix := strings.TrimSuffix(filepath.Base(path), ".csv") + ".late-"
	for _, name := range names(t, filepath.Dir(path)) {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".csv") {
			return filepath.Join(filepath.Dir(path), name)
		}
	}
	t.Fatalf("no table %s*.csv in %q", prefix, names(t, filepath.Dir(path)))
	return ""
}
