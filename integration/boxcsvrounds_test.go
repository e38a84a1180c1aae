package integration

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// boxRounds is how many rounds two mounts edit one table at the same time: a few,
// or 200 with RAGASFS_FULL=1. A quarter as many more have a third writer.
func boxRounds() int {
	const few, all = 8, 200
	if os.Getenv("RAGASFS_FULL") != "" {
		return all
	}
	return few
}

// roundsTable is a table with a row for each writer and round.
func roundsTable(writers string, rounds int) string {
	var table strings.Builder
	table.WriteString("id,v\n")
	for i := range rounds {
		for _, w := range writers {
			fmt.Fprintf(&table, "%c%d,old\n", w, i)
		}
	}
	return table.String()
}

// editRound changes the row of a writer in a round, and adds one.
func editRound(table string, writer rune, round int) string {
	row := fmt.Sprintf("\n%c%d,", writer, round)
	return strings.Replace(table, row+"old\n", row+"new\n", 1) + fmt.Sprintf("added-%c%d,x\n", writer, round)
}

// twoMounts are two mounts of one Box that have the same table.
func twoMounts(t *testing.T, box *boxPeer) [2]*mounted {
	t.Helper()
	var mounts [2]*mounted
	for i := range mounts {
		// Only flush sends, so that both send at the same time.
		mounts[i] = prepareBox(t, box, "write_back=manual")
		mounts[i].Mount()
		mounts[i].Read(boxTable)
	}
	return mounts
}

// sendTogether sends what both have, at the same time, and waits until both have
// what Box has.
func sendTogether(t *testing.T, box *boxPeer, mounts [2]*mounted) {
	t.Helper()
	eventually(t, "both have sent, and have what Box has", func() bool {
		var both sync.WaitGroup
		for _, m := range mounts {
			both.Go(func() { m.Run("flush", "--timeout", "10s", m.Dir) })
		}
		both.Wait()
		got, _ := box.content(boxTable)
		return mounts[0].Read(boxTable) == got && mounts[1].Read(boxTable) == got
	})
}

// sendAtOnce has both mounts send what they have made of the same version: Box
// answers neither before both are at it.
func sendAtOnce(t *testing.T, box *boxPeer, mounts [2]*mounted) {
	t.Helper()
	box.faults(t, fault{Method: "POST", Path: `/files/\d+/content$`, Action: "stall", Delay: "60s"})
	var both sync.WaitGroup
	for _, m := range mounts {
		both.Go(func() { m.Run("flush", "--timeout", "60s", m.Dir) })
	}
	for _, m := range mounts {
		m.WaitState(boxTable, "pushing")
	}
	box.noFaults()
	both.Wait()
}

// TestBoxTwoMounts: two mounts edit different rows of one table at the same time,
// then with a third writer that replaces the document in place: nothing is lost,
// and nothing is there twice.
func TestBoxTwoMounts(t *testing.T) {
	t.Parallel()
	rounds := boxRounds()
	more := max(rounds/4, 2)
	box := startBox(t)
	box.put(boxTable, roundsTable("ABC", rounds+more))
	mounts := twoMounts(t, box)
	box.clearJournal()
	stale := 0
	for round := range rounds + more {
		for i, writer := range "AB" {
			mounts[i].Write(boxTable, editRound(mounts[i].Read(boxTable), writer, round))
		}
		var third sync.WaitGroup
		if round >= rounds {
			third.Go(func() { box.edit(boxTable, func(table string) string { return editRound(table, 'C', round) }) })
		}
		sendAtOnce(t, box, mounts)
		third.Wait()
		sendTogether(t, box, mounts)
		if round == rounds-1 {
			_, stale = box.uploads()
		}
	}
	sendTogether(t, box, mounts) // what the third has written last
	got, versions := box.content(boxTable)
	all, allStale := box.uploads()
	t.Logf("%d rounds: %d uploads met a newer version; %d rounds more with a third writer: %d; %d uploads, %d versions",
		rounds, stale, more, allStale-stale, all, versions)
	if stale < rounds/2 {
		t.Errorf("%d uploads in %d rounds met a newer version: they are not at the same time", stale, rounds)
	}
	lines := map[string]int{}
	for line := range strings.SplitSeq(strings.TrimSuffix(got, "\n"), "\n") {
		lines[line]++
	}
	want := 1
	for round := range rounds + more {
		for _, writer := range "ABC" {
			value := "new"
			if writer == 'C' && round < rounds {
				value = "old"
			}
			for _, line := range []string{fmt.Sprintf("%c%d,%s", writer, round, value), fmt.Sprintf("added-%c%d,x", writer, round)} {
				if strings.HasPrefix(line, "added") && value == "old" {
					continue
				}
				want++
				if lines[line] != 1 {
					t.Errorf("%q is there %d times", line, lines[line])
				}
			}
		}
	}
	if n := strings.Count(got, "\n"); n != want {
		t.Errorf("Box has %d lines, want %d", n, want)
	}
	for _, m := range mounts {
		m.Unmount()
	}
}

// TestBoxSameCell: a cell that is changed on both sides is held; confirm sends
// ours, discard takes theirs, and what else was edited goes out.
func TestBoxSameCell(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"confirm", "discard"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			box := startBox(t)
			box.put(boxTable, faultBase)
			mounts := twoMounts(t, box)
			first, second := mounts[0], mounts[1]
			first.Write(boxTable, "id,v\na,1\nb,first\nc,3\n")
			second.Write(boxTable, "id,v\na,second\nb,second\nc,3\n")
			first.Flush()
			if r := second.Run("flush", "--timeout", "10s", second.Dir); r.Code != 3 {
				t.Fatalf("flush: exit code %d, want 3\n%s%s", r.Code, r.Out, r.Err)
			}
			second.WaitState(boxTable, "conflict")
			box.demand(boxTable, "id,v\na,second\nb,first\nc,3\n", 3) // but for the cell all is sent
			if got := second.Read(boxTable); got != "id,v\na,second\nb,second\nc,3\n" {
				t.Errorf("the file is %q", got)
			}
			if s := second.Table(boxTable); !strings.Contains(s.Reason, "1 cell was") {
				t.Errorf("the status says %q", s.Reason)
			}
			second.must(command, second.Path(boxTable))
			second.Flush()
			want, versions := "id,v\na,second\nb,second\nc,3\n", 4
			if command == "discard" {
				want, versions = "id,v\na,second\nb,first\nc,3\n", 3
			}
			box.demand(boxTable, want, versions)
			for _, m := range mounts {
				eventually(t, "the mounts agree", func() bool { return m.Read(boxTable) == want })
				m.Unmount()
			}
		})
	}
}
