package integration

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// edit is a save of ours.
func (r *faultRun) edit(round int) {
	r.made++
	switch r.verb {
	case "row":
		r.editRows(round)
	case "column":
		r.editColumns(round)
	case "table":
		r.editTables()
	case "project":
		r.editProjects()
	}
}

// change is what the script does to the table.
type faultChange struct {
	Set    map[string]map[string]string // cells by key
	Delete []string
	Append []map[string]string
	Add    string // a column
	Rename [2]string
	Drop   string
}

// faultScript edits a table as a program does that reads it, and writes it in
// one go: a new process each time, as what a process has read counts.
const faultScript = `
import csv, io, json, os, sys
path, change = sys.argv[1], json.loads(sys.argv[2])
with open(path, newline="") as file:
    head, *rows = csv.reader(file)
key = head.index("k")
if change["Add"]:
    head.append(change["Add"])
    rows = [row + [""] for row in rows]
if change["Rename"][0]:
    head[head.index(change["Rename"][0])] = change["Rename"][1]
rows = [row for row in rows if row[key] not in (change["Delete"] or [])]
for row in rows:
    for column, value in (change["Set"] or {}).get(row[key], {}).items():
        row[head.index(column)] = value
for new in change["Append"] or []:
    rows.append([new.get(column, "") for column in head])
if change["Drop"]:
    at = head.index(change["Drop"])
    head, rows = head[:at] + head[at+1:], [row[:at] + row[at+1:] for row in rows]
out = io.StringIO()
csv.writer(out, lineterminator="\n").writerows([head] + rows)
with open(path + ".tmp", "w", newline="") as file:
    file.write(out.getvalue())
os.rename(path + ".tmp", path)
`

func (r *faultRun) apply(c faultChange) {
	r.t.Helper()
	encoded, err := json.Marshal(c)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(r.t.Context(), program(r.t, "python3"), "-c", faultScript, r.m.Path(qa), string(encoded))
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("the script: %v\n%s", err, out)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, cells := range c.Set {
		maps.Copy(r.table[key], cells)
	}
	for _, key := range c.Delete {
		delete(r.table, key)
	}
	for _, row := range c.Append {
		r.table[row["k"]] = row
	}
	if c.Add != "" {
		r.columns = append(r.columns, c.Add)
	}
	r.columns = slices.DeleteFunc(r.columns, func(name string) bool { return name == c.Drop })
	if c.Rename[0] != "" {
		r.columns[slices.Index(r.columns, c.Rename[0])] = c.Rename[1]
		for _, row := range r.table {
			if value, there := row[c.Rename[0]]; there {
				row[c.Rename[1]] = value
				delete(row, c.Rename[0])
			}
		}
	}
}

// ours are some keys of rows that the colleague leaves alone in this round.
func (r *faultRun) ours(round, n int) (keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range faultRows / 2 {
		if key := fmt.Sprintf("k%02d", 2*i+1-round%2); r.table[key] != nil {
			keys = append(keys, key)
		}
	}
	r.rnd.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys[:min(n, len(keys))]
}

func (r *faultRun) editRows(round int) {
	c := faultChange{Set: map[string]map[string]string{}}
	for i, key := range r.ours(round, 6) {
		if i == 0 && r.made%2 == 0 {
			c.Delete = append(c.Delete, key)
			continue
		}
		c.Set[key] = map[string]string{"q": fmt.Sprintf("edit %d of %s", r.made, key)}
	}
	for i := range 4 {
		key := fmt.Sprintf("new-%d-%d", r.made, i)
		c.Append = append(c.Append, map[string]string{"k": key, "q": "appended", "n": fmt.Sprint(i)})
	}
	r.apply(c)
}

func (r *faultRun) editColumns(round int) {
	c := faultChange{}
	switch round % 3 { // not mixed: one renamed and one added at once pass for one dropped and two added
	case 0: // one with cells, which stays
		c.Add, c.Set = fmt.Sprint("col", r.made), map[string]map[string]string{}
		for _, key := range r.ours(round, 5) {
			c.Set[key] = map[string]string{c.Add: fmt.Sprintf("value %d of %s", r.made, key)}
		}
	case 1:
		last := r.columns[len(r.columns)-1]
		c.Rename = [2]string{last, last + "-renamed"}
	case 2: // one without cells, which goes with the next save
		empty := slices.IndexFunc(r.columns, func(name string) bool { return strings.HasPrefix(name, "empty") })
		if empty >= 0 {
			c.Drop = r.columns[empty]
		} else {
			c.Add = fmt.Sprint("empty", r.made)
		}
	}
	r.apply(c)
}

func (r *faultRun) editTables() {
	name := fmt.Sprintf("p/datasets/table%d", r.made)
	rows := []map[string]string{{"q": fmt.Sprint("one of ", r.made), "n": "1"}, {"q": "two", "n": "2"}}
	r.m.Sh(fmt.Sprintf("printf 'q,n\\none of %d,1\\ntwo,2\\n' > %s.csv", r.made, name))
	r.tables[name] = rows
	if old := fmt.Sprintf("p/datasets/table%d", r.made-1); r.tables[old] != nil {
		r.m.Sh(fmt.Sprintf("mv %s.csv %s-moved.csv", old, old))
		r.tables[old+"-moved"] = r.tables[old]
		delete(r.tables, old)
	}
	if old := fmt.Sprintf("p/datasets/table%d-moved", r.made-3); r.tables[old] != nil {
		r.m.Sh("rm " + old + ".csv")
		delete(r.tables, old)
	}
}

func (r *faultRun) editProjects() {
	name := fmt.Sprint("project", r.made)
	r.m.Sh(fmt.Sprintf("mkdir -p %s/datasets && printf 'q,n\\nx,1\\n' > %s/datasets/t.csv", name, name))
	r.tables[name+"/datasets/t"] = []map[string]string{{"q": "x", "n": "1"}}
	r.projects = append(r.projects, name)
	if len(r.projects) > 3 {
		old := r.projects[0]
		r.projects = r.projects[1:]
		r.m.Sh(fmt.Sprintf("rm %s/datasets/t.csv && rmdir %s/datasets && { [ ! -e %s/experiments ] || rmdir %s/experiments; } && rmdir %s", old, old, old, old, old))
		delete(r.tables, old+"/datasets/t")
	}
}
