package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
	"github.com/ragasfs/ragasfs/fs"
)

// closing is how long a daemon may take to put its state away after it has
// stopped sending.
const closing = 30 * time.Second

// lazyWait is how long unmount --lazy waits for a daemon, which goes on as long as
// files are open.
const lazyWait = 2 * time.Second

type unmountOptions struct {
	timeout time.Duration
	lazy    bool
}

func (a *app) unmountCommand() *cobra.Command {
	var opts unmountOptions
	cmd := &cobra.Command{
		Use:     "unmount MOUNTPOINT",
		Aliases: []string{"umount"},
		Short:   "Send what is pending, then unmount",
		Long: `Sends what is pending, shows how it goes on, and unmounts. Exit code 3 if something
could not be sent: it is named, stays on disk, and the next mount sends it.
A mount in use is not unmounted, but what is saved in it is sent.`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().DurationVar(&opts.timeout, "timeout", patience, "stop sending after this time without progress")
	cmd.Flags().BoolVar(&opts.lazy, "lazy", false, "unmount also while in use; it ends when the last file is closed")
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		ctx, stop := interruptible(ctx)
		defer stop()
		return a.unmountPath(ctx, args[0], opts)
	})
	return cmd
}

func (a *app) unmountPath(ctx context.Context, path string, opts unmountOptions) error {
	mount, inside, err := a.mounts.Locate(path)
	if errors.Is(err, mounts.ErrNotMounted) {
		if record, ok := a.draining(path); ok {
			return a.follow(ctx, target{record: record}, opts)
		}
		return fmt.Errorf("%w; `ragasfs status` lists the mounts", err)
	}
	if err != nil {
		return err
	}
	if inside != "" {
		return fmt.Errorf("%s is not a mount point; unmount the whole mount: ragasfs unmount %s", path, quote(mount.Mountpoint))
	}
	record, err := a.recordOf(mount)
	if errors.Is(err, mounts.ErrNotMounted) && a.gone(mount) {
		// Another command has just unmounted it, and names what is left behind.
		if record, ok := a.draining(path); ok {
			return a.follow(ctx, target{record: record}, opts)
		}
		return nil
	}
	if errors.Is(err, mounts.ErrNotMounted) && !a.dead(mount) {
		// It lives elsewhere, in another container. It drains when its mount ends.
		return a.unmount(mount.Mountpoint, opts.lazy)
	}
	if errors.Is(err, mounts.ErrNotMounted) {
		return a.cleanUp(ctx, mount.Mountpoint, record)
	}
	if err != nil {
		return err
	}
	return a.drainAndUnmount(ctx, target{MountEntry: mount, record: record}, opts)
}

// drainAndUnmount is the ordinary way. If another command unmounts at the same
// time, both wait for the daemon, and both name what it leaves behind.
func (a *app) drainAndUnmount(ctx context.Context, t target, opts unmountOptions) error {
	left, opts, err := a.send(ctx, t, opts)
	switch {
	case errors.Is(err, control.ErrNoDaemon) && a.gone(t.MountEntry):
		return a.await(ctx, t, left, opts)
	case errors.Is(err, control.ErrNoDaemon) && died(ctx, t.record):
		return a.cleanUp(ctx, t.Mountpoint, t.record)
	case err != nil:
		return fmt.Errorf("%s is still mounted: %w", t.Mountpoint, err)
	}
	if err := a.unmountOnce(ctx, t.MountEntry, opts.lazy); err != nil {
		left.name(a.err, t.Mountpoint)
		return err
	}
	return a.await(ctx, t, left, opts)
}

// unmountOnce unmounts, and is content if somebody else has done it. The kernel
// answers "busy", with nobody to blame, while another command is at it.
func (a *app) unmountOnce(ctx context.Context, mount fs.MountEntry, lazy bool) error {
	for try := 1; ; try++ {
		err := a.unmount(mount.Mountpoint, lazy)
		if err == nil || a.gone(mount) {
			return nil
		}
		var busy *fs.BusyError
		if try == 5 || !errors.As(err, &busy) || len(busy.Processes) > 0 {
			return err
		}
		again := time.NewTimer(50 * time.Millisecond)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return err
		}
	}
}

// gone reports whether a mount has ended: another at the same place is not it.
func (a *app) gone(mount fs.MountEntry) bool {
	table, err := a.mounts()
	return err == nil && !slices.ContainsFunc(table, func(m fs.MountEntry) bool {
		return m.Mountpoint == mount.Mountpoint && m.Device == mount.Device
	})
}

// follow waits for a daemon whose mount has ended and that still sends.
func (a *app) follow(ctx context.Context, t target, opts unmountOptions) error {
	left, opts, err := a.send(ctx, t, opts)
	if err != nil && !errors.Is(err, control.ErrNoDaemon) { // it has ended meanwhile: all the better
		return err
	}
	return a.await(ctx, t, left, opts)
}

// send sends what is pending, as long as it moves. It returns what is left, and
// the options for the rest of the way: after a stall nobody waits again.
func (a *app) send(ctx context.Context, t target, opts unmountOptions) (leftover, unmountOptions, error) {
	drained := a.drain(ctx, t, opts.timeout)
	if drained != nil && !errors.Is(drained, cache.ErrPending) && !errors.Is(drained, errStalled) {
		return leftover{}, opts, drained
	}
	if errors.Is(drained, errStalled) {
		fmt.Fprintf(a.err, "ragasfs: %s: %v\n", t.record.Mountpoint, drained)
		opts.timeout = 0
	}
	status, err := t.client().Status(ctx, "")
	if err != nil {
		return leftover{}, opts, err
	}
	for _, notice := range status.Notices {
		fmt.Fprintf(a.err, "ragasfs: %s: %s\n", t.record.Mountpoint, notice)
	}
	if drained == nil {
		return leftover{}, opts, nil
	}
	return under(status, ""), opts, nil
}

func (a *app) drain(ctx context.Context, t target, timeout time.Duration) error {
	meter := newMeter(a.err, "sent")
	defer meter.clear()
	return withPatience(ctx, timeout, meter.show, t.client().Drain)
}

// await waits for the end of a daemon whose mount has ended, and names what it
// leaves behind.
func (a *app) await(ctx context.Context, t target, left leftover, opts unmountOptions) error {
	// The daemon sends what was written since the drain.
	if err := t.client().End(ctx, opts.timeout); err != nil && !errors.Is(err, control.ErrNoDaemon) {
		return err
	}
	wait := opts.timeout + closing
	if opts.lazy {
		wait = lazyWait
	}
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ended, err := waitProcess(limit, t.record.PID)
	switch {
	case err != nil:
		return err
	case !ended && opts.lazy:
		fmt.Fprintf(a.err, "ragasfs: %s is unmounted; its process (pid %d) ends when the last file is closed\n", t.record.Mountpoint, t.record.PID)
	case !ended && ctx.Err() != nil:
		return fmt.Errorf("interrupted; %s is unmounted, and pid %d sends what is left", t.record.Mountpoint, t.record.PID)
	case !ended:
		return fmt.Errorf("%s is unmounted, but its process (pid %d) does not end", t.record.Mountpoint, t.record.PID)
	}
	return a.behind(t.record, left)
}

// behind names what is not sent of a store that is no longer mounted.
func (a *app) behind(record mounts.Record, left leftover) error {
	store, waits, err := cache.Waiting(record.StoreDir)
	if err != nil {
		left.name(a.err, record.Mountpoint)
		return err
	}
	resume := ""
	if waits {
		resume = fmt.Sprintf("%s, kept on disk; the next mount sends it: %s",
			pendingTotal(store.Rows, store.Tables, len(store.Projects)), a.resumeCommand(record.StateDir, store))
	}
	if resume == "" && left.none() {
		return nil
	}
	left.name(a.err, record.Mountpoint)
	if resume == "" {
		resume = "mount again to settle it: ragasfs mount " + quote(record.Source) + " " + quote(record.Mountpoint)
	}
	fmt.Fprintf(a.err, "ragasfs: %s: %s\n", record.Mountpoint, resume)
	return &codeError{code: exitPending}
}

// draining returns the daemon that still sends what is left of a mount that was
// at path.
func (a *app) draining(path string) (mounts.Record, bool) {
	records, err := a.records(os.Geteuid()).Read()
	if err != nil {
		return mounts.Record{}, false
	}
	for _, r := range records {
		if samePath(r.Mountpoint, path) {
			return r, true
		}
	}
	return mounts.Record{}, false
}

// cleanUp takes a mount away whose daemon was killed.
func (a *app) cleanUp(ctx context.Context, mountpoint string, record mounts.Record) error {
	if err := a.unmount(mountpoint, true); err != nil {
		return err
	}
	fmt.Fprintf(a.err, "ragasfs: %s: its process was gone; nothing that was saved is lost, the next mount goes on with it\n", mountpoint)
	if record.StateDir == "" {
		return nil
	}
	// It may take a moment until the kernel has closed its files: it holds the
	// lock of the store until then.
	if !died(ctx, record) {
		return fmt.Errorf("%s is unmounted, but its process (pid %d) does not end", mountpoint, record.PID)
	}
	return a.behind(record, leftover{})
}

// died reports whether the process ends at once: it was killed a moment ago.
func died(ctx context.Context, r mounts.Record) bool {
	if started, err := mounts.StartTime(r.PID); err == nil && started != r.Started {
		return true // its pid is another's already
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ended, err := waitProcess(ctx, r.PID)
	return err == nil && ended
}

// waitProcess waits until a process has ended, or ctx is done.
func waitProcess(ctx context.Context, pid int) (ended bool, err error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("waiting for pid %d: %w", pid, err)
	}
	return pollEnd(ctx, fd)
}

// pollEnd waits until fd, of a process, can be read.
func pollEnd(ctx context.Context, fd int) (ended bool, err error) {
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		const step = 100 // milliseconds, after which ctx is looked at again
		n, err := unix.Poll(fds, step)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, err
		}
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}
