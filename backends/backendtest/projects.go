package backendtest

import (
	"testing"

	"github.com/ragasfs/ragasfs/backends"
)

func projectRules() []rule {
	return []rule{
		{name: "ProjectsAreListed", check: projectsAreListed},
		{name: "NewProjectIsEmpty", check: newProjectIsEmpty},
		{name: "ProjectNameIsTakenOnce", check: projectNameIsTakenOnce, needs: (*suite).hasProjects},
		{name: "EmptyProjectIsDeleted", check: emptyProjectIsDeleted, needs: (*suite).hasProjects},
		{name: "FullProjectIsNotDeleted", check: fullProjectIsNotDeleted, needs: (*suite).hasProjects},
		{name: "DeletingNoProjectIsGood", check: deletingNoProjectIsGood, needs: (*suite).hasProjects},
		{name: "MissingProjectIsNotEmpty", check: missingProjectIsNotEmpty},
		{name: "StrangeProjectNames", check: strangeProjectNames, needs: (*suite).hasProjects},
	}
}

func projectsAreListed(t *testing.T, s *suite) {
	want := []string{s.project.Project}
	if s.hasProjects() {
		s.makeProject(t, "other")
		want = append(want, "other")
	}
	demandNames(t, s.names(t, backends.Ref{}), want...)
}

func newProjectIsEmpty(t *testing.T, s *suite) { demandNames(t, s.names(t, s.project)) }

func projectNameIsTakenOnce(t *testing.T, s *suite) {
	_, err := s.Backend.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: s.project.Project}})
	demandError(t, "create a project again", err, backends.ErrExists)
	demandNames(t, s.names(t, backends.Ref{}), s.project.Project)
}

func emptyProjectIsDeleted(t *testing.T, s *suite) {
	other := s.makeProject(t, "other")
	if err := s.Backend.Delete(t.Context(), other, ""); err != nil {
		t.Fatalf("delete an empty project: %v", err)
	}
	demandNames(t, s.names(t, backends.Ref{}), s.project.Project)
}

func fullProjectIsNotDeleted(t *testing.T, s *suite) {
	qa := s.table(t, "qa", sample(3))
	demandError(t, "delete a project with a table", s.Backend.Delete(t.Context(), s.project, ""), backends.ErrNotEmpty)
	qa.check(t)
}

func deletingNoProjectIsGood(t *testing.T, s *suite) {
	if err := s.Backend.Delete(t.Context(), backends.Ref{Project: "never was"}, ""); err != nil {
		t.Errorf("delete a project that is not there: %v", err)
	}
}

func missingProjectIsNotEmpty(t *testing.T, s *suite) {
	_, err := s.Backend.List(t.Context(), backends.Ref{Project: "never was"})
	demandError(t, "list a project that is not there", err, backends.ErrNotFound)
}

func strangeProjectNames(t *testing.T, s *suite) {
	want := []string{s.project.Project}
	for _, name := range []string{"with space", "ünï €", "a%2Fb", "q?x=1&y#z", "v1.2", "100%"} {
		s.makeProject(t, name)
		want = append(want, name)
	}
	demandNames(t, s.names(t, backends.Ref{}), want...)
}
