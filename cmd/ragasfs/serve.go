package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cache"
	"github.com/ragasfs/ragasfs/cache/control"
	"github.com/ragasfs/ragasfs/cache/store"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/background"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
	"github.com/ragasfs/ragasfs/fs"
)

// handover is how long a mount waits for a daemon that only sends what is left
// of the mount before; part of it that may still send.
const (
	handover     = 5 * time.Second
	handoverSend = 3 * time.Second
)

// recognising is how long a mount waits for the listing that tells whether it is
// the store for which something is pending.
const recognising = time.Second

// serve mounts and serves until the mount ends. reporter is nil in the foreground.
func (a *app) serve(ctx context.Context, plan mountPlan, reporter *background.Reporter) error {
	signals := make(chan os.Signal, 2)
	stop := a.notify(signals)
	defer stop()

	late := &lateLog{}
	log := plan.logger(late)
	opened, err := a.openStore(ctx, plan, log)
	if err != nil {
		return err
	}
	dir := store.DirOf(plan.stateDir, cache.Identity(opened.Properties, plan.options.Cache.Project))
	c, err := openCache(ctx, plan, opened, dir, log)
	if err != nil {
		return err
	}
	d := &daemon{plan: plan, log: log, cache: c, dir: dir, signals: signals}
	err = d.start(a.records(os.Geteuid()))
	if err == nil {
		a.nameOther(ctx, d)
		err = a.settle(d, late, reporter)
	}
	if err != nil {
		return errors.Join(err, d.close())
	}
	return d.serve(ctx)
}

// openStore opens the backend.
func (a *app) openStore(ctx context.Context, plan mountPlan, log *slog.Logger) (backends.Opened, error) {
	opened, err := plan.factory.Open(ctx, backends.Config{
		Options: plan.options.Backend,
		Getenv:  a.getenv,
		Project: plan.options.Cache.Project,
		Log:     log,
	})
	if err != nil {
		return backends.Opened{}, err
	}
	if err := plan.checkStore(opened); err != nil {
		return backends.Opened{}, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// openCache opens the state of the store. A daemon that only sends what is left
// of an earlier mount is asked to hand over.
func openCache(ctx context.Context, plan mountPlan, opened backends.Opened, dir store.Dir, log *slog.Logger) (*cache.Cache, error) {
	config := plan.options.Cache
	config.StateDir = plan.stateDir
	config.Source = plan.factory.Name
	config.Store = opened
	config.Mountpoint = plan.mountpoint
	config.ReadOnly = plan.options.ReadOnly
	config.Options = plan.given
	config.Log = log
	c, err := openAfter(ctx, control.NewClient(dir.Sock()), config)
	if errors.Is(err, os.ErrPermission) {
		err = fmt.Errorf("%w; choose another state directory with --state-dir", err)
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return c, nil
}

// openAfter opens the state. If a daemon has it whose mount has ended, it is asked
// to hand over; right after an unmount it may not know yet that it has ended, or
// be about to let go.
func openAfter(ctx context.Context, client *control.Client, config cache.Config) (*cache.Cache, error) {
	limit, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	for {
		if err := takeOver(ctx, client, config.Log); err != nil {
			return nil, err
		}
		c, err := cache.Open(ctx, config)
		if !errors.Is(err, cache.ErrInUse) || !ending(limit, client) {
			return c, err
		}
		again := time.NewTimer(50 * time.Millisecond)
		select {
		case <-again.C:
		case <-limit.Done():
			again.Stop()
			return nil, err
		}
	}
}

// ending reports whether the daemon that has the state serves no mount any more.
func ending(ctx context.Context, client *control.Client) bool {
	info, err := client.Info(ctx)
	if err != nil {
		return ctx.Err() == nil // it does not answer commands: it is just ending, or starting
	}
	table, err := fs.MountInfo()
	return err == nil && !slices.ContainsFunc(table, func(m fs.MountEntry) bool { return m.Mountpoint == info.Mountpoint })
}

// takeOver waits for the end of a daemon whose mount has ended. One whose mount is
// alive is left alone: opening the state says whose it is.
func takeOver(ctx context.Context, client *control.Client, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, handover)
	defer cancel()
	info, err := client.Info(ctx)
	if err != nil || !info.Draining {
		return nil // nobody there, or somebody at work
	}
	log.Info("the mount before still sends what is left; taking over", "pid", info.PID, "mountpoint", info.Mountpoint)
	if err := client.End(ctx, handoverSend); err != nil && !errors.Is(err, control.ErrNoDaemon) {
		return fmt.Errorf("asking pid %d to hand over: %w", info.PID, err)
	}
	ended, err := waitProcess(ctx, info.PID)
	if err == nil && !ended {
		err = fmt.Errorf("pid %d still sends what is left of the mount before at %s; try again when it has ended: %w",
			info.PID, info.Mountpoint, cache.ErrInUse)
	}
	return err
}

// start mounts and lets commands in.
func (d *daemon) start(directory mounts.Directory) error {
	options := d.plan.options
	mounted, err := fs.Mount(fs.Options{
		Mountpoint: d.plan.mountpoint, Source: d.plan.factory.Name, Tree: fs.FromCache(d.cache),
		ReadOnly: options.ReadOnly, AllowOther: options.AllowOther,
		NonEmpty: options.NonEmpty,
		UID:      options.UID, GID: options.GID, Umask: options.Umask,
		Log: d.log,
	})
	if err != nil {
		return err
	}
	d.mounted = mounted
	if d.server, err = control.Listen(d.dir.Sock(), d.cache, d, d.log); err != nil {
		return err
	}
	device, err := deviceOf(mounted.Mountpoint())
	if err != nil {
		return err
	}
	d.forget, err = directory.Write(mounts.Record{
		Mountpoint: mounted.Mountpoint(), Device: device, Source: d.plan.factory.Name,
		StateDir: d.plan.stateDir, StoreDir: string(d.dir),
	})
	return err
}

// deviceOf returns the device of the mount that was made last at mountpoint.
func deviceOf(mountpoint string) (string, error) {
	table, err := fs.MountInfo()
	if err != nil {
		return "", err
	}
	device := ""
	for _, m := range table {
		if m.Mountpoint == mountpoint {
			device = m.Device
		}
	}
	if device == "" {
		return "", fmt.Errorf("%s was unmounted again at once", mountpoint)
	}
	return device, nil
}

// nameOther tells the person who mounts if this is not the store for which
// something is pending. Where only a listing can tell, the mount waits a moment
// for it.
func (a *app) nameOther(ctx context.Context, d *daemon) {
	ctx, cancel := context.WithTimeout(ctx, recognising)
	defer cancel()
	if d.cache.IsOther(ctx) {
		fmt.Fprintf(a.err, "ragasfs: %s: %s\n", d.plan.mountpoint, cache.OtherStoreNotice)
	}
}

// settle directs the log to where it belongs, leaves the directory in which the
// daemon was started, and says that the mount is there.
func (a *app) settle(d *daemon, late *lateLog, reporter *background.Reporter) error {
	if reporter == nil && d.plan.logFile == "" {
		if err := late.direct(a.err); err != nil {
			return err
		}
	} else {
		path := d.plan.logFile
		if path == "" {
			path = filepath.Join(string(d.dir), logName)
		}
		file, err := openLog(path)
		if err != nil {
			return err
		}
		if err := late.direct(file); err != nil {
			return fmt.Errorf("log file: %w", err)
		}
		if reporter != nil {
			if err := os.Chdir("/"); err != nil {
				return err
			}
			if err := reporter.Ready(file); err != nil {
				return err
			}
		}
	}
	d.log.Info("mounted", "source", d.plan.factory.Name, "mountpoint", d.mounted.Mountpoint(), "state", string(d.dir))
	d.tell(systemd.SdNotifyReady)
	return nil
}

// tell tells systemd, if that started us.
func (d *daemon) tell(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		d.log.Warn("systemd can't be told", "state", state, "error", err)
	}
}
