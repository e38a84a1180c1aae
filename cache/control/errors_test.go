package control

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestEverySentinelIsKnown: a sentinel that is added to cache or backends and
// not to the list would silently become an ordinary error at the client.
func TestEverySentinelIsKnown(t *testing.T) {
	listed := map[string]bool{}
	ast.Inspect(parse(t, "errors.go"), func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			listed[fmt.Sprintf("%s.%s", selector.X, selector.Sel.Name)] = true
		}
		return true
	})
	for prefix, file := range map[string]string{"cache": "../errors.go", "backends": "../../backends/errors.go"} {
		found := 0
		ast.Inspect(parse(t, file), func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for _, name := range spec.Names {
				if strings.HasPrefix(name.Name, "Err") {
					found++
					if !listed[prefix+"."+name.Name] {
						t.Errorf("%s.%s is not in sentinels()", prefix, name.Name)
					}
				}
			}
			return true
		})
		if found == 0 {
			t.Errorf("no sentinel found in %s", file)
		}
	}
}

func parse(t *testing.T, file string) *ast.File {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestSentinelsCrossTheWire(t *testing.T) {
	codes := map[string]bool{}
	for _, s := range sentinels() {
		if codes[s.code] {
			t.Errorf("code %q is used twice", s.code)
		}
		codes[s.code] = true
		got := decodeError(encodeError(fmt.Errorf("qa.csv: %w", s.err)))
		if !errors.Is(got, s.err) || got.Error() != "qa.csv: "+s.err.Error() {
			t.Errorf("%s came out as %v", s.code, got)
		}
	}
	if err := decodeError(encodeError(nil)); err != nil {
		t.Errorf("no error came out as %v", err)
	}
}

// TestUnknownKind: a newer daemon may know more kinds than its client.
func TestUnknownKind(t *testing.T) {
	err := decodeError(&wireError{Text: "odd", Kinds: []string{"from-the-future"}})
	if err == nil || err.Error() != "odd" {
		t.Errorf("got %v", err)
	}
}
