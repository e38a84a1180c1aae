package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// subtype makes the mounts recognisable: their type is "fuse.ragasfs".
const subtype = "ragasfs"

// Options are what Mount needs. The zero value of a field is its default.
type Options struct {
	Mountpoint string // an existing directory
	Source     string // shown as the device of the mount, e.g. "local/csv"
	Tree       Tree

	ReadOnly   bool
	AllowOther bool // other users may use the mount, as far as modes let them
	NonEmpty   bool // mount over a directory that is not empty
	UID, GID   *uint32
	Umask      *uint32 // permission bits that are taken away

	Log *slog.Logger // nil: discard
}

// Errors of Mount, for errors.Is.
var (
	// ErrMounted: a ragasfs that is alive is mounted there already.
	ErrMounted = errors.New("already a ragasfs mount point")
	// ErrNoFUSE: this machine (or container) can't mount FUSE file systems.
	ErrNoFUSE = errors.New("FUSE is not available")
	// ErrNotEmptyDir: the mount point holds files that would be hidden.
	ErrNotEmptyDir = errors.New("the mount point is not empty")
)

// Mounted is a mount that is served by this process.
type Mounted struct {
	mountpoint string
	server     *fuse.Server
	notifier   *notifier
	done       chan struct{}
}

// Mount mounts and serves a tree. It returns when the mount answers. A mount
// point that a ragasfs left behind when it was killed is cleared first.
func Mount(opt Options) (*Mounted, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	mountpoint, err := prepare(opt)
	if err != nil {
		return nil, err
	}
	rootAttr, err := opt.Tree.Attr(context.Background(), "")
	if err != nil {
		return nil, fmt.Errorf("reading the root directory: %w", err)
	}
	s := &shared{
		reporter: reporter{opt.Log}, tree: opt.Tree,
		owner: owner{opt.UID, opt.GID, opt.Umask},
	}
	root := &dirNode{shared: s}
	n := newNotifier(s, root.EmbeddedInode)
	opt.Tree.SetInvalidator(n)

	options := fuseOptions(opt)
	options.RootStableAttr = &gofs.StableAttr{Ino: rootAttr.Ino, Gen: rootAttr.Gen}
	raw := &openModes{RawFileSystem: gofs.NewNodeFS(root, options), log: opt.Log}
	server, err := fuse.NewServer(raw, mountpoint, &options.MountOptions)
	if err != nil {
		return nil, mountFailed(opt, mountpoint, err)
	}
	m := &Mounted{mountpoint: mountpoint, server: server, notifier: n, done: make(chan struct{})}
	go n.run()
	go func() {
		defer close(m.done)
		server.Serve()
		n.close()
		// A connection that was aborted leaves its mount point behind.
		if _, err := detachDead(mountpoint); err != nil && !errors.Is(err, ErrMounted) {
			opt.Log.Warn("clearing the mount point", "mountpoint", mountpoint, "error", err)
		}
	}()
	// "Permission denied" is an answer: with -o uid= the mount may belong to another.
	if err := server.WaitMount(); err != nil && !errors.Is(err, syscall.EACCES) {
		return nil, errors.Join(mountFailed(opt, mountpoint, err), Unmount(mountpoint, true))
	}
	return m, nil
}

// Mountpoint is the absolute path of the mount.
func (m *Mounted) Mountpoint() string { return m.mountpoint }

// Wait returns when the file system is unmounted, by whomever, and every file of
// a lazy unmount is closed.
func (m *Mounted) Wait() { <-m.done }

// Done is closed when Wait would return.
func (m *Mounted) Done() <-chan struct{} { return m.done }

// Unmount is the function Unmount for this mount.
func (m *Mounted) Unmount(lazy bool) error { return Unmount(m.mountpoint, lazy) }

// fuseOptions are the settings measured as the best; none of them is a matter of
// taste. No writeback cache: it turns passthrough off, and the kernel would own
// size and times.
func fuseOptions(opt Options) *gofs.Options {
	// The kernel checks modes, always: a tree does not, and it is cheaper than an
	// ACCESS for each.
	options := []string{"default_permissions"}
	if opt.ReadOnly {
		options = append(options, "ro")
	}
	logger := slog.NewLogLogger(opt.Log.Handler(), slog.LevelWarn)
	return &gofs.Options{
		NullPermissions: true, // mode 000 is 000
		Logger:          logger,
		MountOptions: fuse.MountOptions{
			Name:              subtype,
			FsName:            opt.Source,
			AllowOther:        opt.AllowOther,
			Options:           options,
			DirectMount:       true,       // without the right to, go-fuse takes fusermount3
			MaxWrite:          1016 << 10, // 1 MiB and its header don't fit into a pipe: no splice
			MaxStackDepth:     2,          // the state directory may be on overlayfs
			DisableXAttrs:     true,       // else one GETXATTR for each write
			ExtraCapabilities: fuse.CAP_HANDLE_KILLPRIV_V2 | fuse.CAP_ATOMIC_O_TRUNC | fuse.CAP_READDIRPLUS_AUTO,
			Logger:            logger,
			PanicHandler: func(cause any) fuse.Status {
				opt.Log.Error("a bug: a file operation panicked; it was answered with EIO, the mount goes on",
					"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
				return fuse.EIO
			},
		},
	}
}

// prepare checks everything of which the kernel would only say EINVAL, and gives
// the real path of the mount point.
func prepare(opt Options) (string, error) {
	if err := checkFUSE("/dev/fuse"); err != nil {
		return "", err
	}
	mountpoint, err := resolve(opt.Mountpoint)
	if err != nil {
		return "", err
	}
	if err := clearDead(mountpoint, opt.Log); err != nil {
		return "", err
	}
	info, err := os.Stat(mountpoint)
	if err != nil {
		return "", fmt.Errorf("mount point: %w", err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("mount point %s: %w", mountpoint, syscall.ENOTDIR)
	}
	if opt.NonEmpty {
		return mountpoint, nil
	}
	return mountpoint, checkEmpty(mountpoint)
}

func checkEmpty(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("mount point: %w", err)
	}
	defer func() { _ = d.Close() }() // only read
	names, err := d.Readdirnames(1)
	if len(names) > 0 {
		return fmt.Errorf("%w: %s; choose another directory, or mount over it with -o nonempty", ErrNotEmptyDir, dir)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("mount point: %w", err)
	}
	return nil
}

// checkFUSE explains what is missing on this machine.
func checkFUSE(device string) error {
	if _, err := os.Stat(device); err != nil {
		return fmt.Errorf("%w: %w; load the module: modprobe fuse (in a container: run it with --device /dev/fuse)", ErrNoFUSE, err)
	}
	if os.Geteuid() == 0 || canMount() {
		return nil
	}
	if err := unix.Access(device, unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("%w: %s: %w; the package fuse3 lets every user open it, or as root: chmod 666 %s", ErrNoFUSE, device, err, device)
	}
	for _, helper := range []string{"fusermount3", "/bin/fusermount3", "fusermount", "/bin/fusermount"} {
		if _, err := exec.LookPath(helper); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: fusermount3 is not there, which mounts for users other than root; install: apt-get install fuse3", ErrNoFUSE)
}

// canMount is whether this process has CAP_SYS_ADMIN.
func canMount() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[0].Effective&(1<<unix.CAP_SYS_ADMIN) != 0
}

func mountFailed(opt Options, mountpoint string, err error) error {
	hint := ""
	if opt.AllowOther && os.Geteuid() != 0 {
		hint = " (allow_other needs the line user_allow_other in /etc/fuse.conf)"
	}
	return fmt.Errorf("mounting on %s: %w%s", mountpoint, err, hint)
}

// resolve makes a path absolute and free of symlinks, as mountinfo has it. A
// mount point is not touched: its daemon may be gone, or not answer.
func resolve(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	real := filepath.Join(dir, filepath.Base(abs))
	if _, listed, err := mountAt(real); err != nil || listed {
		return real, err
	}
	return filepath.EvalSymlinks(abs)
}

// isDead is the errno of a mount whose daemon is gone.
func isDead(err error) bool {
	return errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNABORTED)
}

// clearDead makes room at a mount point for a new mount.
func clearDead(mountpoint string, log *slog.Logger) error {
	cleared, err := detachDead(mountpoint)
	if cleared {
		log.Warn("the ragasfs that was mounted here has ended without unmounting; its mount point is cleared",
			"mountpoint", mountpoint)
	}
	return err
}

// detachDead takes away mounts of ours at a mount point whose daemon is gone.
// ErrMounted: there is one that is alive, or does not answer; it is left alone.
func detachDead(mountpoint string) (cleared bool, err error) {
	for {
		entry, listed, err := mountAt(mountpoint)
		if err != nil || !listed {
			return cleared, err
		}
		switch err := entry.Alive(); {
		case err == nil:
			return cleared, fmt.Errorf("%w: %s (%s); unmount it first: ragasfs unmount %s", ErrMounted, mountpoint, entry.Source, mountpoint)
		case !isDead(err):
			return cleared, fmt.Errorf("%w: %s (%s) does not answer: %w", ErrMounted, mountpoint, entry.Source, err)
		}
		if err := Unmount(mountpoint, true); err != nil {
			return cleared, fmt.Errorf("clearing the mount point of a ragasfs that has ended: %w", err)
		}
		cleared = true
	}
}
