package integration

import (
	"os/exec"
	"testing"
)

// transform rewrites a whole table as a script does. The edit is in the middle;
// ten per cent of the rows are there twice.
const transform = `
import csv, random, sys
csv.field_size_limit(1 << 30)
path, mode, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
random.seed(1)
eol, quoting, bom = "\r\n", csv.QUOTE_MINIMAL, ""
if mode == "make":
    head = ["id", "question", "answer", "note", "score", "tag", "empty", "long"]
    rows = []
    for i in range(n):
        if i % 10 == 9:
            rows.append(list(rows[-1]))
            continue
        rows.append([f"k{i}", f'is "{i}" it, or not?', "one\ntwo" if i % 7 == 0 else "plain", "é🚀",
                     str(i / 8), str(i % 10), "", "z" * (10000 if i % (n // 20) == 0 else 20)])
else:
    with open(path, newline="", encoding="utf-8-sig") as file:
        head, *rows = csv.reader(file)
if mode == "edit":
    rows[n // 2][head.index("answer")] = "EDITED"
elif mode == "shuffle":
    random.shuffle(rows)
elif mode == "lf":
    eol = "\n"
elif mode == "requote":
    quoting = csv.QUOTE_ALL
elif mode == "bom":
    bom = "\ufeff"
elif mode == "mixed":  # ids dropped, sorted, one row in, one out, one cell edited
    drop = head.index("_row_id")
    head = [h for i, h in enumerate(head) if i != drop]
    rows = [[c for i, c in enumerate(r) if i != drop] for r in rows]
    rows.sort(key=lambda r: (r[head.index("tag")], r[head.index("id")]))
    rows[n // 3][head.index("note")] = "EDITED"
    del rows[n // 4]
    rows.insert(0, ["new", "a new row", "x", "y", "1.5", "0", "", "short"])
with open(path, "w", newline="", encoding="utf-8") as file:
    file.write(bom)
    out = csv.writer(file, lineterminator=eol, quoting=quoting)
    out.writerow(head)
    out.writerows(rows)
`

// TestTransformations: one edited cell is one update, whatever else a tool does
// to the text; what is no change of a row sends no row.
func TestTransformations(t *testing.T) {
	python := program(t, "python3")
	steps := []struct {
		mode string
		want calls
	}{
		{"edit", calls{Update: 1}}, {"shuffle", calls{}}, {"lf", calls{}},
		{"requote", calls{}}, {"bom", calls{}},
	}
	for _, store := range []struct{ name, rows string }{{"local/csv", "100000"}, {"memory", "20000"}, {"ragas/app", "3000"}} {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			m := mountOn(t, store.name, "write_back=200ms", withIDs)
			m.Sh("mkdir -p p/datasets")
			rewrite := func(mode string) calls {
				before := m.Calls().rows()
				cmd := exec.CommandContext(t.Context(), python, "-c", transform, m.Path(qa), mode, store.rows)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", mode, err, out)
				}
				m.Flush()
				now := m.Calls().rows()
				return calls{Append: now.Append - before.Append, Update: now.Update - before.Update, Delete: now.Delete - before.Delete}
			}
			rewrite("make")
			for _, step := range steps {
				if got := rewrite(step.mode); got != step.want {
					t.Errorf("%s sent %+v, want %+v", step.mode, got, step.want)
				}
			}
			if store.name == "local/csv" {
				if m.Read(qa) != m.Store(qa) {
					t.Error("the store has other bytes than the mount")
				}
				return
			}
			eventually(t, "ids are shown", func() bool { return m.TrySh("head -c 20 "+qa+" | grep -q _row_id").Code == 0 })
			if got, want := rewrite("mixed"), (calls{Append: 1, Update: 1, Delete: 1}); got != want {
				t.Errorf("mixed sent %+v, want %+v", got, want)
			}
		})
	}
}
