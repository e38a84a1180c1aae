package cache

import (
	"errors"
	"strings"
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

// What can't be read as a table stays invalid: confirm says why it can't go out,
// and changes nothing.
func TestConfirmInvalid(t *testing.T) {
	inBubbles(t, nil, func(t *testing.T, w *world) {
		w.have("qa.csv", "q,a", "1,one", "2,two")
		for name, bad := range map[string]string{
			"bare quote": "q,a\n1,say \"hi\"\n2,two\n", "open quote": "q,a\n1,\"one\n2,two\n",
		} {
			if err := w.put("qa.csv", bad, truncating, me()); err != nil && !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			w.settled()
			w.wantState("qa.csv", "invalid")
			err := w.c.Confirm(t.Context(), datasets+"/qa.csv")
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "line ") {
				t.Errorf("%s: confirm answers %v", name, err)
			}
			w.settled()
			w.wantState("qa.csv", "invalid")
			w.wantStored("qa.csv", "q,a", "1,one", "2,two")
			if got := w.readBy("qa.csv", Caller{}); got != bad {
				t.Errorf("%s: it is now %q", name, got)
			}
		}
		// A save that parses is made the table.
		if err := w.put("qa.csv", "x,y\n1,eins\n", truncating, me()); err != nil && !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
		w.settled()
		w.wantState("qa.csv", "invalid")
		w.confirm("qa.csv")
		w.settled()
		w.wantStored("qa.csv", "x,y", "1,eins")
		w.wantState("qa.csv", "clean")
	})
}
