package integration

import (
	"os/exec"
	"strings"
	"testing"
)

// ragasProject saves a dataset row by row, loads it, adds a row, and runs an
// experiment on it, as a notebook does.
const ragasProject = `
import asyncio, sys
from pydantic import BaseModel
from ragas import Dataset, experiment

root = sys.argv[1]
dataset = Dataset(name="qa", backend="local/csv", root_dir=root)
for i in range(5):
    dataset.append({"id": str(i), "question": f"q{i}", "answer": f'a, "{i}"\nline'})
    dataset.save()
loaded = Dataset.load("qa", backend="local/csv", root_dir=root)
assert len(loaded) == 5 and loaded[3]["answer"] == 'a, "3"\nline', loaded[3]
loaded.append({"id": "9", "question": "new", "answer": "n"})
loaded.save()

class Result(BaseModel):
    question: str
    score: float

@experiment(Result)
async def run(row):
    return Result(question=row["question"], score=0.5)

assert len(asyncio.run(run.arun(loaded, name="first"))) == 6
`

// ragas runs a script with the project p of the mount as its argument.
func (m *mounted) ragas(python, script string) {
	m.t.Helper()
	cmd := exec.CommandContext(m.t.Context(), python, "-c", script, m.Path("p"))
	cmd.Env = append(cmd.Environ(), "RAGAS_DO_NOT_TRACK=true")
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("ragas: %v\n%s", err, out)
	}
}

// TestRagas: the real Ragas, with its local CSV backend, keeps its data in a
// project of the mount: it saves, lists and loads datasets and experiments.
func TestRagas(t *testing.T) {
	t.Parallel()
	python := python(t)
	m := mount(t, "local/csv", "write_back=200ms")
	m.Sh("mkdir p")
	m.ragas(python, ragasProject+`
from ragas.backends.local_csv import LocalCSVBackend
backend = LocalCSVBackend(root)
assert backend.list_datasets() == ["qa"] and backend.list_experiments() == ["first"]
assert len(backend.load_experiment("first")) == 6
`)
	m.Flush()
	if got := m.Calls().rows(); got != (calls{Append: 12}) {
		t.Errorf("sent %+v, want 6 rows of each table", got)
	}
	want := "q3,\"a, \"\"3\"\"\nline\"\r\n"
	if !strings.Contains(m.Store("p/datasets/qa.csv"), want) {
		t.Errorf("the store has\n%s", m.Store("p/datasets/qa.csv"))
	}
	if n := strings.Count(m.Store("p/experiments/first.csv"), ",0.5\r\n"); n != 6 {
		t.Errorf("the store has %d results, want 6", n)
	}
}
