package table

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bigGrid makes a table of eight columns in which one row in ten is a copy of
// another one.
func bigGrid(rows int, seed uint64) grid {
	random := rand.New(rand.NewPCG(seed, 1))
	g := grid{{"q", "a", "s", "ok", "n", "c1", "c2", "c3"}}
	for i := range rows {
		if i > 0 && random.IntN(10) == 0 {
			g = append(g, g[1+random.IntN(i)])
			continue
		}
		g = append(g, []string{
			fmt.Sprintf("question, number %d?", i), fmt.Sprintf("answer %d", random.IntN(rows)),
			fmt.Sprintf("0.%d", random.IntN(100)), fmt.Sprint(random.IntN(2) == 0), fmt.Sprint(i % 7), "", "x", "y",
		})
	}
	return g
}

// One edited cell anywhere is one update of that row and nothing else, whatever
// the dialect.
func TestOneEditInManyRows(t *testing.T) {
	const rows = 100_000
	g := bigGrid(rows, 1)
	old := Content{Source: textSource(format(t, g, Rendered)), Keys: Numbered(1, rows)}
	random := rand.New(rand.NewPCG(2, 2))
	for i, at := range []int{1, 2, rows / 2, rows - 1, rows, 1 + random.IntN(rows), 1 + random.IntN(rows)} {
		for _, d := range []Dialect{Rendered, Python} {
			if d == Python && i%2 == 1 {
				continue // the slow way is seen often enough
			}
			edited := slices.Clone(g)
			edited[at] = slices.Clone(g[at])
			edited[at][random.IntN(8)] = "edited"
			got := mustCompare(t, old, Content{Source: textSource(format(t, edited, d))}, document())
			if len(got.Changes.Rows) != 1 || got.Changes.Rows[0].Op != Update || got.Reordered {
				t.Fatalf("row %d: %s", at, show(got.Changes))
			}
			want := fmt.Sprintf("~#%d %s -> %s\n", at, strings.Join(g[at], ","), strings.Join(edited[at], ","))
			// Of equal rows it may be another one, if the whole text has changed.
			if d == Rendered {
				equalText(t, "changes", show(got.Changes), want)
			}
			if got.Keys.Len() != rows {
				t.Fatalf("%d keys", got.Keys.Len())
			}
		}
	}
}

// A table goes through pandas: without ids, sorted by another column, with a row
// on top, one gone, one edited, all floats spelled anew.
func TestSortedWithoutIDs(t *testing.T) {
	for _, rows := range []int{20, 300, 20_000} {
		for seed := range uint64(3) {
			random := rand.New(rand.NewPCG(seed, uint64(rows)))
			old := grid{{"_row_id", "q", "a", "score", "label"}}
			var list grid
			for i := range rows {
				row := []string{
					fmt.Sprintf("r%d", i), fmt.Sprintf("question %d", i), fmt.Sprintf("answer %d", random.IntN(rows)),
					fmt.Sprint(random.Float64()), []string{"good", "bad"}[random.IntN(2)],
				}
				old = append(old, row)
				list = append(list, slices.Clone(row[1:]))
			}
			deleted, edited := random.IntN(rows), random.IntN(rows-1)
			list = slices.Delete(list, deleted, deleted+1)
			list[edited][1+random.IntN(3)] = "edited"
			slices.SortFunc(list, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
			new := grid{old[0][1:], {"brand new", "x", "y", "z"}}
			for _, row := range list {
				if score, err := strconv.ParseFloat(row[2], 64); err == nil {
					row[2] = strconv.FormatFloat(score, 'e', 19, 64)
				}
				new = append(new, row)
			}
			opt := rowStore(columns("q", "a", "score", "label")...)
			opt.Columns[2].Type = Number
			got := mustCompare(t, rowContent(t, format(t, old, Rendered)), Content{Source: textSource(format(t, new, Python))}, opt)
			if a, u, d := got.Changes.Count(); a != 1 || u != 1 || d != 1 {
				t.Errorf("%d rows, seed %d: %d appends, %d updates, %d deletes\n%.2000s", rows, seed, a, u, d, show(got.Changes))
			}
		}
	}
}

// repeatedSource is a table of rows of one length that are made when they are
// read, so that a test can compare a gigabyte without having one.
type repeatedSource struct {
	header string
	rows   int64
	width  int64
	row    func(i int64, into []byte) // fills width bytes
}

func (s repeatedSource) Size() int64 { return int64(len(s.header)) + s.rows*s.width }

func (s repeatedSource) ReadAt(p []byte, at int64) (int, error) {
	done := 0
	line := make([]byte, s.width)
	for done < len(p) && at < s.Size() {
		part := []byte(s.header)
		if head := int64(len(s.header)); at >= head {
			s.row((at-head)/s.width, line)
			part = line[(at-head)%s.width:]
		} else {
			part = part[at:]
		}
		n := copy(p[done:], part)
		done, at = done+n, at+int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// wideRows are rows of about width bytes with a number in it.
func wideRows(rows, width int64, number func(i int64) int64) repeatedSource {
	filler := strings.Repeat("x", int(width)-22)
	return repeatedSource{header: "q,a\n", rows: rows, width: width, row: func(i int64, into []byte) {
		n := number(i)
		copy(into, filler)
		for k := int64(len(filler)) + 20; k >= int64(len(filler)); k-- {
			into[k] = byte('0' + n%10)
			n /= 10
		}
		into[len(filler)] = ','
		into[width-1] = '\n'
	}}
}

func same(i int64) int64 { return i }
