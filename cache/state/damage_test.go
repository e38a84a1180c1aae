package state_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/cache/state"
)

// sample makes a state with some records of different sizes.
const samples = 30

func sample(i int) (id string, body fact) {
	return fmt.Sprintf("record/%03d", i), fact{strings.Repeat("name ", i*i%700), i}
}

func fillSamples(t testing.TB, dir string) *state.DB {
	t.Helper()
	db, _ := open(t, dir)
	for i := range samples {
		must(t, db, state.Full, func(tx *state.Tx) error {
			id, body := sample(i)
			return tx.Put("k", id, body)
		})
	}
	return db
}

// check opens a damaged state and fails if anything that it answers is wrong, or
// if something is missing and nobody says so. It answers the report and how many
// samples are left.
func check(t *testing.T, what, dir string) (state.Report, int) {
	t.Helper()
	db, report, err := state.Open(state.Options{Dir: dir})
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}()
	left, damaged := 0, 0
	err = db.View(func(tx *state.Tx) error {
		for i := range samples {
			id, want := sample(i)
			var got fact
			found, err := tx.Get("k", id, &got)
			switch {
			case errors.Is(err, state.ErrDamaged):
				damaged++
				if got != (fact{}) || !strings.Contains(err.Error(), id) {
					t.Errorf("%s: damaged %s: %v, %v", what, id, got, err)
				}
			case err != nil:
				t.Errorf("%s: %s: %v", what, id, err)
			case found && got != want:
				t.Errorf("%s: %s is wrong", what, id)
			case found:
				left++
			}
		}
		each := 0
		err := tx.Each("k", "", func(id string, decode func(any) error) error {
			each++
			var got fact
			if err := decode(&got); err != nil {
				return err
			}
			if wantID, want := sample(got.N); id != wantID || got != want {
				t.Errorf("%s: Each answers a wrong %s", what, id)
			}
			return nil
		})
		if each != left {
			t.Errorf("%s: Each sees %d, Get %d", what, each, left)
		}
		return err
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	if left < samples && !report.Damaged && !report.Incomplete && len(report.Records) == 0 {
		t.Errorf("%s: %d records are missing and nobody says so: %+v", what, samples-left, report)
	}
	if damaged > len(report.Records) {
		t.Errorf("%s: %d damaged records, %v reported", what, damaged, report.Records)
	}
	if report.Damaged && left > 0 {
		t.Errorf("%s: a new database with %d records", what, left)
	}
	for _, path := range report.Quarantined {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	return report, left
}

// edit changes a file of the state.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedRecord(t *testing.T) {
	for name, statement := range map[string]string{
		"body": `UPDATE record SET body = CAST(replace(CAST(body AS TEXT), '"N":7', '"N":8') AS BLOB) WHERE id = CAST('record/007' AS BLOB)`,
		"crc":  `UPDATE record SET crc = crc + 1 WHERE id = CAST('record/007' AS BLOB)`,
		"id":   `UPDATE record SET id = CAST('record/907' AS BLOB) WHERE id = CAST('record/007' AS BLOB)`,
		"kind": `UPDATE record SET kind = 'l' WHERE id = CAST('record/007' AS BLOB)`,
		"swap": `UPDATE record SET (body, crc) = (SELECT body, crc FROM record WHERE id = CAST('record/008' AS BLOB)) WHERE id = CAST('record/007' AS BLOB)`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := memory(t)
			if err := fillSamples(t, dir).Close(); err != nil {
				t.Fatal(err)
			}
			execSQL(t, filepath.Join(dir, "state.db"), statement)
			report, left := check(t, name, dir)
			if left != samples-1 || len(report.Records) != 1 || report.Damaged || report.Clean {
				t.Errorf("%d left, %+v", left, report)
			}
			kept, err := filepath.Glob(filepath.Join(dir, "lost+found", "record.*"))
			if err != nil || len(kept) != 1 {
				t.Errorf("lost+found has %q, %v", kept, err)
			}
			// It is found again as long as it is there, and kept aside once.
			if report, _ := check(t, name, dir); len(report.Records) != 1 {
				t.Errorf("the second time: %+v", report)
			}
			if again, err := filepath.Glob(filepath.Join(dir, "lost+found", "*")); err != nil || len(again) != 1 {
				t.Errorf("lost+found has %q, %v", again, err)
			}
			repair(t, dir, report.Records[0])
			if report, left := check(t, name, dir); left != samples || !report.Clean {
				t.Errorf("after repair: %d left, %+v", left, report)
			}
		})
	}
}

// repair deletes the damaged record and puts the right one.
func repair(t *testing.T, dir string, damaged state.Key) {
	t.Helper()
	db, _ := open(t, dir)
	if got := db.Damaged(); len(got) != 1 || got[0] != damaged {
		t.Errorf("Damaged() = %v", got)
	}
	must(t, db, state.Normal, func(tx *state.Tx) error {
		id, body := sample(7)
		return errors.Join(tx.Delete(damaged.Kind, damaged.ID), tx.Put("k", id, body))
	})
	if err := db.Recovered(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// The record that was met made this Close no clean one.
	db, report := open(t, dir)
	if report.Clean || report.Damaged || report.Incomplete || len(report.Records) > 0 {
		t.Errorf("after repair: %+v", report)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// execSQL changes a closed database behind the package's back.
func execSQL(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	result, err := db.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%s changed %d rows, %v", statement, n, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Bytes change anywhere in the closed database.
func TestFlippedBytes(t *testing.T) {
	good := memory(t)
	if err := fillSamples(t, good).Close(); err != nil {
		t.Fatal(err)
	}
	if report, left := check(t, "undamaged", crash(t, good)); left != samples || !report.Clean {
		t.Fatalf("undamaged: %d left, %+v", left, report)
	}
	info, err := os.Stat(filepath.Join(good, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	var places []int
	for i := range 100 { // the whole header, where every field means something else
		places = append(places, i)
	}
	for range 25 {
		places = append(places, random.IntN(int(info.Size())))
	}
	for i, at := range places {
		if at >= 60 && at < 64 { // the schema version: see TestNewerIsRefused
			continue
		}
		dir := crash(t, good)
		flip := byte(1 + random.IntN(255))
		edit(t, filepath.Join(dir, "state.db"), func(data []byte) []byte { data[at] ^= flip; return data })
		what := fmt.Sprintf("byte %d ^ %#x (seed %d)", at, flip, seed)
		first, left := check(t, what, dir)
		if first.Clean {
			t.Errorf("%s: said to be clean", what)
		}
		if i%10 != 0 {
			continue
		}
		// Until somebody has dealt with it, it is not forgotten.
		second, again := check(t, what+", second time", dir)
		if second.Damaged != first.Damaged || second.Incomplete != first.Incomplete || len(second.Quarantined) > 0 || again != left {
			t.Errorf("%s: first %d left, %+v, then %d, %+v", what, left, first, again, second)
		}
	}
}

func TestTruncatedDatabase(t *testing.T) {
	good := memory(t)
	if err := fillSamples(t, good).Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 1, 50, 100, 4095, 4096, 8192, 10000} {
		dir := crash(t, good)
		edit(t, filepath.Join(dir, "state.db"), func(data []byte) []byte { return data[:size] })
		if report, _ := check(t, fmt.Sprintf("%d bytes", size), dir); !report.Damaged || len(report.Quarantined) != 1 {
			t.Errorf("%d bytes: %+v", size, report)
		}
	}
	for what, damage := range map[string]func(dir string) error{
		"gone": func(dir string) error { return os.Remove(filepath.Join(dir, "state.db")) },
		"directory": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "state.db")), os.Mkdir(filepath.Join(dir, "state.db"), 0o700))
		},
		"no SQLite": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "state.db"), make([]byte, 12288), 0o600)
		},
	} {
		dir := crash(t, good)
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		if report, _ := check(t, what, dir); !report.Damaged {
			t.Errorf("%s: %+v", what, report)
		}
	}
}

// The write-ahead log is damaged after a crash: what is left is right, and that
// something is missing is said.
func TestDamagedLog(t *testing.T) {
	live := memory(t)
	fillSamples(t, live)
	good := crash(t, live)
	if report, left := check(t, "undamaged", crash(t, good)); left != samples || report.Clean || report.Incomplete {
		t.Fatalf("undamaged: %d left, %+v", left, report)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for round := range 50 {
		dir := crash(t, good)
		what := fmt.Sprintf("log, round %d (seed %d)", round, seed)
		edit(t, filepath.Join(dir, "state.db-wal"), func(data []byte) []byte {
			at := random.IntN(len(data))
			switch {
			case round < 32:
				data[round] ^= 0x55 // its header
			case round%3 == 0:
				data[at] ^= byte(1 + random.IntN(255))
			case round%3 == 1: // a hole, as a power cut leaves it
				at = min(at, len(data)-5000)
				clear(data[at : at+5000])
			default: // some bytes are gone, but not the end: that may be
				at = min(at, len(data)-3*4120)
				data = append(data[:at], data[at+1+random.IntN(3000):]...)
			}
			return data
		})
		report, left := check(t, what, dir)
		if !report.Incomplete || len(report.Quarantined) == 0 {
			t.Errorf("%s: %d left, %+v", what, left, report)
		}
	}

	dir := crash(t, good)
	if err := os.Remove(filepath.Join(dir, "state.db-wal")); err != nil {
		t.Fatal(err)
	}
	if report, _ := check(t, "no log", dir); !report.Incomplete {
		t.Errorf("no log: %+v", report)
	}
	dir = crash(t, good)
	if err := os.Remove(filepath.Join(dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	if report, _ := check(t, "log only", dir); !report.Damaged || len(report.Quarantined) != 1 {
		t.Errorf("log only: %+v", report)
	}
}
