package integration

import (
	"cmp"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shelf is the store behind a mount, as somebody else sees and changes it: a
// root_dir, or a row store in a process of its own.
type shelf struct {
	m   *mounted
	e   *emulator // nil: a document store
	box *boxPeer  // nil: not box/csv
}

// eachStore runs a test over a store of documents and over a store of rows. The
// mount is prepared, not mounted.
func eachStore(t *testing.T, test func(t *testing.T, m *mounted, s shelf), options ...string) {
	t.Parallel()
	options = append([]string{"write_back=200ms"}, options...)
	t.Run("documents", func(t *testing.T) {
		t.Parallel()
		m := prepare(t, "local/csv", options...)
		test(t, m, shelf{m: m})
	})
	t.Run("documents in Box", func(t *testing.T) {
		t.Parallel()
		box := startBox(t)
		m := prepareBox(t, box, options...)
		m.seeder = box
		test(t, m, shelf{m: m, box: box})
	})
	t.Run("rows", func(t *testing.T) {
		t.Parallel()
		e := startMemory(t)
		m := prepare(t, "memory", append([]string{"address=" + e.Address}, options...)...)
		test(t, m, shelf{m: m, e: e})
	})
}

// memoryState is what a memory emulator holds.
type memoryState struct {
	Projects []struct {
		Name   string `json:"name"`
		Tables []struct {
			ID      string                  `json:"id"`
			Kind    string                  `json:"kind"`
			Name    string                  `json:"name"`
			Columns []struct{ Name string } `json:"columns"`
			Rows    []struct {
				ID    string             `json:"id"`
				Cells map[string]*string `json:"cells"`
			} `json:"rows"`
		} `json:"tables"`
	} `json:"projects"`
}

func (e *emulator) memory() memoryState {
	e.t.Helper()
	var state memoryState
	e.call(e.t, "GET", "/_emulator/state", nil, &state)
	return state
}

// tables are all tables of the store by the path of their file, as simple CSV
// without ids. A project without a table is PROJECT/.
func (s shelf) tables() map[string]string {
	s.m.t.Helper()
	if s.box != nil {
		return s.box.tables()
	}
	if s.e == nil {
		files := tree(s.m.t, s.m.Root)
		dirs, err := os.ReadDir(s.m.Root)
		if err != nil {
			s.m.t.Fatal(err)
		}
		for _, d := range dirs {
			if !slices.ContainsFunc(keysOf(files), func(name string) bool { return strings.HasPrefix(name, d.Name()+"/") }) {
				files[d.Name()+"/"] = ""
			}
		}
		return files
	}
	files := map[string]string{}
	for _, p := range s.e.memory().Projects {
		if len(p.Tables) == 0 {
			files[p.Name+"/"] = ""
		}
		for _, table := range p.Tables {
			var header []string
			for _, c := range table.Columns {
				header = append(header, c.Name)
			}
			content := strings.Join(header, ",") + "\n"
			for _, row := range table.Rows {
				cells := make([]string, len(header))
				for i, name := range header {
					if cell := row.Cells[name]; cell != nil {
						cells[i] = *cell
					}
				}
				content += strings.Join(cells, ",") + "\n"
			}
			files[p.Name+"/"+table.Kind+"/"+table.Name+".csv"] = content
		}
	}
	return files
}

func keysOf(files map[string]string) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// put makes a table in the store, as somebody else does.
func (s shelf) put(name, content string) {
	s.m.t.Helper()
	if s.e == nil {
		s.m.Seed(name, content)
		return
	}
	parts := strings.Split(strings.TrimSuffix(name, ".csv"), "/")
	s.make(parts[0])
	lines := strings.Split(strings.TrimSuffix(content, "\n"), "\n")
	header := strings.Split(lines[0], ",")
	var columns []map[string]string
	for _, c := range header {
		columns = append(columns, map[string]string{"name": c, "type": "text"})
	}
	s.e.call(s.m.t, "POST", "/projects/"+url.PathEscape(parts[0])+"/"+parts[1], map[string]any{"name": parts[2], "columns": columns}, nil)
	var rows []map[string]any
	for i, line := range lines[1:] {
		rows = append(rows, map[string]any{"op": "append", "id": strings.NewReplacer("/", "-").Replace(name) + string(rune('a'+i)), "after": strings.Split(line, ",")})
	}
	s.e.call(s.m.t, "POST", s.at(name)+"/rows:apply", map[string]any{"old_header": header, "new_header": header, "rows": rows}, nil)
}

func (s shelf) at(name string) string {
	parts := strings.Split(strings.TrimSuffix(name, ".csv"), "/")
	return "/projects/" + url.PathEscape(parts[0]) + "/" + parts[1] + "/" + url.PathEscape(parts[2])
}

// make makes a project in the store, if there is none of that name.
func (s shelf) make(project string) {
	s.m.t.Helper()
	if s.box != nil {
		s.box.folder(s.box.items(), project+"/datasets")
		return
	}
	if s.e == nil {
		if err := os.MkdirAll(filepath.Join(s.m.Root, project, "datasets"), 0o755); err != nil {
			s.m.t.Fatal(err)
		}
		return
	}
	for _, p := range s.e.memory().Projects {
		if p.Name == project {
			return
		}
	}
	s.e.call(s.m.t, "POST", "/projects", map[string]any{"name": project}, nil)
}

// drop deletes a table in the store, as somebody else does.
func (s shelf) drop(name string) {
	s.m.t.Helper()
	if s.box != nil {
		s.box.trash(name)
	} else if s.e != nil {
		s.e.call(s.m.t, "DELETE", s.at(name), nil, nil)
	} else if err := os.Remove(filepath.Join(s.m.Root, name)); err != nil {
		s.m.t.Fatal(err)
	}
}

// demand compares the store's tables.
func (s shelf) demand(when string, want map[string]string) {
	s.m.t.Helper()
	same(s.m.t, when+", the store", s.tables(), want)
}

// has reports whether the store has a table.
func (s shelf) has(name string) bool {
	s.m.t.Helper()
	_, there := s.tables()[name]
	return there
}

// shown are the files of the mount, tables without the ids that a row store gives.
func (m *mounted) shown() map[string]string {
	m.t.Helper()
	files := tree(m.t, m.Dir)
	for name, content := range files {
		if strings.HasSuffix(name, ".csv") {
			files[name] = plain(content)
		}
	}
	return files
}

// plain is a table without the column of row ids.
func plain(content string) string {
	if !strings.HasPrefix(content, "_row_id,") {
		return content
	}
	var b strings.Builder
	for line := range strings.Lines(content) {
		_, rest, _ := strings.Cut(line, ",")
		b.WriteString(rest)
	}
	return b.String()
}

// held waits until a table is held, and checks the reason and that a flush says so.
func (m *mounted) held(name, reason string) {
	m.t.Helper()
	s := m.WaitState(name, "held")
	if !strings.Contains(s.Reason, reason) {
		m.t.Errorf("%s is held: %q, not %q", name, s.Reason, reason)
	}
	if r := m.Run("flush", m.Dir); r.Code != 3 || !strings.Contains(r.Err, path.Base(name)) {
		m.t.Errorf("flush with %s held: %+v", name, r)
	}
}

// kept are the contents of files below a directory of the state (history,
// lost+found) whose path contains part.
func (m *mounted) kept(dir, part string) []string {
	m.t.Helper()
	var contents []string
	for name, content := range tree(m.t, m.State) {
		if strings.Contains(name, "/"+dir+"/") && strings.Contains(name, part) {
			contents = append(contents, plain(content))
		}
	}
	slices.SortFunc(contents, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
	return contents
}
