package localcsv

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
)

// tick is longer than the time in which a file system may give two changes the
// same mtime (a timer tick is at most 10 ms).
const tick = 20 * time.Millisecond

// versionOf is the version token of a file: it changes with its bytes, and with
// the file that stands under the name.
func versionOf(st *unix.Stat_t) backends.Version {
	return backends.Version(fmt.Sprintf("%d:%d:%d:%d:%d",
		st.Dev, st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()))
}

// sameContent reports whether a file has not been written to between two
// stats. It does not look at ctime, which renaming a file changes too.
func sameContent(a, b *unix.Stat_t) bool {
	return sameFile(a, b) && a.Size == b.Size && a.Mtim == b.Mtim
}

func sameFile(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }

func isRegular(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFREG }

func modTime(st *unix.Stat_t) time.Time { return time.Unix(st.Mtim.Unix()) }

// quiet waits until a file's mtime is so old that another change will certainly
// give it another one: only then does an equal version mean equal bytes.
func quiet(ctx context.Context, st *unix.Stat_t) error {
	wait := tick - time.Since(modTime(st))
	if wait <= 0 || wait > tick { // an mtime in the future was set by hand
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
