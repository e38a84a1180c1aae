// Package background starts the program again as a process of its own session and
// waits until that says that it is ready, or why it is not.
//
// What lives here: the start, and the pipe between the two. What may not live
// here: what being ready means.
package background

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// variable tells the process in the background which descriptor the pipe is.
const variable = "RAGASFS_READY_FD"

// grace is how long an interrupted start may take to end.
const grace = 5 * time.Second

// ErrEnded: the process ended without saying why.
var ErrEnded = errors.New("the process in the background ended")

// Failure is why the process in the background is not ready.
type Failure struct {
	Code int    `json:"code"` // exit code
	Text string `json:"text"`
}

func (f *Failure) Error() string { return f.Text }

// report is the one message on the pipe.
type report struct {
	Ready   bool     `json:"ready"`
	Failure *Failure `json:"failure,omitempty"`
}

// Start starts this program with args in the background. It returns when that is
// ready, with its pid, or an error: a *Failure if it said one, ErrEnded, or that
// of ctx, in which case the process is told to end.
//
// Until it is ready the process writes to stderr, afterwards to its own log
// (Reporter.Ready).
func Start(ctx context.Context, args []string, stderr *os.File) (pid int, err error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("start in the background: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("start in the background: %w", err)
	}
	defer func() { _ = read.Close() }() // only read
	//nolint:noctx // it outlives this process
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), variable+"=3")
	cmd.ExtraFiles = []*os.File{write} // descriptor 3
	cmd.Stderr = stderr
	// Whatever a shell or a harness has left open here must not stay open there.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, fmt.Errorf("start in the background: %w", err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // the terminal's signals are not for it
	err = cmd.Start()
	_ = write.Close() // our end of it; the read below ends when the child's is closed too
	if err != nil {
		return 0, fmt.Errorf("start in the background: %w", err)
	}
	pid = cmd.Process.Pid
	return pid, await(ctx, cmd, read)
}

// await waits for the report.
func await(ctx context.Context, cmd *exec.Cmd, pipe io.Reader) error {
	result := make(chan report, 1)
	go func() {
		var r report
		_ = json.NewDecoder(pipe).Decode(&r) // nothing, or half of it: r says that it is not ready
		result <- r
	}()
	select {
	case r := <-result:
		switch {
		case r.Ready:
			return cmd.Process.Release()
		case r.Failure != nil:
			return errors.Join(r.Failure, reap(cmd))
		}
		return errors.Join(ErrEnded, reap(cmd))
	case <-ctx.Done():
		err := cmd.Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(grace, func() { _ = cmd.Process.Kill() }) // it may have ended
		defer timer.Stop()
		return errors.Join(ctx.Err(), err, reap(cmd))
	}
}

// reap waits for the end of the process. How it ended is an error only if nothing
// else was said.
func reap(cmd *exec.Cmd) error {
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return nil
	}
	return err
}

// Reporter tells the process that waits how the start went. It is used by one
// goroutine.
type Reporter struct{ pipe *os.File }

// Child returns the reporter of a process that Start has started, nil in any
// other.
func Child(getenv func(string) string) *Reporter {
	fd, err := strconv.Atoi(getenv(variable))
	if err != nil || fd < 3 {
		return nil
	}
	syscall.CloseOnExec(fd)   // programs that we start must not keep it open
	_ = os.Unsetenv(variable) // fails for a malformed name only
	return &Reporter{pipe: os.NewFile(uintptr(fd), "readiness pipe")}
}

// Ready sends stdout and stderr to log from now on and tells that all is well.
func (r *Reporter) Ready(log *os.File) error {
	for _, fd := range []int{1, 2} {
		if err := syscall.Dup3(int(log.Fd()), fd, 0); err != nil {
			return fmt.Errorf("output to %s: %w", log.Name(), err)
		}
	}
	return r.send(report{Ready: true})
}

// Failed tells why the start failed. It reports false if nobody waits any more.
func (r *Reporter) Failed(f Failure) bool {
	return r.send(report{Failure: &f}) == nil
}

func (r *Reporter) send(message report) error {
	if r.pipe == nil {
		return os.ErrClosed
	}
	err := json.NewEncoder(r.pipe).Encode(message)
	err = errors.Join(err, r.pipe.Close())
	r.pipe = nil
	return err
}
