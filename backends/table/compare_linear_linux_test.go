package table

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Twice as much takes twice the time, whatever is compared (see TestLinearTime).
func TestCompareLinearTime(t *testing.T) {
	sizes, atMost, repeats := []int{64 << 10, 512 << 10}, 20.0, 2
	if os.Getenv(linearEnv) != "" {
		sizes, atMost, repeats = []int{1 << 20, 2 << 20, 4 << 20, 8 << 20}, 2.5, 5
	}
	for name, pair := range adversarialPairs() {
		t.Run(name, func(t *testing.T) {
			contents := map[int][2]Content{}
			for _, size := range sizes {
				old, new := pair(size)
				contents[size] = [2]Content{content(t, old), {Source: textSource(new)}}
			}
			linear(t, "Compare", sizes, atMost, func(size int) time.Duration {
				pair := contents[size]
				return fastest(t, repeats, func() {
					opt := document()
					opt.Lenient = true
					mustCompare(t, pair[0], pair[1], opt)
				})
			})
		})
	}
}

// adversarialPairs make pairs of texts of about a size.
func adversarialPairs() map[string]func(size int) (old, new string) {
	lines := func(size int, line func(i, n int) string) string {
		var b strings.Builder
		b.WriteString("a,b,c\n")
		n := size / 16
		for i := range n {
			b.WriteString(line(i, n))
		}
		return b.String()
	}
	numbered := func(i, _ int) string { return fmt.Sprintf("%08d,%d,x\n", i, i%10) }
	equal := func(_, _ int) string { return "row,row,row,row\n" }
	return map[string]func(int) (string, string){
		"all rows equal": func(size int) (string, string) {
			return lines(size, equal), lines(size-size/4, equal) + "x,y,z\n" + lines(size/4, equal)
		},
		"reversed": func(size int) (string, string) {
			return lines(size, numbered), lines(size, func(i, n int) string { return numbered(n-1-i, n) })
		},
		"every row edited": func(size int) (string, string) {
			return lines(size, numbered), lines(size, func(i, _ int) string { return fmt.Sprintf("%08d,%d,y\n", i, i%10) })
		},
		"every row edited, one more": func(size int) (string, string) {
			return lines(size, numbered), lines(size, func(i, _ int) string { return fmt.Sprintf("%08d,%d,y\n", i, i%10) }) + "1,2,3\n"
		},
		"nothing in common": func(size int) (string, string) {
			return lines(size, numbered), lines(size, func(i, _ int) string { return fmt.Sprintf("new %d,%d\n", i*7, i+1) })
		},
		"two rows taking turns": func(size int) (string, string) {
			turn := func(k int) func(i, n int) string {
				return func(i, _ int) string { return []string{"a,a,a\n", "b,b,b\n"}[(i+k)%2] }
			}
			return lines(size, turn(0)), lines(size, turn(1)) + "a,b,a\n"
		},
		"gaps everywhere": func(size int) (string, string) {
			return lines(size, numbered), lines(size, func(i, n int) string {
				if i%3 == 0 {
					return numbered(i, n)
				}
				return fmt.Sprintf("%08d,%d,z\n%08d,,q\n", i*5, i, i)
			})
		},
		"all quotes": func(size int) (string, string) {
			return "a\n" + strings.Repeat(`"`, size), "a\n" + strings.Repeat(`"`, size/2) + "\n" + strings.Repeat(`"`, size/2)
		},
		"quoted records": func(size int) (string, string) {
			return "a\n" + strings.Repeat("\"\"\n", size/3), "a\n\"" + strings.Repeat("\"\"\n", size/3)
		},
		"shared cells": func(size int) (string, string) {
			return lines(size, func(i, _ int) string { return fmt.Sprintf("%d,%d,%d\n", i/20, i/20, i) }),
				lines(size, func(i, n int) string { return fmt.Sprintf("%d,%d,%d\n", (n-i)/20, (n-i)/20+7, -i) })
		},
	}
}

// memoryEnv tells the test binary, started again, which comparison to make.
const memoryEnv = "RAGASFS_COMPARE_MEMORY"

// How much memory the comparison of large tables takes. Each runs in a process of
// its own, whose high water mark is that of the comparison.
func TestCompareMemory(t *testing.T) {
	if name := os.Getenv(memoryEnv); name != "" {
		compareLarge(t, name)
		return
	}
	gib := os.Getenv(linearEnv) != ""
	for name, most := range map[string]int{"one edit": 16 << 10, "shuffled": 200 << 10} { // KiB more than at the start
		if name == "shuffled" && !gib {
			continue // many seconds
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestCompareMemory$", "-test.v")
		cmd.Env = append(os.Environ(), memoryEnv+"="+name)
		out, err := cmd.CombinedOutput()
		var before, after int
		if _, scanErr := fmt.Sscanf(line(string(out), "memory:"), "memory: %d %d", &before, &after); err != nil || scanErr != nil {
			t.Fatalf("%s: %v, %v\n%s", name, err, scanErr, out)
		}
		t.Logf("%s: %d KiB", name, after-before)
		if after-before > most {
			t.Errorf("%s: %d KiB more than at the start, at most %d are allowed", name, after-before, most)
		}
	}
}

func line(text, prefix string) string {
	for line := range strings.Lines(text) {
		if i := strings.Index(line, prefix); i >= 0 {
			return strings.TrimSpace(line[i:])
		}
	}
	return ""
}

// compareLarge compares tables of rows of 1 kB.
func compareLarge(t *testing.T, name string) {
	before := highWater(t)
	const width = 1024
	rows := int64(1 << 20)
	var old, new repeatedSource
	switch name {
	case "one edit":
		rows = 1 << 17 // 128 MiB: nothing depends on it
		old = wideRows(rows, width, same)
		new = wideRows(rows, width, func(i int64) int64 {
			if i == rows/2 {
				return 12345678901
			}
			return i
		})
	case "shuffled":
		old = wideRows(rows, width, same)
		new = wideRows(rows, width, func(i int64) int64 { return i * 514229 % rows })
	}
	got := mustCompareSources(t, Content{Source: old, Keys: Numbered(1, int(rows))}, Content{Source: new})
	updates := map[string]int{"one edit": 1, "shuffled": 0}[name]
	if len(got.Changes.Rows) != updates || got.Keys.Len() != int(rows) {
		t.Fatalf("%d changes, %d keys", len(got.Changes.Rows), got.Keys.Len())
	}
	t.Logf("memory: %d %d", before, highWater(t)) // the test that started this process reads it
}

func mustCompareSources(t *testing.T, old, new Content) *Comparison {
	t.Helper()
	c, err := Compare(old, new, document())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// highWater returns the most memory that this process has had, in KiB.
func highWater(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	var kib int
	if _, err := fmt.Sscanf(line(string(status), "VmHWM:"), "VmHWM: %d kB", &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
