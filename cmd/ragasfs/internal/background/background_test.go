package background_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/background"
)

// TestMain: Start starts this binary again, which then plays the daemon.
func TestMain(m *testing.M) {
	if reporter := background.Child(os.Getenv); reporter != nil {
		play(reporter, os.Args[1], os.Args[2])
	}
	os.Exit(m.Run())
}

// play is the process in the background.
func play(reporter *background.Reporter, role, path string) {
	switch role {
	case "ready":
		log, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err == nil {
			err = reporter.Ready(log)
		}
		fmt.Println("to the log", err) //nolint:forbidigo // what is tested is where it goes
		if reporter.Failed(background.Failure{Text: "too late"}) {
			os.Exit(9)
		}
		sid, err := unix.Getsid(0)
		fmt.Println("own session", err == nil && sid == os.Getpid()) //nolint:forbidigo // as above
	case "fail":
		reporter.Failed(background.Failure{Code: 7, Text: "no such luck"})
		os.Exit(7)
	case "die":
		os.Exit(3)
	case "hang":
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		if err := os.WriteFile(path, []byte("started"), 0o600); err != nil {
			panic(err)
		}
		<-signals
	}
	os.Exit(0)
}

func TestReady(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	pid, err := background.Start(t.Context(), []string{"ready", log}, os.Stderr)
	if err != nil || pid <= 0 {
		t.Fatalf("Start = %d, %v", pid, err)
	}
	// It runs on; its log says what it saw.
	want := "to the log <nil>\nown session true\n"
	if got := eventually(t, log, want); got != want {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

func TestFailures(t *testing.T) {
	_, err := background.Start(t.Context(), []string{"fail", ""}, os.Stderr)
	var failure *background.Failure
	if !errors.As(err, &failure) || failure.Code != 7 || failure.Text != "no such luck" {
		t.Errorf("Start = %v, want what the process said", err)
	}
	if _, err = background.Start(t.Context(), []string{"die", ""}, os.Stderr); !errors.Is(err, background.ErrEnded) {
		t.Errorf("Start = %v, want ErrEnded", err)
	}
}

// TestInterrupted: the process ends with the start that nobody waits for.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	result := make(chan error)
	go func() {
		pid, err := background.Start(ctx, []string{"hang", started}, os.Stderr)
		if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			err = errors.Join(err, errors.New("it still runs"))
		}
		result <- err
	}()
	eventually(t, started, "started")
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "still runs") {
		t.Errorf("Start = %v, want that it was cancelled", err)
	}
}

func TestNoChild(t *testing.T) {
	for _, value := range []string{"", "x", "1"} {
		if background.Child(func(string) string { return value }) != nil {
			t.Errorf("with %q this is a child", value)
		}
	}
}

// eventually reads a file until it has the content, or a deadline.
func eventually(t *testing.T, path, want string) string {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		data, _ := os.ReadFile(path) // not there yet is as good as empty
		if string(data) == want {
			return want
		}
		select {
		case <-tick.C:
		case <-deadline:
			return string(data)
		}
	}
}
