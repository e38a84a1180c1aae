package fs

import (
	"testing"

	"github.com/hanwen/go-fuse/v2/posixtest"
)

// leftOut are the cases of go-fuse's kit that don't hold here, each with the
// reason.
var leftOut = map[string]string{
	"XAttr":               "extended attributes are off: they cost a round trip for every write",
	"XAttrLarge":          "as XAttr",
	"FcntlFlockLocksFile": "two descriptors of one process never conflict in POSIX locks; the case fails on ext4 as well",
	"Tmpfile":             "O_TMPFILE answers ENOTSUP by contract; the case only skips itself then",
}

func TestMountPosix(t *testing.T) {
	for name, test := range posixtest.All {
		if leftOut[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			defer func() {
				if t.Skipped() {
					t.Error("skipped: a case that does not hold belongs into leftOut, with its reason")
				}
			}()
			m := start(t, Options{})
			// The kit wants an empty directory.
			test(t, m.mkdir("work"))
		})
	}
}
