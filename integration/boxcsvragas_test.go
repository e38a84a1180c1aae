package integration

import (
	"strings"
	"testing"
)

// TestBoxRagas: the real Ragas keeps its data in a mount of a Box: what it saves in
// one go is one upload of each table.
func TestBoxRagas(t *testing.T) {
	t.Parallel()
	py := python(t)
	m, box := mountBox(t, "write_back=30s")
	m.Sh("mkdir p")
	m.ragas(py, ragasProject)
	m.Flush()
	qa := box.items()["p/datasets/qa.csv"]
	first := box.items()["p/experiments/first.csv"]
	if all, _ := box.uploads(); all != 2 || len(qa.Versions) != 1 || len(first.Versions) != 1 {
		t.Errorf("%d uploads, %d and %d versions; want one of each", all, len(qa.Versions), len(first.Versions))
	}
	if !strings.Contains(qa.Content, "q3,\"a, \"\"3\"\"\nline\"\r\n") || strings.Count(qa.Content, "\r\n") != 7 {
		t.Errorf("the dataset at Box is\n%s", qa.Content)
	}
	if strings.Count(first.Content, ",0.5\r\n") != 6 {
		t.Errorf("the experiment at Box is\n%s", first.Content)
	}
	if m.Read("p/datasets/qa.csv") != qa.Content {
		t.Error("the file is not what is at Box")
	}

	// Another machine goes on with it.
	m.Unmount()
	m = prepareBox(t, box)
	m.Mount()
	box.clearJournal()
	m.ragas(py, `
import sys
from ragas import Dataset
loaded = Dataset.load("qa", backend="local/csv", root_dir=sys.argv[1])
assert len(loaded) == 6
loaded[0]["answer"] = "changed"
loaded.save()
loaded.save()
`)
	m.Flush()
	if all, _ := box.uploads(); all != 1 {
		t.Errorf("%d uploads for one changed answer", all)
	}
	if got, versions := box.content("p/datasets/qa.csv"); versions != 2 || !strings.Contains(got, "0,q0,changed\r\n") {
		t.Errorf("Box has %d versions, the last is\n%s", versions, got)
	}
}
