package localcsv

import (
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// lateLook is how long after a file was replaced it is looked at again: longer
// than the settle time, within which the cache expects late writers.
const lateLook = 3 * time.Second

// keeper keeps the files that were replaced or deleted for a while, because a
// program that had one open may still write to it: a run that appends rows for
// hours does not notice that its file has lost its name. Nothing of that is
// lost:
//
//   - If the file has only grown and the table of that name still has the same
//     header, the new records are appended to the table, as the program meant.
//   - Otherwise, once nobody has it open for writing any more, the file gets a
//     name of its own beside the table: the table's, if that is free, else
//     "NAME.late-TIME.csv". So it shows up as a table.
//   - A file that has not changed and that nobody can write to is removed.
//
// A lease (fcntl(2), F_SETLEASE) says whether anybody has a file open for
// writing. Where the system grants no leases, one look without a change has to do.
type keeper struct {
	log   *slog.Logger
	calls *calls

	// mu guards what is below. It is also held while a file is exchanged or
	// moved away, so that nothing is appended to a file that is just going.
	mu    sync.Mutex
	files []*lateFile
}

// lateFile is one file under a hidden name.
type lateFile struct {
	folder *folder // its own descriptor
	table  string  // file name of the table that it was
	hidden string
	file   *os.File // open for reading
	// size, mtime: up to where and when everything in it is safe elsewhere.
	size  int64
	mtime unix.Timespec
	// sum is the checksum of the first size bytes; 0: not known.
	sum   uint64
	timer *time.Timer
}

func newKeeper(log *slog.Logger, calls *calls) *keeper {
	return &keeper{log: log, calls: calls}
}

// keep takes over a file that stands in f under a hidden name since it was at
// state st. It owns file from now on. The caller holds k.mu.
func (k *keeper) keep(f *folder, table, hidden string, file *os.File, st *unix.Stat_t) {
	own, err := f.duplicate()
	if err == nil {
		err = own.claim()
	}
	if err != nil {
		k.log.Warn("a replaced file is left over", "path", f.pathOf(hidden), "err", err)
		_ = file.Close() // only read from
		return
	}
	l := &lateFile{folder: own, table: table, hidden: hidden, file: file, size: st.Size, mtime: st.Mtim}
	if writersOf(file) != noWriter {
		k.mark(l)
	}
	k.add(l)
}

// add begins to look after l. The caller holds k.mu.
func (k *keeper) add(l *lateFile) {
	k.files = append(k.files, l)
	l.timer = time.AfterFunc(lateLook, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !slices.Contains(k.files, l) {
			return
		}
		if k.look(l) {
			k.remove(l)
		} else {
			l.timer.Reset(lateLook)
		}
	})
}

func (k *keeper) remove(l *lateFile) {
	l.timer.Stop()
	_ = l.file.Close() // only read from
	l.folder.close()
	k.files = slices.DeleteFunc(k.files, func(other *lateFile) bool { return other == l })
}

// finish looks at the files of a project now. The path is the project's.
func (k *keeper) finish(project string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range slices.Clone(k.files) {
		if filepath.Dir(l.folder.path) == project && k.look(l) {
			k.remove(l)
		}
	}
}

// close looks at all files for the last time and forgets them.
func (k *keeper) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range slices.Clone(k.files) {
		if !k.look(l) {
			k.log.Info("a program still has a replaced file open for writing; what it writes is brought after at the next mount",
				"path", l.folder.pathOf(l.table), "hidden", l.hidden)
		}
		k.remove(l)
	}
}

// renamed says that a table has another name now.
func (k *keeper) renamed(f *folder, from, to string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.files {
		if l.folder.path == f.path && l.table == from {
			l.table = to
		}
	}
}

// look does what is due for l and reports whether that was the last of it.
func (k *keeper) look(l *lateFile) (done bool) {
	path := l.folder.pathOf(l.hidden)
	writers := writersOf(l.file)
	st, err := fstat(l.file)
	if err != nil {
		k.log.Warn("a replaced file can't be looked at", "path", path, "err", err)
		return false
	}
	changed := st.Size != l.size || st.Mtim != l.mtime
	if !changed {
		if writers == someWriter {
			return false
		}
		if err := l.folder.unlink(l.hidden); err != nil {
			k.log.Warn("a replaced file is left over", "path", path, "err", err)
		}
		return true
	}
	writing := writers != noWriter
	carried, err := k.carry(l, &st, writing)
	switch {
	case err != nil:
		k.log.Warn("late records could not be brought after; they are tried again", "path", path, "err", err)
		return false
	case !carried && !writing:
		return k.giveName(l)
	case carried && !writing && l.size == st.Size:
		return k.look(l)
	}
	return false
}

// carry appends what l has grown by to the table that has its name now, and
// reports whether that is the right thing to do. While someone is writing, only
// whole records are carried.
func (k *keeper) carry(l *lateFile, st *unix.Stat_t, writing bool) (bool, error) {
	if l.sum == 0 || st.Size < l.size || st.Size == l.size {
		return false, nil
	}
	if sum, err := checksum(l.file, l.size); err != nil || sum != l.sum {
		return false, err
	}
	target, err := l.folder.open(l.table, unix.O_RDWR|unix.O_APPEND, 0)
	if err != nil {
		return false, nil //nolint:nilerr // no table to append to: the file gets its own name
	}
	defer target.Close() //nolint:errcheck // synced before it counts
	same, err := sameHeader(l.file, target)
	if err != nil || !same {
		return false, err
	}
	tail := make([]byte, st.Size-l.size)
	if _, err := io.ReadFull(io.NewSectionReader(l.file, l.size, st.Size-l.size), tail); err != nil {
		return false, err
	}
	if writing {
		tail = tail[:wholeRecords(tail)]
	}
	if len(tail) == 0 {
		return true, nil
	}
	if err := appendRecords(target, tail); err != nil {
		return false, err
	}
	l.size += int64(len(tail))
	l.mtime = st.Mtim
	k.mark(l)
	k.log.Info("records that a program wrote to the replaced file were brought after",
		"path", l.folder.pathOf(l.table), "bytes", len(tail))
	return true, nil
}

// giveName makes l a table of its own.
func (k *keeper) giveName(l *lateFile) (done bool) {
	stem := l.table[:len(l.table)-len(filepath.Ext(l.table))]
	names := []string{l.table}
	for i := range maxTempNames {
		late := fmt.Sprintf("%s.late-%s", stem, time.Now().Format("20060102T150405"))
		if i > 0 {
			late += fmt.Sprintf("-%d", i)
		}
		names = append(names, late+filepath.Ext(l.table))
	}
	var err error
	for _, name := range names {
		if err = k.calls.move(l.folder.fd(), l.hidden, name); err == nil {
			k.log.Warn("a program went on changing a file after it was replaced; its content is kept as a table of its own",
				"path", l.folder.pathOf(l.table), "kept", name)
			return true
		}
	}
	k.log.Warn("the content of a replaced file, which a program has changed since, can't be given a name",
		"path", l.folder.pathOf(l.hidden), "err", err)
	return false
}

// mark takes the checksum of what is safe in l, and puts all that is known of
// it into its hidden name, for a later process.
func (k *keeper) mark(l *lateFile) {
	if err := k.tryMark(l); err != nil {
		k.log.Warn("a replaced file that is still open for writing can't be marked",
			"path", l.folder.pathOf(l.hidden), "err", err)
	}
}

func (k *keeper) tryMark(l *lateFile) error {
	sum, err := checksum(l.file, l.size)
	if err != nil {
		return err
	}
	l.sum = sum
	st, err := fstat(l.file)
	if err != nil {
		return err
	}
	name := nameAside(l.table, &st)
	name.size, name.mtime, name.sum = l.size, l.mtime.Nano(), l.sum
	hidden, err := name.free(func(to string) error { return k.calls.move(l.folder.fd(), l.hidden, to) })
	if err != nil {
		return err
	}
	l.hidden = hidden
	return nil
}

// checksum is that of the first size bytes; never 0.
func checksum(file io.ReaderAt, size int64) (uint64, error) {
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	if n, err := io.Copy(sum, io.NewSectionReader(file, 0, size)); err != nil || n != size {
		return 0, fmt.Errorf("%d of %d bytes: %w", n, size, io.ErrUnexpectedEOF)
	}
	return max(sum.Sum64(), 1), nil
}

// writers says whether a file can still change.
type writers int

const (
	unknownWriters writers = iota
	noWriter
	someWriter
)

// writersOf asks for a read lease, which is granted only if nobody has the file
// open for writing, and gives it back.
func writersOf(file *os.File) writers {
	fd := file.Fd()
	_, err := unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_RDLCK)
	switch {
	case err == nil:
		_, _ = unix.FcntlInt(fd, unix.F_SETLEASE, unix.F_UNLCK) // closing the file does it too
		return noWriter
	case errors.Is(err, unix.EAGAIN):
		return someWriter
	}
	return unknownWriters
}
