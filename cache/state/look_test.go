package state_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/ragasfs/ragasfs/cache/disk"
	"github.com/ragasfs/ragasfs/cache/state"
)

// files are the contents and times of all files below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found[path] = info.ModTime().String() + info.Mode().String()
		if d.Type().IsRegular() {
			data, err := os.ReadFile(path)
			found[path] += string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Look sees what is there, also after a crash, and changes nothing: the next Open
// still knows how the state was left.
func TestLook(t *testing.T) {
	for name, crashed := range map[string]bool{"closed": false, "killed": true} {
		t.Run(name, func(t *testing.T) {
			dir := memory(t)
			db, _, err := state.Open(state.Options{Dir: dir, Disk: &disk.FS{}})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(state.Normal, func(tx *state.Tx) error { return tx.Put("k", "i", fact{"x", 7}) })
			killed := crash(t, dir)
			if err := errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			if crashed {
				dir = killed
			}
			before := files(t, dir)
			for range 2 {
				looked, report, done, err := state.Look(dir)
				if err != nil {
					t.Fatal(err)
				}
				var f fact
				err = looked.View(func(tx *state.Tx) error { _, err := tx.Get("k", "i", &f); return err })
				if err := errors.Join(err, done()); err != nil {
					t.Fatal(err)
				}
				if f != (fact{"x", 7}) || report.Clean == crashed || report.Damaged || report.Incomplete {
					t.Errorf("it has %+v and reports %+v", f, report)
				}
			}
			if after := files(t, dir); !maps.Equal(before, after) {
				t.Errorf("the directory has changed from\n%q to\n%q", before, after)
			}
		})
	}
	if _, _, _, err := state.Look(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no state: %v", err)
	}
}
