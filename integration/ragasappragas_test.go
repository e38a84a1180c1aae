package integration

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestRagasAppRagas: the real Ragas keeps its data in a mount of a Ragas server.
// Its models know no _row_id, and neither does the file that it saves: rows keep
// their identity all the same.
func TestRagasAppRagas(t *testing.T) {
	t.Parallel()
	py := python(t)
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	columns := columnsOf([2]string{"id", "longText"}, [2]string{"question", "longText"}, [2]string{"score", "number"})
	columns[0].ID = "c-id" // "id" is the mirror of the row's own
	other.rows(other.table(other.project("p"), "datasets", "qa", columns), 20, func(i int) string {
		return strings.NewReplacer("$", string(rune('a'+i))).Replace(`{"c-id": "$", "c-question": "what is \"$\"?\nplease", "c-score": 0.5}`)
	})
	m.Mount()
	before := e.ragasState(t)["p/datasets/qa"]
	const script = `
import asyncio, sys
from pydantic import BaseModel
from ragas import Dataset, experiment

root = sys.argv[1]

class Row(BaseModel):
    id: str
    question: str
    score: float

dataset = Dataset.load("qa", backend="local/csv", root_dir=root, data_model=Row)
assert len(dataset) == 20 and dataset[3].question == 'what is "d"?\nplease', dataset[3]
dataset.append(Row(id="z", question="new", score=0.25))
dataset[7].question = "changed, by Ragas"
dataset.save()
assert "_row_id" not in open(root + "/datasets/qa.csv").readline()

class Result(BaseModel):
    id: str
    result: float
    good: bool

@experiment(Result)
async def run(row):
    return Result(id=row.id, result=row.score, good=row.score > 0.3)

assert len(asyncio.run(run.arun(dataset, name="first"))) == 21
`
	made := e.callsOf(t, func() {
		cmd := exec.CommandContext(t.Context(), py, "-c", script, m.Path("p"))
		cmd.Env = append(cmd.Environ(), "RAGAS_DO_NOT_TRACK=true")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("ragas: %v\n%s", err, out)
		}
		m.Flush()
	})
	tables := e.ragasState(t)
	after := tables["p/datasets/qa"]
	checkRowWrites(t, made, before.ID, 1, 1)
	checkAppended(t, before, &after, map[string]string{"c-id": `"z"`, "c-question": `"new"`, "c-score": `0.25`})
	changed := after.Rows[7]
	sameButFor(t, before, after, changed.ID, "c-question", `"changed, by Ragas"`)
	first := tables["p/experiments/first"]
	if len(first.Rows) != 21 || len(first.Columns) != 3 {
		t.Fatalf("the experiment has %d rows and the columns %v", len(first.Rows), first.Columns)
	}
	for _, r := range first.Rows {
		want := map[bool]string{true: "true", false: "false"}[string(r.Cells["result"]) == "0.5"]
		if string(r.Cells["good"]) != want {
			t.Errorf("a result is %s", r.Cells)
		}
	}
}

// TestRagasAppPandas: the same with a frame that has no column _row_id.
func TestRagasAppPandas(t *testing.T) {
	t.Parallel()
	py := python(t)
	m, e := prepareRagas(t)
	other := newPeer(t, e)
	other.rows(other.table(other.project("p"), "datasets", "qa", bigColumns), 50, bigRow)
	m.Mount()
	before := e.ragasState(t)["p/datasets/qa"]
	made := e.callsOf(t, func() {
		m.Sh(py + ` - <<'PY'
import pandas as pd
d = pd.read_csv("` + qa + `").drop(columns="_row_id")
d.loc[30, "n"] = 1000
d.loc[len(d)] = ["appended", 7, True]
d.to_csv("` + qa + `", index=False)
PY`)
		m.Flush()
	})
	after := e.ragasState(t)["p/datasets/qa"]
	checkRowWrites(t, made, before.ID, 1, 1)
	checkAppended(t, before, &after, map[string]string{"c-q": `"appended"`, "c-n": `7`, "c-ok": `true`})
	sameButFor(t, before, after, after.Rows[30].ID, "c-n", `1000`)
	eventually(t, "the ids are shown again", func() bool { return strings.HasPrefix(m.Read(qa), "_row_id,q,n,ok\n") })
}

// checkRowWrites counts the writes to the rows of a table. Nothing may be deleted.
func checkRowWrites(t *testing.T, made []ragasCall, table string, posts, patches int) {
	t.Helper()
	made = slices.DeleteFunc(slices.Clone(made), func(c ragasCall) bool {
		return c.Method == "GET" || !strings.Contains(c.Path, table+"/rows")
	})
	count := map[string]int{}
	for _, c := range made {
		count[c.Method]++
	}
	if count["POST"] != posts || count["PATCH"] != patches || len(made) != posts+patches {
		t.Errorf("the rows took %v%s", count, summary(made))
	}
}

// checkAppended looks at the last row, which is new, and takes it away.
func checkAppended(t *testing.T, before ragasTable, after *ragasTable, want map[string]string) {
	t.Helper()
	if len(after.Rows) != len(before.Rows)+1 {
		t.Fatalf("%d rows, %d before", len(after.Rows), len(before.Rows))
	}
	last := after.Rows[len(after.Rows)-1]
	after.Rows = after.Rows[:len(after.Rows)-1]
	for key, value := range want {
		if string(last.Data[key]) != value {
			t.Errorf("the new row has %s under %s, want %s", last.Data[key], key, value)
		}
	}
}
