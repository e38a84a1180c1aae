package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/fs"
)

// checkMountpoint checks that something can be mounted there, and cleans up what
// a process that was killed has left there.
func (a *app) checkMountpoint(p mountPlan) error {
	if err := a.checkMounted(p.mountpoint); err != nil {
		return err
	}
	info, err := os.Stat(p.mountpoint)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the mount point %s does not exist; make it with: mkdir -p %s", p.mountpoint, quote(p.mountpoint))
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("the mount point %s can't be reached: %w; choose a directory of your own", p.mountpoint, err)
	case err != nil:
		return fmt.Errorf("the mount point: %w", err)
	case !info.IsDir():
		return fmt.Errorf("the mount point %s is not a directory; choose an empty one: %w", p.mountpoint, syscall.ENOTDIR)
	}
	if err := unix.Access(p.mountpoint, unix.W_OK); os.Geteuid() != 0 && errors.Is(err, unix.EACCES) {
		return fmt.Errorf("no permission to mount on %s, which you can't write to; choose a directory of your own: %w", p.mountpoint, err)
	}
	if err := p.checkEmpty(); err != nil {
		return err
	}
	return apart(p.mountpoint, p.stateDir, "the state directory", "choose another with --state-dir")
}

// checkMounted refuses a mount point at which a ragasfs that lives is mounted,
// and takes away the mount of one that was killed.
func (a *app) checkMounted(mountpoint string) error {
	table, err := a.mounts()
	if err != nil {
		return err
	}
	path := realPath(mountpoint)
	i := slices.IndexFunc(table, func(m fs.MountEntry) bool { return m.Mountpoint == path })
	if i < 0 {
		return nil
	}
	if record, err := a.recordOf(table[i]); err == nil {
		return fmt.Errorf("%s is already mounted: pid %d serves %s there; unmount it first: ragasfs unmount %s",
			path, record.PID, record.Source, quote(path))
	}
	if !a.dead(table[i]) {
		return fmt.Errorf("%s is already mounted, by a process that is not yours or does not answer; unmount it first: ragasfs unmount %s",
			path, quote(path))
	}
	fmt.Fprintf(a.err, "ragasfs: %s is what a process that was killed has left behind; unmounting it, nothing that was saved is lost\n", path)
	return a.unmount(path, true)
}

// dead reports whether the process behind a mount is gone for certain.
func (a *app) dead(m fs.MountEntry) bool {
	err := a.alive(m)
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}

func (p mountPlan) checkEmpty() error {
	if p.options.NonEmpty {
		return nil
	}
	dir, err := os.Open(p.mountpoint)
	if err != nil {
		return fmt.Errorf("the mount point can't be read: %w; choose a directory of your own", err)
	}
	defer func() { _ = dir.Close() }() // only read
	if names, _ := dir.Readdirnames(1); len(names) > 0 {
		return fmt.Errorf("the mount point %s is not empty (%s); choose another, or hide its files with -o nonempty",
			p.mountpoint, names[0])
	}
	return nil
}

// checkStore checks what is known of a backend once it is open.
func (p mountPlan) checkStore(opened backends.Opened) error {
	if opened.Properties.Root == "" {
		return nil
	}
	return apart(p.mountpoint, opened.Properties.Root, "the directory of the tables", "choose another mount point")
}

// apart refuses a mount point within dir, and one that would hide dir: the mount
// would wait for itself.
func apart(mountpoint, dir, what, remedy string) error {
	if inside(mountpoint, dir) {
		return fmt.Errorf("the mount point %s is inside of %s %s; %s", mountpoint, what, dir, remedy)
	}
	if inside(dir, mountpoint) {
		return fmt.Errorf("the mount point %s would hide %s %s; %s", mountpoint, what, dir, remedy)
	}
	return nil
}
