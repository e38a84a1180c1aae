package state_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/cache/state"
)

const killDir = "RAGASFS_TEST_KILL_DIR"

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		commitForever(dir)
		return
	}
	os.Exit(m.Run())
}

// commitForever commits and prints each id once its commit has returned. Now and
// then it closes and opens again; before each Open it prints "open", so that the
// kill can come at any moment of that.
func commitForever(dir string) {
	for err := error(nil); ; {
		if err == nil {
			_, err = fmt.Fprintln(os.Stdout, "open")
		}
		var db *state.DB
		if err == nil {
			db, _, err = state.Open(state.Options{Dir: dir})
		}
		for i := 0; i < 40 && err == nil; i++ {
			var n uint64
			if n, err = commitOne(db); err == nil {
				_, err = fmt.Fprintf(os.Stdout, "%09d\n", n)
			}
		}
		if err == nil {
			err = db.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func commitOne(db *state.DB) (n uint64, err error) {
	err = db.Update(state.Normal, func(tx *state.Tx) error {
		if n, err = tx.Next("n"); err != nil {
			return err
		}
		// Bodies of all sizes, so that the log is cut everywhere.
		id := fmt.Sprintf("%09d", n)
		body := fact{fmt.Sprintf("%q", id) + strings.Repeat("x", int(n*n%9000)), int(n)}
		return errors.Join(tx.Put("k", id, body), tx.Delete("k", "none"))
	})
	return n, err
}

// killAfter runs that process on the directory and kills it some time after it
// has said so many lines; it answers the last commit that was acknowledged, ""
// if none was.
func killAfter(t *testing.T, dir string, said int, wait time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	last := ""
	for n := 0; lines.Scan(); n++ {
		if n == said {
			<-time.After(wait)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		if len(lines.Text()) == 9 { // not cut off by the kill
			last = lines.Text()
		}
	}
	var killed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &killed) || killed.ExitCode() != -1 {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return last
}

func TestKilledProcessLosesNothing(t *testing.T) {
	dir := memory(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 8 {
		said, wait := random.IntN(60), time.Duration(random.IntN(3000))*time.Microsecond
		if round%2 == 0 {
			said = 41 // within the first Close or the second Open
		}
		t.Logf("round %d: killed %s after line %d (seed %d)", round, wait, said, seed)
		last := killAfter(t, dir, said, wait)
		db, report := open(t, dir)
		if report.Damaged || report.Incomplete || len(report.Records) > 0 {
			t.Errorf("after kill -9: %+v", report)
		}
		n := 0
		err := db.View(func(tx *state.Tx) error {
			return tx.Each("k", "", func(id string, decode func(any) error) error {
				n++
				var f fact
				if err := decode(&f); err != nil || f.N != n || id != fmt.Sprintf("%09d", n) {
					return fmt.Errorf("record %d is %q, %w", n, id, err)
				}
				return nil
			})
		})
		if err != nil || fmt.Sprintf("%09d", n) < last {
			t.Errorf("%d records, but %s was acknowledged: %v", n, last, err)
		}
		must(t, db, state.Normal, func(tx *state.Tx) error {
			if next, err := tx.Next("n"); err != nil || next != uint64(n)+1 {
				t.Errorf("the next number is %d after %d, %v", next, n, err)
			}
			return tx.Put("k", fmt.Sprintf("%09d", n+1), fact{"", n + 1})
		})
		if n%2 == 0 { // the next process finds it sometimes clean, sometimes not
			dir = crash(t, dir)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
