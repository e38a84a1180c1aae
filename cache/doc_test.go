package cache

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocNamesEveryFile: the list in the package doc is the way in for a newcomer.
func TestDocNamesEveryFile(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]int{}
	for _, word := range strings.Fields(string(doc)) {
		named[word]++
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f, "_test.go") && named[f] != 1 {
			t.Errorf("doc.go names %s %d times", f, named[f])
		}
		delete(named, f)
	}
	for word := range named {
		if strings.HasSuffix(word, ".go") {
			t.Errorf("doc.go names %s, which is not there", word)
		}
	}
}
