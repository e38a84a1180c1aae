package fs

import (
	"context"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/ragasfs/ragasfs/cache"
)

// The operations that change the names of a directory.

// Create makes a file and opens it. The name may exist by now (somebody else
// made it since the kernel looked): without O_EXCL it is opened.
func (d *dirNode) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*gofs.Inode, gofs.FileHandle, uint32, syscall.Errno) {
	var h Handle
	inode, errno := d.entry(ctx, "create", name, out, func(dir string) (node Node, err error) {
		node, h, err = d.tree.Create(ctx, dir, name, openFlags(flags), mode, caller(ctx))
		return node, err
	})
	if errno != 0 {
		return nil, nil, 0, errno
	}
	node := inode.Operations().(*fileNode)
	return inode, &handle{node: node, h: h}, fuseFlags(h), 0
}

// Mknod makes a file without opening it, a FIFO, a socket or a device.
func (d *dirNode) Mknod(ctx context.Context, name string, mode, dev uint32, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	return d.entry(ctx, "mknod", name, out, func(dir string) (Node, error) {
		return d.tree.Mknod(ctx, dir, name, mode, dev, caller(ctx))
	})
}

// Mkdir makes a directory.
func (d *dirNode) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	return d.entry(ctx, "mkdir", name, out, func(dir string) (Node, error) {
		return d.tree.Mkdir(ctx, dir, name, mode, caller(ctx))
	})
}

// Symlink makes a symbolic link.
func (d *dirNode) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	return d.entry(ctx, "symlink", name, out, func(dir string) (Node, error) {
		return d.tree.Symlink(ctx, dir, name, target, caller(ctx))
	})
}

// Link gives a file another name. Only files can have two.
func (d *dirNode) Link(ctx context.Context, target gofs.InodeEmbedder, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	f, ok := target.(*fileNode)
	if !ok {
		return nil, syscall.EPERM
	}
	return d.entry(ctx, "link", name, out, func(dir string) (Node, error) {
		return d.tree.Link(ctx, f.file, dir, name)
	})
}

// Unlink takes a name away.
func (d *dirNode) Unlink(ctx context.Context, name string) syscall.Errno {
	dir, err := d.path()
	if err == nil {
		err = d.tree.Unlink(ctx, dir, name, caller(ctx))
	}
	return d.fail(err, "unlink", name)
}

// Rmdir removes an empty directory.
func (d *dirNode) Rmdir(ctx context.Context, name string) syscall.Errno {
	dir, err := d.path()
	if err == nil {
		err = d.tree.Rmdir(ctx, dir, name)
	}
	return d.fail(err, "rmdir", name)
}

// Rename moves a name, with RENAME_NOREPLACE and RENAME_EXCHANGE.
func (d *dirNode) Rename(ctx context.Context, name string, newParent gofs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*dirNode)
	if !ok {
		return syscall.ENOTDIR
	}
	dir, err := d.path()
	if err != nil {
		return d.fail(err, "rename", name)
	}
	newDir, err := to.path()
	if err == nil {
		err = d.tree.Rename(ctx, dir, name, newDir, newName, cache.RenameFlags(flags), caller(ctx))
	}
	return d.fail(err, "rename", name)
}
