package control

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// withAddress calls use with an address for the socket at path that fits into
// the 108 bytes which the kernel has for one, however deep the state directory
// lies: the directory is opened and named by its descriptor.
func withAddress(path string, use func(address string) error) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	err = use(fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path)))
	if closeErr := unix.Close(fd); err == nil && closeErr != nil {
		return &os.PathError{Op: "close", Path: filepath.Dir(path), Err: closeErr}
	}
	return err
}
