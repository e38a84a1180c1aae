package localcsv_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/localcsv"
)

func listed(t *testing.T, b *localcsv.Backend, scope backends.Ref) []string {
	t.Helper()
	entries, err := b.List(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, e := range entries {
		found = append(found, e.Ref.String())
	}
	slices.Sort(found)
	return found
}

func demandListed(t *testing.T, b *localcsv.Backend, scope backends.Ref, want ...string) {
	t.Helper()
	if got := listed(t, b, scope); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func TestOnlyTablesAreListed(t *testing.T) {
	b, path := demo(t, "a\n")
	dir := filepath.Dir(path)
	for _, name := range []string{
		".hidden.csv", "~qa.csv", "#qa.csv", "qa.CSV", "report.pdf", "qa.csv~", ".~lock.qa.csv#", ".csv", "csv",
	} {
		write(t, filepath.Join(dir, name), "x\n")
	}
	outside := filepath.Join(t.TempDir(), "outside.csv")
	write(t, outside, "secret\n")
	for _, err := range []error{
		os.Mkdir(filepath.Join(dir, "folder.csv"), 0o755),
		os.Symlink(outside, filepath.Join(dir, "link.csv")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling.csv")),
		syscall.Mkfifo(filepath.Join(dir, "pipe.csv"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "v1.2.csv"), "a\n")
	write(t, filepath.Join(dir, " outer .csv"), "a\n")
	demandListed(t, b, backends.Ref{Project: "demo"}, "demo/datasets/ outer ", "demo/datasets/qa", "demo/datasets/v1.2")

	// What is not listed is neither read, nor replaced, nor deleted.
	for _, name := range []string{"folder", "link", "dangling", "pipe", ".hidden", "~qa"} {
		ref := backends.Ref{Project: "demo", Kind: backends.Datasets, Name: name}
		if _, err := b.Load(t.Context(), ref); err == nil {
			t.Errorf("%s was loaded", name)
		}
		batch := backends.Batch{Ref: ref, Document: document("a\n"), Grows: -1}
		if _, err := b.Apply(t.Context(), batch); err == nil {
			t.Errorf("%s was changed", name)
		}
		if err := b.Delete(t.Context(), ref, ""); err != nil {
			t.Errorf("delete of %s, which is no table: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, name+".csv")); err != nil {
			t.Errorf("%s was deleted: %v", name, err)
		}
		if _, err := b.Create(t.Context(), backends.Create{Ref: ref, Document: document("a\n")}); err == nil {
			t.Errorf("%s was created over what was there", name)
		}
	}
	demandFile(t, outside, "secret\n")
}

func TestProjectsAreFoldersOfTables(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "full", "datasets", "qa.csv"), "a\n")
	write(t, filepath.Join(root, "half", "experiments", "e.csv"), "a\n")
	write(t, filepath.Join(root, "photos", "cat.jpg"), "x")
	write(t, filepath.Join(root, "README.md"), "x")
	outside := t.TempDir()
	write(t, filepath.Join(outside, "datasets", "secret.csv"), "a\n")
	for _, err := range []error{
		os.Mkdir(filepath.Join(root, "empty"), 0o755),
		os.MkdirAll(filepath.Join(root, ".hidden", "datasets"), 0o755),
		os.Symlink(outside, filepath.Join(root, "escape")),
		os.Symlink("full", filepath.Join(root, "alias")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b := opened(t, root)
	demandListed(t, b, backends.Ref{}, "alias", "empty", "full", "half")
	demandListed(t, b, backends.Ref{Project: "half"}, "half/experiments/e")
	demandListed(t, b, backends.Ref{Project: "alias"}, "alias/datasets/qa")
	_, err := b.List(t.Context(), backends.Ref{Project: "escape"})
	demandError(t, err, backends.ErrNotFound)
	_, err = b.Load(t.Context(), backends.Ref{Project: "escape", Kind: backends.Datasets, Name: "secret"})
	if err == nil {
		t.Error("a table outside of root_dir was loaded")
	}
	_, err = b.List(t.Context(), backends.Ref{Project: "../" + filepath.Base(outside)})
	demandError(t, err, backends.ErrNotFound)
}

func TestRootIsProject(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "datasets", "qa.csv"), "a\n")
	write(t, filepath.Join(root, "notes", "datasets", "other.csv"), "a\n")
	b := open(t, root, true)
	t.Cleanup(func() { _ = b.Close() }) // nothing is pending
	demandListed(t, b, backends.Ref{}, ".")
	demandListed(t, b, backends.Ref{Project: "."}, "./datasets/qa")
	_, err := b.List(t.Context(), backends.Ref{Project: "notes"})
	demandError(t, err, backends.ErrNotFound)
	demandError(t, b.Delete(t.Context(), backends.Ref{Project: "."}, ""), backends.ErrRefused)
}

func TestBadNamesAreRefused(t *testing.T) {
	b, path := demo(t, "a\n")
	for _, name := range []string{"a/b", "../../esc", "x\x00y", ".hidden", "~x", "#x", strings.Repeat("x", 252)} {
		ref := backends.Ref{Project: "demo", Kind: backends.Datasets, Name: name}
		_, err := b.Create(t.Context(), backends.Create{Ref: ref, Document: document("a\n")})
		demandError(t, err, backends.ErrRefused)
		_, err = b.Rename(t.Context(), qa, name)
		demandError(t, err, backends.ErrRefused)
	}
	for _, name := range []string{"a/b", "..", ".", ".git", "x\x00y", strings.Repeat("x", 256)} {
		_, err := b.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: name}})
		demandError(t, err, backends.ErrRefused)
	}
	long := strings.Repeat("x", 251) // the longest name there is, also for its hidden files
	ref := backends.Ref{Project: "demo", Kind: backends.Datasets, Name: long}
	if _, err := b.Create(t.Context(), backends.Create{Ref: ref, Document: document("a\n")}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Apply(t.Context(), backends.Batch{Ref: ref, Document: document("b\n"), Grows: -1}); err != nil {
		t.Fatal(err)
	}
	demandFile(t, filepath.Join(filepath.Dir(path), long+".csv"), "b\n")
}

func TestMissingRootSaysWhatToDo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "such")
	_, err := localcsv.Open(path, false, nil)
	demandError(t, err, backends.ErrNotFound)
	if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "mkdir -p") {
		t.Errorf("error %q names neither the path nor the remedy", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("it was made all the same")
	}
}

func TestRootThatIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "x")
	_, err := localcsv.Open(path, false, nil)
	demandError(t, err, backends.ErrOption)
}

// A disk that is gone, or another one in its place, is not a store without tables.
func TestRootThatGoesAway(t *testing.T) {
	b, path := demo(t, "a\n")
	root := rootOf(path)
	if err := os.Rename(root, root+".away"); err != nil {
		t.Fatal(err)
	}
	demandAway := func() {
		t.Helper()
		_, err := b.List(t.Context(), backends.Ref{})
		demandError(t, err, backends.ErrUnavailable)
		_, err = b.List(t.Context(), backends.Ref{Project: "demo"})
		demandError(t, err, backends.ErrUnavailable)
		_, err = b.Probe(t.Context(), qa)
		demandError(t, err, backends.ErrUnavailable)
		demandError(t, b.Delete(t.Context(), qa, ""), backends.ErrUnavailable)
		_, err = b.Apply(t.Context(), backends.Batch{Ref: qa, Document: document("b\n"), Grows: -1})
		demandError(t, err, backends.ErrUnavailable)
	}
	demandAway()
	if err := os.Mkdir(root, 0o755); err != nil { // an empty mount point
		t.Fatal(err)
	}
	demandAway()
	demandFile(t, filepath.Join(root+".away", "demo", "datasets", "qa.csv"), "a\n")
}

func TestPropertiesNameTheRoot(t *testing.T) {
	root := t.TempDir()
	first := opened(t, filepath.Join(root, ".", "x", "..")).Opened().Properties
	second := opened(t, root).Opened().Properties
	if first != second {
		t.Errorf("one directory is %+v and %+v", first, second)
	}
	if first.Identity != "local/csv:"+root || first.Root != root || first.Place == "" {
		t.Errorf("properties are %+v", first)
	}
}

// Nothing goes with a project but empty folders for tables.
func TestProjectWithOtherFilesStays(t *testing.T) {
	for name, extra := range map[string]string{
		"beside the folders": "notes.txt", "in a folder": "datasets/report.pdf", "hidden": "experiments/.keep",
	} {
		t.Run(name, func(t *testing.T) {
			b := opened(t, t.TempDir())
			root := b.Opened().Properties.Root
			if _, err := b.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "p"}}); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(root, "p", extra), "mine")
			demandError(t, b.Delete(t.Context(), backends.Ref{Project: "p"}, ""), backends.ErrNotEmpty)
			demandFile(t, filepath.Join(root, "p", extra), "mine")
			for _, kind := range backends.Kinds {
				if _, err := os.Stat(filepath.Join(root, "p", string(kind))); err != nil {
					t.Errorf("half of the project went: %v", err)
				}
			}
		})
	}
}

// A table that was just deleted does not hold up its project.
func TestProjectOfDeletedTablesGoes(t *testing.T) {
	b, path := demo(t, "a\n")
	apply(t, b, replaceBy(t, b, "b\n"))
	if err := b.Delete(t.Context(), qa, ""); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), backends.Ref{Project: "demo"}, ""); err != nil {
		t.Fatal(err)
	}
	demandNames(t, rootOf(path))
}

func TestTableOfAProjectWithoutFolders(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "demo"), 0o755); err != nil {
		t.Fatal(err)
	}
	b := opened(t, root)
	if _, err := b.Create(t.Context(), backends.Create{Ref: qa, Document: document("a\n")}); err != nil {
		t.Fatal(err)
	}
	demandFile(t, filepath.Join(root, "demo", "datasets", "qa.csv"), "a\n")
}
