package state

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// next is a schema that there may be some day: records have an age.
func next() schema {
	s := current()
	s.version = 3
	s.create += `; ALTER TABLE record ADD COLUMN age INTEGER NOT NULL DEFAULT 0`
	s.upgrades = map[int]string{
		1: `ALTER TABLE record ADD COLUMN age INTEGER NOT NULL DEFAULT 0`,
		2: `DELETE FROM record WHERE kind = 'old'`,
	}
	return s
}

func kinds(t *testing.T, db *DB) []string {
	t.Helper()
	var all []string
	err := db.View(func(tx *Tx) error {
		for _, kind := range []string{"k", "old"} {
			if err := tx.Each(kind, "", func(string, func(any) error) error { all = append(all, kind); return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func mustOpen(t *testing.T, dir string, form schema) (*DB, Report) {
	t.Helper()
	db, report, err := open(Options{Dir: dir}, form)
	if err != nil {
		t.Fatal(err)
	}
	return db, report
}

func TestOlderIsUpgradedOnACopy(t *testing.T) {
	dir := t.TempDir()
	db, _ := mustOpen(t, dir, current())
	err := db.Update(Full, func(tx *Tx) error { return errors.Join(tx.Put("k", "1", 1), tx.Put("old", "1", 1)) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}

	// An upgrade that fails leaves everything as it was.
	broken := next()
	broken.upgrades[2] = "DELETE FROM no_such_table"
	if _, _, err := open(Options{Dir: dir}, broken); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("a broken upgrade: %v", err)
	}
	db, report := mustOpen(t, dir, current())
	if got := kinds(t, db); !slices.Equal(got, []string{"k", "old"}) || report.Damaged || report.Incomplete {
		t.Errorf("after a failed upgrade: %v, %+v", got, report)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db, report = mustOpen(t, dir, next())
	if report.Upgraded != 1 || report.Damaged || report.Incomplete || len(report.Records) > 0 {
		t.Errorf("upgrade: %+v", report)
	}
	if got := kinds(t, db); !slices.Equal(got, []string{"k"}) {
		t.Errorf("upgraded records: %v", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db, report = mustOpen(t, dir, next())
	if report.Upgraded != 0 || !report.Clean {
		t.Errorf("the second time: %+v", report)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	// The old database is still there, and whole.
	old := t.TempDir()
	data, err := os.ReadFile(filepath.Join(dir, "state.db.v1"))
	if err := errors.Join(err, os.WriteFile(filepath.Join(old, "state.db"), data, 0o600)); err != nil {
		t.Fatal(err)
	}
	db, _ = mustOpen(t, old, current())
	if got := kinds(t, db); !slices.Equal(got, []string{"k", "old"}) {
		t.Errorf("the old database has %v", got)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestNewerIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, _ := mustOpen(t, dir, next())
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := describe(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(Options{Dir: dir}, current()); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer state: %v", err)
	}
	if after, err := describe(filepath.Join(dir, "state.db")); after != before || err != nil {
		t.Errorf("it was touched: %s, %s, %v", before, after, err)
	}
	db, report := mustOpen(t, dir, next())
	if !report.Clean {
		t.Errorf("the newer program finds %+v", report)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// Two in one directory: the lock of the directory should prevent it, this is the
// second line.
func TestSecondOpenIsRefused(t *testing.T) {
	dir := t.TempDir()
	db, _ := mustOpen(t, dir, current())
	if _, _, err := Open(Options{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second Open: %v", err)
	}
	if err := db.Update(Full, func(tx *Tx) error { return tx.Put("k", "1", 1) }); err != nil {
		t.Errorf("the first one is disturbed: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	db, report := mustOpen(t, dir, current())
	if !report.Clean || len(kinds(t, db)) != 1 {
		t.Errorf("afterwards: %+v", report)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
