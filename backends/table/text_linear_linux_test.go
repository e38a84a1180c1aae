package table

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// linearEnv runs the full, slow form of TestLinearTime.
const linearEnv = "RAGASFS_LINEAR"

// Twice the text takes twice the time, whatever it is made of. The short form
// compares 512 KiB with a sixteenth of it, which tells linear (16 times) from
// quadratic (256 times) with room for what the processor's caches, fresh memory
// and the race detector add on a busy machine; the full one compares 1, 2, 4 and
// 8 MB step by step.
func TestLinearTime(t *testing.T) {
	sizes, atMost, repeats := []int{32 << 10, 512 << 10}, 80.0, 2
	headers := []string{"", "a,b\n\""}
	if os.Getenv(linearEnv) != "" {
		headers = append(headers, "a,b\n", "a,b\r")
		sizes, atMost, repeats = []int{1 << 20, 2 << 20, 4 << 20, 8 << 20}, 2.5, 5
	}
	for name, pattern := range map[string]string{
		"quotes": `"`, "commas": ",", "LF": "\n", "CR": "\r", "CRLF": "\r\n", "CR and quotes": "\r\"",
		"quoted cells": `"",`, "quoted records": "\"\"\n", "bare quotes": `a"`, "junk": "\"\"a\n", "ordinary": "12,some words,\"1,5\"\n",
	} {
		for _, header := range headers {
			t.Run(fmt.Sprintf("%s behind %q", name, header), func(t *testing.T) {
				text := header + strings.Repeat(pattern, sizes[len(sizes)-1]/len(pattern)+1)
				for way, read := range waysToRead() {
					linear(t, way, sizes, atMost, func(size int) time.Duration {
						return fastest(t, repeats, func() { read(t, text[:size]) })
					})
				}
			})
		}
	}
}

// linear fails if a step between sizes makes it more than atMost times slower. What
// else runs makes measurements worse, never better (caches, collection of
// garbage): a step that looks bad is measured again.
func linear(t *testing.T, way string, sizes []int, atMost float64, measure func(size int) time.Duration) {
	t.Helper()
	const attempts = 5
	// At this rate (bytes a second) the processor's caches decide, not the reader.
	const memorySpeed = 500e6
	for i := 1; i < len(sizes); i++ {
		for attempt := 1; attempt <= attempts; attempt++ {
			small, large := measure(sizes[i-1]), measure(sizes[i])
			ratio := float64(large) / float64(small)
			if ratio <= atMost || float64(sizes[i])/large.Seconds() > memorySpeed {
				break
			}
			if attempt == attempts {
				t.Errorf("%s: %d bytes take %.1f times as long as %d", way, sizes[i], ratio, sizes[i-1])
			}
		}
	}
}

// fastest returns the least processor time that one call of f takes. Time on the
// wall would count the other programs of a busy machine too.
func fastest(t *testing.T, repeats int, f func()) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	best := time.Duration(1<<63 - 1)
	for range repeats {
		start := threadTime(t)
		f()
		best = min(best, threadTime(t)-start)
	}
	return best
}

// threadTime is the processor time that this thread has used.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		t.Fatal(err)
	}
	return time.Duration(now.Nano())
}
