package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ragasfs/ragasfs/cache/store"
)

// TestMain lets the test binary be a second process that holds a lock.
func TestMain(m *testing.M) {
	if dir := os.Getenv("RAGASFS_TEST_HOLD"); dir != "" {
		hold(store.Dir(dir))
		return
	}
	os.Exit(m.Run())
}

// hold takes the lock, says so, and keeps it until standard input ends.
func hold(dir store.Dir) {
	lock, err := store.Acquire(nil, dir, example("x"))
	fmt.Fprintln(os.Stdout, err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	if lock != nil {
		fmt.Fprintln(os.Stdout, lock.Release())
	}
}

// holder starts such a process and waits until it has the lock.
func holder(t *testing.T, dir store.Dir) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "RAGASFS_TEST_HOLD="+string(dir))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "<nil>\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return cmd, in
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := create(t, t.TempDir(), "x")
	cmd, in := holder(t, dir)
	_, err := store.Acquire(nil, dir, example("x"))
	var inUse store.InUse
	if !errors.As(err, &inUse) || inUse != (store.InUse{PID: cmd.Process.Pid, Mountpoint: "/mnt/evals"}) {
		t.Errorf("Acquire = %#v", err)
	}
	for _, word := range []string{"/mnt/evals", fmt.Sprint(cmd.Process.Pid)} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not name %s: %s", word, err)
		}
	}
	if got, held, err := store.Holder(dir); !held || err != nil || got != inUse {
		t.Errorf("Holder = %v, %v, %v", got, held, err)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	lock, err := store.Acquire(nil, dir, example("x"))
	if err != nil {
		t.Fatal(err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestKilledHolderLetsGo(t *testing.T) {
	dir := create(t, t.TempDir(), "x")
	cmd, _ := holder(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // "signal: killed"
	if got, held, err := store.Holder(dir); held || err != nil {
		t.Errorf("Holder = %v, %v, %v", got, held, err)
	}
	lock, err := store.Acquire(nil, dir, example("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got, held, err := store.Holder(dir); !held || err != nil || got.PID != os.Getpid() {
		t.Errorf("Holder = %v, %v, %v", got, held, err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestWaitForDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := create(t, t.TempDir(), "x")
		first, err := store.Acquire(nil, dir, example("x"))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		var inUse store.InUse
		if _, err := store.AcquireWait(t.Context(), nil, dir, example("x")); !errors.As(err, &inUse) || inUse.Draining {
			t.Errorf("a holder that is not draining: %v", err)
		}
		if waited := time.Since(begun); waited > time.Second {
			t.Errorf("waited %s for it", waited)
		}

		if err := first.SetDraining(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := store.AcquireWait(ctx, nil, dir, example("x")); !errors.As(err, &inUse) || !inUse.Draining {
			t.Errorf("a holder that never ends: %v", err)
		}

		time.AfterFunc(3*time.Second, func() {
			if err := first.Release(); err != nil {
				t.Error(err)
			}
		})
		begun = time.Now()
		second, err := store.AcquireWait(t.Context(), nil, dir, example("x"))
		if err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begun); waited < 3*time.Second || waited > 4*time.Second {
			t.Errorf("waited %s", waited)
		}
		if got, held, err := store.Holder(dir); !held || got.Draining || err != nil {
			t.Errorf("the next holder: %v, %v, %v", got, held, err)
		}
		if err := second.Release(); err != nil {
			t.Error(err)
		}
	})
}

// Looking must not make anybody's mount fail.
func TestLookingDoesNotDisturb(t *testing.T) {
	dir := create(t, t.TempDir(), "x")
	stop := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, _, err := store.Holder(dir); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 100 {
		lock, err := store.Acquire(nil, dir, example("x"))
		if err != nil {
			t.Error(err)
			break
		}
		if err := lock.Release(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	group.Wait()
}
