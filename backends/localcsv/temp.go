package localcsv

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/csvstore"
)

// Hidden files stand beside the tables for moments: a content on its way in, or
// a file that was replaced or deleted and may still have a late writer. Their
// names begin with a dot and do not end in ".csv", so that no pattern of Ragas
// takes them for tables, and say in themselves what they are, so that a later
// process can go on where this one was killed (see recover.go):
//
//	.ragasfs-TABLE-INODE-SIZE-MTIME-SUM-N
//
// TABLE is a hash of the table's file name (the name itself might not fit).
// Inode, size, mtime in ns and checksum (late.go; 0: none) are those of the file
// that is replaced. A hidden file with another inode is a content that never
// got its name.
const (
	hiddenPrefix = ".ragasfs-"
	hiddenFormat = hiddenPrefix + "%08x-%d-%d-%d-%x-%d"
	// maxTempNames is how many files of one name there may be at a time.
	maxTempNames = 100
)

type hiddenName struct {
	table uint32
	ino   uint64
	size  int64
	mtime int64
	sum   uint64
	n     int
}

// nameAside returns a hidden name for a file at that state, or (nil) for a
// content that replaces none.
func nameAside(table string, st *unix.Stat_t) hiddenName {
	name := hiddenName{table: tableHash(table)}
	if st != nil {
		name.ino, name.size, name.mtime = st.Ino, st.Size, st.Mtim.Nano()
	}
	return name
}

func tableHash(file string) uint32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, file) // a hash never fails
	return h.Sum32()
}

func (h hiddenName) String() string {
	return fmt.Sprintf(hiddenFormat, h.table, h.ino, h.size, h.mtime, h.sum, h.n)
}

func parseHidden(file string) (hiddenName, bool) {
	var h hiddenName
	_, err := fmt.Sscanf(file, hiddenFormat, &h.table, &h.ino, &h.size, &h.mtime, &h.sum, &h.n)
	return h, err == nil && h.String() == file
}

// free calls try with one hidden name after the other until one is not taken.
func (h hiddenName) free(try func(name string) error) (string, error) {
	for h.n = range maxTempNames {
		if err := try(h.String()); !errors.Is(err, unix.EEXIST) {
			return h.String(), err
		}
	}
	return "", fmt.Errorf("%s and %d more: %w", h, maxTempNames-1, unix.EEXIST)
}

// tempFile is a content on its way in.
type tempFile struct {
	folder *folder
	name   string // empty: it is not this one's to remove any more
	file   *os.File
}

// discard ends the use of the file, and removes it if it got no other name.
func (t *tempFile) discard() {
	_ = t.file.Close() // synced before it counted
	if t.name != "" {
		_ = t.folder.unlink(t.name) // what is left over goes at the next open
	}
}

// writeTemp writes a document to a hidden file and makes it safe.
func (b *Backend) writeTemp(
	ctx context.Context, f *folder, name hiddenName, document backends.Document,
) (*tempFile, error) {
	if err := f.claim(); err != nil {
		return nil, err
	}
	temp := &tempFile{folder: f}
	var err error
	temp.name, err = name.free(func(name string) (err error) {
		temp.file, err = f.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, fileMode)
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err = csvstore.Copy(&cancelWriter{ctx: ctx, w: temp.file}, document, 0); err == nil {
		err = temp.file.Sync()
	}
	if err != nil {
		temp.discard()
		return nil, err
	}
	return temp, nil
}

// cancelWriter stops writing when ctx is done.
type cancelWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c *cancelWriter) Write(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.w.Write(p)
}

// likeness gives the new file what the old one had besides its bytes: mode,
// owner, extended attributes (ACLs among them). Where the system does not allow
// that, it is left: the bytes matter more.
func likeness(from, to *os.File, st *unix.Stat_t) error {
	now, err := fstat(to)
	if err != nil {
		return err
	}
	if now.Uid != st.Uid || now.Gid != st.Gid {
		if err := to.Chown(int(st.Uid), int(st.Gid)); err != nil {
			_ = to.Chown(-1, int(st.Gid)) // at least the group, see above
		}
	}
	const permissions = 0o7777
	if err := retry(func() error { return unix.Fchmod(int(to.Fd()), st.Mode&permissions) }); err != nil {
		return err
	}
	copyAttributes(int(from.Fd()), int(to.Fd()))
	return nil
}

func copyAttributes(from, to int) {
	const most = 64 << 10 // what Linux allows
	names := make([]byte, most)
	n, err := unix.Flistxattr(from, names)
	if err != nil {
		return
	}
	value := make([]byte, most)
	for _, name := range splitNames(names[:n]) {
		if size, err := unix.Fgetxattr(from, name, value); err == nil {
			_ = unix.Fsetxattr(to, name, value[:size], 0) // see likeness
		}
	}
}

func splitNames(list []byte) []string {
	var names []string
	start := 0
	for i, c := range list {
		if c == 0 {
			names = append(names, string(list[start:i]))
			start = i + 1
		}
	}
	return names
}
