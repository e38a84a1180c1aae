package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/cache"
)

// patience is the default of --timeout.
const patience = 5 * time.Minute

func (a *app) flushCommand() *cobra.Command {
	var retry bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "flush PATH...",
		Short: "Send what is pending now, and wait for it",
		Long: `Sends what is pending of the tables, projects or mounts named by PATH and waits
until the store has it. Exit code 3 if something stays: each is named.`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&retry, "retry", false, "try again what the store has rejected")
	cmd.Flags().DurationVar(&timeout, "timeout", patience, "give up after this time without progress")
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		return a.flush(ctx, args, retry, timeout)
	})
	return cmd
}

// flush flushes the paths mount by mount.
func (a *app) flush(ctx context.Context, paths []string, retry bool, timeout time.Duration) error {
	ctx, stop := interruptible(ctx)
	defer stop()
	byMount := map[string][]target{}
	var order []string
	for _, path := range paths {
		t, err := a.locate(path)
		if err != nil {
			return err
		}
		if byMount[t.Mountpoint] == nil {
			order = append(order, t.Mountpoint)
		}
		byMount[t.Mountpoint] = append(byMount[t.Mountpoint], t)
	}
	var failed []error
	for _, mountpoint := range order {
		failed = append(failed, a.flushMount(ctx, byMount[mountpoint], retry, timeout))
	}
	return errors.Join(failed...)
}

func (a *app) flushMount(ctx context.Context, targets []target, retry bool, timeout time.Duration) error {
	var paths []string
	for _, t := range targets {
		paths = append(paths, t.inside)
	}
	client := targets[0].client()
	meter := newMeter(a.err, "sent")
	err := withPatience(ctx, timeout, meter.show, func(ctx context.Context, progress func(cache.Progress)) error {
		return client.Flush(ctx, paths, retry, progress)
	})
	meter.clear()
	if !errors.Is(err, cache.ErrPending) && !errors.Is(err, errStalled) {
		return err
	}
	if errors.Is(err, errStalled) {
		fmt.Fprintf(a.err, "ragasfs: %s: %v; it goes on in the background\n", targets[0].Mountpoint, err)
	}
	return errors.Join(a.left(ctx, targets[0], paths...), &codeError{code: exitPending})
}

// left names what is not in the store under the paths of a mount.
func (a *app) left(ctx context.Context, t target, paths ...string) error {
	status, err := t.client().Status(ctx, "")
	if err != nil {
		return err
	}
	under(status, paths...).name(a.err, t.Mountpoint)
	return nil
}
