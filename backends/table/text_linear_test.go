package table

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// linearEnv runs the full, slow form of TestLinearTime.
const linearEnv = "RAGASFS_LINEAR"

// Twice the text takes twice the time, whatever it is made of. The short form
// compares 512 KiB with eight times as little, which tells linear from quadratic
// (8 or 64 times); the full one compares 1, 2, 4 and 8 MB step by step.
func TestLinearTime(t *testing.T) {
	sizes, atMost, repeats := []int{64 << 10, 512 << 10}, 20.0, 2
	if os.Getenv(linearEnv) != "" {
		sizes, atMost, repeats = []int{1 << 20, 2 << 20, 4 << 20, 8 << 20}, 2.5, 5
	}
	for name, pattern := range map[string]string{
		"quotes": `"`, "commas": ",", "LF": "\n", "CR": "\r", "CRLF": "\r\n", "CR and quotes": "\r\"",
		"quoted cells": `"",`, "quoted records": "\"\"\n", "bare quotes": `a"`, "junk": "\"\"a\n", "ordinary": "12,some words,\"1,5\"\n",
	} {
		for _, header := range []string{"", "a,b\n", "a,b\r", "a,b\n\""} {
			t.Run(name+" behind "+strings.TrimSpace(header), func(t *testing.T) {
				text := header + strings.Repeat(pattern, sizes[len(sizes)-1]/len(pattern)+1)
				for way, read := range waysToRead() {
					linear(t, way, sizes, atMost, func(size int) time.Duration {
						return fastest(repeats, func() { read(t, text[:size]) })
					})
				}
			})
		}
	}
}

// linear fails if a step between sizes makes it more than atMost times slower. A
// busy machine makes single measurements worse, never better: a step that looks
// bad is measured again.
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

func fastest(repeats int, f func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range repeats {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// waysToRead are all functions that go through a whole text.
func waysToRead() map[string]func(testing.TB, string) {
	return map[string]func(testing.TB, string){
		"Reader": drainReader,
		"Spans":  drainSpans,
		"Check": func(t testing.TB, text string) {
			if _, err := Check(textSource(text)); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func drainReader(t testing.TB, text string) {
	reader := NewReader(textSource(text), 0, Dialect{})
	for {
		_, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func drainSpans(t testing.TB, text string) {
	spans := NewSpans(textSource(text), 0, int64(len(text)), Dialect{})
	for {
		_, err := spans.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
