package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/ragasfs/ragasfs/cache"
)

// meter shows the progress of long work in one line of a terminal, and nothing
// elsewhere. Its methods may be called from any goroutine.
type meter struct {
	out  io.Writer // nil: no terminal
	verb string    // "sent"

	mu    sync.Mutex // guards the rest
	shown bool
}

func newMeter(w io.Writer, verb string) *meter {
	if file, ok := w.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		w = nil
	}
	return &meter{out: w, verb: verb}
}

func (m *meter) show(p cache.Progress) {
	if m.out == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shown = true
	fmt.Fprintf(m.out, "\r\033[K%s", progressLine(p, m.verb))
}

// clear takes the line away, before something else is written.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.shown {
		fmt.Fprint(m.out, "\r\033[K")
		m.shown = false
	}
}

func progressLine(p cache.Progress, verb string) string {
	line := fmt.Sprintf("%d rows %s", p.Done, verb)
	if p.Left > 0 {
		line += fmt.Sprintf(", %d left", p.Left)
	}
	if p.ETA > 0 {
		line += fmt.Sprintf(", about %s", p.ETA.Round(time.Second))
	}
	if p.Path != "" {
		line = p.Path + ": " + line
	}
	return line
}

// errStalled: nothing moved for as long as --timeout allows.
var errStalled = errors.New("no progress")

// withPatience runs work until it ends or makes no progress for the time given.
// Then its context is done and the error is errStalled.
func withPatience(ctx context.Context, patience time.Duration, show func(cache.Progress),
	work func(ctx context.Context, progress func(cache.Progress)) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(patience, func() { cancel(errStalled) })
	defer timer.Stop()

	var last cache.Progress
	err := work(ctx, func(p cache.Progress) {
		if p.Done != last.Done || p.Left != last.Left || p.Path != last.Path {
			timer.Reset(patience)
		}
		last = p
		show(p)
	})
	if err != nil && errors.Is(context.Cause(ctx), errStalled) {
		return fmt.Errorf("%w for %s", errStalled, patience)
	}
	return err
}
