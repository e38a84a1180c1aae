package backendtest

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

// documentRules are those for stores of whole documents.
func documentRules() []rule {
	rules := []rule{
		{name: "AnyBytesAreADocument", check: anyBytesAreADocument},
		{name: "DocumentGrows", check: documentGrows},
		{name: "GrowthNeedsItsBase", check: growthNeedsItsBase},
		{name: "DamagedDocumentIsNotTaken", check: damagedDocumentIsNotTaken},
		{name: "FailingDocumentIsNotTaken", check: failingDocumentIsNotTaken},
		{name: "NoDocumentIsRefused", check: noDocumentIsRefused},
	}
	for i := range rules {
		rules[i].needs = (*suite).isDocuments
	}
	return rules
}

// put replaces the document by a text and demands that it is read back.
func (s *subject) put(t *testing.T, text string, grows int64) {
	t.Helper()
	result, err := s.suite.Backend.Apply(t.Context(), backends.Batch{
		Ref: s.ref, Base: s.version, Document: document(text), Grows: grows,
	})
	if err != nil {
		t.Fatalf("Apply of %d bytes: %v", len(text), err)
	}
	s.version = result.Version
	s.demandText(t, text)
}

func (s *subject) demandText(t *testing.T, want string) {
	t.Helper()
	got, version, err := s.suite.load(t.Context(), s.ref)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	if got != want {
		t.Errorf("document: %s", difference(got, want))
	}
	if version != s.version {
		t.Errorf("Load gives version %q, the last change gave %q", version, s.version)
	}
}

// anyBytesAreADocument: what is in a document is not the store's business.
func anyBytesAreADocument(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	for _, text := range []string{
		"a;b\n1;2\n", "\ufeffa,b\r\n1,2", "no newline", "", "a,b\n\n\n\n1", "x\x00y\xff\n", `"open`, "a\rb\r",
		strings.Repeat("0123456789abcdef", 1<<16),
	} {
		qa.put(t, text, -1)
	}
}

func documentGrows(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(0))
	text := "a,b\n"
	qa.put(t, text, -1)
	for range 5 {
		grown := text + "1,2\n"
		qa.put(t, grown, int64(len(text)))
		text = grown
	}
	qa.put(t, text, int64(len(text))) // by nothing
	big := text + strings.Repeat("x,y\n", 1<<21)
	qa.put(t, big, int64(len(text)))
}

func growthNeedsItsBase(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(0))
	qa.put(t, "a,b\n", -1)
	stale := qa.version
	qa.put(t, "a,c\n", -1)
	_, err := s.Backend.Apply(t.Context(), backends.Batch{
		Ref: qa.ref, Base: stale, Document: document("a,b\n1,2\n"), Grows: 4,
	})
	demandError(t, "growth of an old version", err, backends.ErrConflict)
	qa.demandText(t, "a,c\n")
}

func damagedDocumentIsNotTaken(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(0))
	qa.put(t, "a,b\n", -1)
	other := document("a,b\n9,9\n")
	short, long, wrong := document("a,b\n1,2\n"), document("a,b\n1,2\n"), document("a,b\n1,2\n")
	short.Size--
	long.Size++
	wrong.SHA1 = other.SHA1
	for name, damaged := range map[string]backends.Document{"short": short, "long": long, "wrong": wrong} {
		for _, grows := range []int64{-1, 4} {
			if grows >= 0 && name == "wrong" {
				continue // what is appended can't be compared with the checksum of the whole
			}
			batch := backends.Batch{Ref: qa.ref, Base: qa.version, Document: damaged, Grows: grows}
			_, err := s.Backend.Apply(t.Context(), batch)
			demandError(t, name+" document", err, backends.ErrIncomplete)
			// The attempt may have cost the version, never the content.
			qa.version = s.entryOf(t, qa.ref).Version
			qa.demandText(t, "a,b\n")
		}
		request := s.creation("new", content{})
		request.Document = damaged
		_, err := s.Backend.Create(t.Context(), request)
		demandError(t, name+" document of a new table", err, backends.ErrIncomplete)
	}
	demandNames(t, s.names(t, s.project), "datasets/qa")
}

var errBroken = errors.New("the disk is broken")

func failingDocumentIsNotTaken(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(0))
	qa.put(t, "a,b\n", -1)
	failing := document("a,b\n1,2\n")
	failing.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("a,b\n1,"), failingReader{})), nil
	}
	for _, grows := range []int64{-1, 4} {
		_, err := s.Backend.Apply(t.Context(), backends.Batch{
			Ref: qa.ref, Base: qa.version, Document: failing, Grows: grows,
		})
		demandError(t, "a document that can't be read", err, errBroken)
		qa.version = s.entryOf(t, qa.ref).Version
		qa.demandText(t, "a,b\n")
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errBroken }

func noDocumentIsRefused(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(1))
	_, err := s.Backend.Apply(t.Context(), backends.Batch{Ref: qa.ref, Base: qa.version, Grows: -1})
	demandError(t, "a batch without document", err, backends.ErrRefused)
	request := s.creation("new", content{})
	request.Document = backends.Document{}
	_, err = s.Backend.Create(t.Context(), request)
	demandError(t, "a table without document", err, backends.ErrRefused)
	demandNames(t, s.names(t, s.project), "datasets/qa")
	qa.check(t)
}
