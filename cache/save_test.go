package cache

import (
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

func TestSaves(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("qa.csv", "q,a\n1,one\n2,two\n")
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two")

		w.add("qa.csv", "3,three\n")
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three")

		w.write("qa.csv", "q,a\n1,one\n2,zwei\n3,three\n")
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "2,zwei", "3,three")

		w.replace("qa.csv", "q,a\n1,one\n3,three\n4,four\n")
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "3,three", "4,four")
		w.wantState("qa.csv", "clean")
		if got := w.read("qa.csv"); form == backends.Documents && got != "q,a\n1,one\n3,three\n4,four\n" {
			t.Errorf("the mount shows %q", got)
		}
	})
}

func TestSavesSurviveKill(t *testing.T) {
	bothForms(t, func(t *testing.T, form backends.Form) {
		w := newWorld(t, form)
		w.write("qa.csv", "q,a\n1,one\n2,two\n")
		w.crash()
		w.flush()
		w.add("qa.csv", "3,three\n")
		w.crash()
		w.wantShown("qa.csv", "q,a", "1,one", "2,two", "3,three")
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "2,two", "3,three")
		w.replace("qa.csv", "q,a\n1,one\n3,three\n4,four\n")
		w.crash()
		w.write("other.csv", "x\n1\n")
		w.crash()
		w.flush()
		w.wantStored("qa.csv", "q,a", "1,one", "3,three", "4,four")
		w.wantStored("other.csv", "x", "1")
		w.wantState("qa.csv", "clean")
	})
}
