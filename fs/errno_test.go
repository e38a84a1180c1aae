package fs

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
)

// exportedErrors are the sentinels of a package: every exported variable ErrX.
func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(name.Name, "Err") {
						found = append(found, file.Name.Name+"."+name.Name)
					}
				}
			}
		}
	}
	return found
}

// A sentinel that is forgotten in the table would be a bare EIO.
func TestEverySentinelIsInTheTable(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "errno.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.CompositeLit); ok && len(lit.Elts) == 2 {
			if sel, ok := lit.Elts[0].(*ast.SelectorExpr); ok {
				listed = append(listed, fmt.Sprintf("%s.%s", sel.X, sel.Sel.Name))
			}
		}
		return true
	})
	for _, dir := range []string{"../cache", "../backends"} {
		names := exportedErrors(t, dir)
		if len(names) < 10 {
			t.Fatalf("%s: only %d sentinels found: %v", dir, len(names), names)
		}
		for _, name := range names {
			if !slices.Contains(listed, name) {
				t.Errorf("%s has no errno in errno.go", name)
			}
		}
	}
}

// No entry is hidden by an earlier one, and no answer is one that harms.
func TestTableIsConsistent(t *testing.T) {
	for _, m := range slices.Concat(sentinels, general) {
		if got := Errno(fmt.Errorf("a.csv: %w", m.err)); got != m.errno {
			t.Errorf("%v: %v, the table says %v", m.err, got, m.errno)
		}
		if m.errno == syscall.ENOSYS || m.errno == 0 {
			t.Errorf("%v: %v", m.err, m.errno)
		}
		if m.errno == syscall.ENOENT && !errors.Is(m.err, fs.ErrNotExist) {
			t.Errorf("%v says that a table does not exist", m.err)
		}
	}
}

func TestErrno(t *testing.T) {
	refused := &os.SyscallError{Syscall: "connect", Err: syscall.ECONNREFUSED}
	for _, c := range []struct {
		name string
		err  error
		want syscall.Errno
	}{
		{"nil", nil, 0},
		{"unknown", errors.New("what?"), syscall.EIO},
		{"end of file is no answer of ours", io.ErrUnexpectedEOF, syscall.EIO},
		{"local disk full", &fs.PathError{Op: "write", Path: "g1.csv", Err: syscall.ENOSPC}, syscall.ENOSPC},
		{"an errno before what it also is", syscall.ENOTEMPTY, syscall.ENOTEMPTY},
		{"not permitted stays", syscall.EPERM, syscall.EPERM},
		{"never ENOSYS", syscall.ENOSYS, syscall.EOPNOTSUPP},
		{"the store before the socket", fmt.Errorf("%w: %w", backends.ErrUnavailable, refused), syscall.ENETUNREACH},
		{"interrupted before not reachable", fmt.Errorf("%w: %w", backends.ErrUnavailable, context.Canceled), syscall.EINTR},
		{"too long before not reachable", fmt.Errorf("%w: %w", backends.ErrUnavailable, context.DeadlineExceeded), syscall.ETIMEDOUT},
		{"wait and see", &backends.RetryAfter{Err: backends.ErrUnavailable}, syscall.ENETUNREACH},
		{"gone from the store is not ENOENT", backends.ErrNotFound, syscall.EREMOTEIO},
		{"joined", errors.Join(errors.New("a"), cache.ErrCrossKind), syscall.EXDEV},
	} {
		if got := Errno(c.err); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
