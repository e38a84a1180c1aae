package judge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ragasfs/ragasfs/cache/judge"
)

func TestGuardEmpty(t *testing.T) {
	v := documents(t, small).saved("q,a\n")
	wantHeld(t, v, 'a')
	f := documents(t, "q,a\n")
	wantState(t, f.saved("q,a\n"), judge.Clean) // there was nothing to lose
}

func TestGuardCutOff(t *testing.T) {
	text := numbered(1000)
	for name, test := range map[string]struct {
		left   string
		writer judge.Writer
		rule   byte
	}{
		"20 missing":            {lines(text, [2]int{1, 980}), judge.Writer{InPlace: true}, 0},
		"21 missing":            {lines(text, [2]int{1, 979}), judge.Writer{InPlace: true}, 'b'},
		"21 missing, renamed":   {lines(text, [2]int{1, 979}), judge.Writer{}, 0},
		"21 missing, synced":    {lines(text, [2]int{1, 979}), judge.Writer{InPlace: true, Synced: true}, 0},
		"300 from the middle":   {lines(text, [2]int{1, 300}, [2]int{601, 1000}), judge.Writer{InPlace: true}, 0},
		"last 21 of 40, synced": {lines(numbered(40), [2]int{1, 19}), judge.Writer{InPlace: true, Synced: true}, 'c'},
	} {
		t.Run(name, func(t *testing.T) {
			f := documents(t, text)
			if strings.Contains(name, "of 40") {
				f = documents(t, numbered(40))
			}
			f.Writer = test.writer
			v := f.saved(test.left)
			if test.rule != 0 {
				wantHeld(t, v, test.rule)
			} else {
				wantState(t, v, judge.Send)
			}
		})
	}
}

func TestGuardHalf(t *testing.T) {
	for _, test := range []struct {
		were, left int
		held       bool
	}{
		{100, 50, false}, // exactly half
		{100, 49, true},
		{40, 20, false},
		{40, 19, true},  // 21 fewer
		{30, 10, false}, // 20 fewer
		{30, 9, true},   // 21 fewer
		{21, 1, false},
	} {
		t.Run(fmt.Sprintf("%d of %d", test.left, test.were), func(t *testing.T) {
			text := numbered(test.were)
			v := documents(t, text).saved(lines(text, [2]int{1, test.left}))
			if test.held {
				wantHeld(t, v, 'c')
			} else {
				wantCounts(t, v, 0, 0, test.were-test.left)
			}
		})
	}
}

func TestDeletesFromTheMiddleGoOut(t *testing.T) {
	text := numbered(1000)
	for _, n := range []int{1, 10, 300} {
		f := documents(t, text)
		f.Writer.InPlace = true
		v := f.saved(lines(text, [2]int{1, 400}, [2]int{401 + n, 1000}))
		wantCounts(t, v, 0, 0, n)
	}
}

func TestRegeneratedTableGoesOut(t *testing.T) {
	f := documents(t, numbered(1000))
	f.Writer.InPlace = true
	other := strings.ReplaceAll(strings.ReplaceAll(numbered(1000), "question ", "Frage "), " answer", " Antwort")
	other = strings.Replace(strings.ReplaceAll(other, "answer ", "Antwort "), "question,", "question,", 1)
	v := f.saved(other)
	wantState(t, v, judge.Send)
	if _, document := f.outcome(v); document != other {
		t.Fatalf("sent %.100q", document)
	}
}

func TestGuardColumn(t *testing.T) {
	wantHeld(t, documents(t, "q,a,s\none,1,\ntwo,2,x\n").saved("q,a\none,1\ntwo,2\n"), 'd')
	wantState(t, documents(t, "q,a,s\none,1,\ntwo,2,\n").saved("q,a\none,1\ntwo,2\n"), judge.Send)
	wantHeld(t, rowStore(t, "_row_id,q,a,s\nr1,one,1,x\nr2,two,2,x\n").saved("_row_id,q,a\nr1,one,1\nr2,two,2\n"), 'd')
}

func TestGuardKilled(t *testing.T) {
	less, more := "q,a\none,1\ntwo,2\n", small+"four,4\n"
	for _, guard := range []judge.Guard{judge.GuardAuto, judge.GuardEmpty, judge.GuardOff} {
		f := documents(t, small)
		f.Guard = guard
		f.Writer.Killed = true
		wantHeld(t, f.saved(less), 'e')
		wantCounts(t, f.saved(more), 1, 0, 0)
	}
}

func TestGuardSettings(t *testing.T) {
	text := numbered(100)
	quarter, none := lines(text, [2]int{1, 25}), lines(text)
	for guard, held := range map[judge.Guard][2]bool{
		judge.GuardAuto:  {true, true},
		judge.GuardEmpty: {false, true},
		judge.GuardOff:   {false, false},
	} {
		for i, save := range []string{quarter, none} {
			f := documents(t, text)
			f.Guard = guard
			if v := f.saved(save); (v.State == judge.Held) != held[i] {
				t.Errorf("guard %d: %s", guard, show(v))
			}
		}
	}
}

func TestConfirmedHasNoGuard(t *testing.T) {
	f := documents(t, small)
	f.Confirmed = true
	f.Writer.Killed = true
	wantCounts(t, f.saved("q,a\n"), 0, 0, 3)
	if v := f.saved("q\none\ntwo\nthree\n"); v.State != judge.Send {
		t.Fatal(show(v))
	}
}

// TestGuardDoubt: a colleague has changed, added and removed a row; a writer of
// which nothing is known saves the table as it was before.
func TestGuardDoubt(t *testing.T) {
	arrived := "q,a\none,9\nthree,3\nfour,4\n"
	at := time.Date(2026, 11, 3, 14, 5, 0, 0, time.UTC)
	doubt := func(t *testing.T) *fixture {
		f := documents(t, small)
		arrival := f.stored(arrived)
		arrival.Time = at
		f.S = f.R
		f.Doubtful = []judge.Arrival{arrival}
		return f
	}
	for name, save := range map[string]string{
		"as before":            small,
		"and its own edit":     strings.Replace(small, "three,3", "three,33", 1),
		"and a row of its own": small + "five,5\n",
	} {
		t.Run(name, func(t *testing.T) {
			v := doubt(t).saved(save)
			wantHeld(t, v, 'f')
			if !strings.Contains(v.Reason, "2026-11-03 14:05") {
				t.Fatal(v.Reason)
			}
		})
	}
	for name, save := range map[string]string{
		"keeps the edit":    "q,a\none,9\ntwo,2\nthree,3\n",
		"keeps the new row": small + "four,4\n",
		"keeps the removal": "q,a\none,1\nthree,3\n",
		"another edit":      "q,a\none,8\ntwo,2\nthree,3\n",
	} {
		t.Run(name, func(t *testing.T) { wantState(t, doubt(t).saved(save), judge.Send) })
	}
	t.Run("confirmed", func(t *testing.T) {
		f := doubt(t)
		f.Confirmed = true
		wantState(t, f.saved(small), judge.Send)
	})
}

func TestDoubtAboutWhatIsGoneAnyway(t *testing.T) {
	f := documents(t, small)
	arrival := f.stored(strings.Replace(small, "one,1", "one,9", 1))
	f.stored(small) // the colleague has put it back
	f.S = f.R
	f.Doubtful = []judge.Arrival{arrival}
	wantCounts(t, f.saved(small+"four,4\n"), 1, 0, 0)
}
