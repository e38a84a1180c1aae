package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/background"
)

// mountInBackground starts a process that serves the mount, and returns when the
// mount answers.
func (a *app) mountInBackground(ctx context.Context, plan mountPlan) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	stderr, _ := a.err.(*os.File) // nil elsewhere, which is /dev/null to the process
	pid, err := background.Start(ctx, a.args, stderr)
	var failure *background.Failure
	switch {
	case errors.As(err, &failure):
		return &codeError{code: failure.Code, err: failure}
	case errors.Is(err, background.ErrEnded):
		return fmt.Errorf("%w before the mount answered; see why with `ragasfs mount --foreground`", err)
	case err != nil:
		return err
	}
	return answers(ctx, plan.mountpoint, pid)
}

// answers waits until a mount answers from here, as it will to every program. It
// was ready, so that anything but an answer is a reason to look at the log.
func answers(ctx context.Context, mountpoint string, pid int) error {
	result := make(chan error, 1)
	go func() {
		_, err := os.Stat(mountpoint)
		result <- err
	}()
	select {
	case err := <-result:
		if err != nil {
			return fmt.Errorf("the mount does not answer (pid %d): %w; its log says more", pid, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("interrupted; the mount goes on (pid %d): ragasfs unmount %s", pid, quote(mountpoint))
	}
}
