package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/cache/store"
	"github.com/ragasfs/ragasfs/fs"
)

// defaultDrain is that of -o drain.
const defaultDrain = 5 * time.Minute

// daemon is the process behind one mount. It is the control.Host of its socket.
type daemon struct {
	plan    mountPlan
	log     *slog.Logger
	cache   *cache.Cache
	dir     store.Dir
	signals <-chan os.Signal

	mounted *fs.Mounted     // nil: not mounted yet
	server  *control.Server // nil: not listening yet
	forget  func() error    // takes the record away; nil: there is none

	mu sync.Mutex // guards the rest
	// ended: the mount has ended, what is left is being sent.
	ended bool
	// limit is how long that may take; set by whoever unmounts, nil until then.
	limit *time.Duration
	// timer ends the sending; nil: nothing has to be sent yet.
	timer *time.Timer
}

var _ control.Host = (*daemon)(nil)

// Info implements control.Host.
func (d *daemon) Info() control.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return control.Info{PID: os.Getpid(), Mountpoint: d.plan.mountpoint, Draining: d.ended}
}

// End implements control.Host.
func (d *daemon) End(wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limit = &wait
	if d.timer != nil {
		d.timer.Reset(wait)
	}
}

// serve waits for the end of the mount, by whatever means, and sends what is
// left.
func (d *daemon) serve(ctx context.Context) error {
	asked := false
	select {
	case <-d.mounted.Done():
		d.log.Info("unmounted", "mountpoint", d.plan.mountpoint)
	case s := <-d.signals:
		d.log.Info("asked to end; sending what is pending", "signal", s.String())
		asked = true
	case <-ctx.Done():
		asked = true
	}
	d.tell(systemd.SdNotifyStopping)
	drain, cancel := d.drainContext(context.WithoutCancel(ctx))
	defer cancel()
	if asked {
		// As long as the mount is there, what goes wrong can still be seen in it.
		_ = d.drain(drain) // what is left is named after the last try, below
		d.takeAway()
	}
	d.mu.Lock()
	d.ended = true
	d.mu.Unlock()
	if err := d.drain(drain); err != nil {
		d.nameLeft(err)
	} else {
		d.log.Info("everything is in the store")
	}
	return d.close()
}

// drainContext is done when sending may take no longer, or at the next signal.
func (d *daemon) drainContext(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := d.plan.options.Cache.Drain
	if limit == 0 {
		limit = defaultDrain
	}
	if d.limit != nil {
		limit = *d.limit
	}
	d.timer = time.AfterFunc(limit, func() { cancel(errors.New("it may take no longer")) })
	go func() {
		select {
		case s := <-d.signals:
			cancel(fmt.Errorf("a second signal (%s)", s))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// drain sends everything that is pending. systemd is kept patient while it moves.
func (d *daemon) drain(ctx context.Context) error {
	const step = 10 * time.Second
	var told time.Time
	err := d.cache.Drain(ctx, func(p cache.Progress) {
		if time.Since(told) < step {
			return
		}
		told = time.Now()
		d.log.Info("sending what is pending", "path", p.Path, "done", p.Done, "left", p.Left, "eta", p.ETA)
		d.tell(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (3 * step).Microseconds()))
	})
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("stopped: %w: %w", context.Cause(ctx), err)
	}
	return err
}

// takeAway unmounts, also while the mount is in use: who was asked to end ends.
func (d *daemon) takeAway() {
	err := d.mounted.Unmount(false)
	if errors.Is(err, fs.ErrBusy) {
		d.log.Warn("unmounted while in use; open files can't be written to any more", "error", err)
		err = d.mounted.Unmount(true)
	}
	if err != nil && !errors.Is(err, fs.ErrNotMounted) {
		d.log.Error("unmount failed", "error", err)
	}
}

// nameLeft logs what is not in the store, one line for each.
func (d *daemon) nameLeft(why error) {
	d.log.Warn("not everything is in the store; it is kept on disk, the next mount goes on with it", "error", why)
	status, err := d.cache.Status("")
	if err != nil {
		d.log.Error("what is left can't be named", "error", err)
		return
	}
	left := under(status, "")
	for _, p := range left.projects {
		d.log.Warn("left", "path", p.Path, "state", projectTrouble(p), "remedy", projectRemedy(d.plan.mountpoint, p))
	}
	for _, t := range left.tables {
		d.log.Warn("left", "path", t.Path, "state", trouble(t), "remedy", remedy(d.plan.mountpoint, t))
	}
}

// close puts everything away that start has made, in the opposite order.
func (d *daemon) close() error {
	var failed []error
	if d.forget != nil {
		failed = append(failed, d.forget())
	}
	if d.server != nil {
		failed = append(failed, d.server.Close())
	}
	// Once ended, the mount point may be that of the next mount.
	if d.mounted != nil && !d.Info().Draining {
		if err := d.mounted.Unmount(true); err != nil && !errors.Is(err, fs.ErrNotMounted) {
			failed = append(failed, err)
		}
	}
	failed = append(failed, d.cache.Close())
	if err := errors.Join(failed...); err != nil {
		d.log.Error("the end of the mount", "error", err)
		return err
	}
	return nil
}
