package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// InUse is the error of a lock that somebody else has, for errors.As.
type InUse struct {
	PID        int    `json:"pid"` // 0: not known
	Mountpoint string `json:"mountpoint"`
	Draining   bool   `json:"draining"` // it sends what is pending and is about to let go
}

// Error says who has it and what to do.
func (e InUse) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	switch {
	case e.Draining:
		return fmt.Sprintf("the store was mounted at %s and %s is still sending its changes; wait for it", e.Mountpoint, who)
	case e.Mountpoint == "":
		return fmt.Sprintf("the store is in use by %s", who)
	}
	return fmt.Sprintf("the store is mounted at %s by %s; unmount it first: ragasfs unmount %s", e.Mountpoint, who, e.Mountpoint)
}

// Lock is the right to use a store. It ends with the process, however that
// ends.
type Lock struct {
	disk   *disk.FS
	file   *os.File
	holder InUse
	length int // of what the file says
}

const (
	// pollEvery is how often a lock that is about to be free is tried.
	pollEvery = 20 * time.Millisecond
	// believeAfter tries: Holder has the lock for a moment, and a new holder takes
	// a moment to write its name.
	believeAfter = 5
)

// Acquire takes the lock of a store that Create has made, and writes
// identity.json. Without waiting: InUse names the holder.
func Acquire(d *disk.FS, dir Dir, info Info) (*Lock, error) {
	file, err := d.OpenFile("store:lock", dir.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	lock := &Lock{disk: d, file: file, holder: InUse{PID: os.Getpid(), Mountpoint: info.Mountpoint}}
	err = lock.write()
	if err == nil {
		err = writeInfo(d, dir, info)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	return lock, nil
}

// AcquireWait is Acquire that waits for a draining holder, until ctx is done;
// the error is then InUse all the same. It does not wait for one that is not
// draining.
func AcquireWait(ctx context.Context, d *disk.FS, dir Dir, info Info) (*Lock, error) {
	for {
		lock, err := Acquire(d, dir, info)
		var holder InUse
		if err == nil || !errors.As(err, &holder) || !holder.Draining {
			return lock, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pollEvery):
		}
	}
}

// flock takes the lock, or answers InUse.
func flock(file *os.File) error {
	for try := 1; ; try++ {
		free, err := tryFlock(file, unix.LOCK_EX)
		if free || err != nil {
			return err
		}
		if try == believeAfter {
			return readHolder(file)
		}
		<-time.After(pollEvery)
	}
}

func tryFlock(file *os.File, how int) (bool, error) {
	for {
		err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
	}
}

// readHolder is what the lock file says; an InUse without a name if it says
// nothing.
func readHolder(file *os.File) error {
	data, err := io.ReadAll(io.NewSectionReader(file, 0, 1<<16))
	if err != nil {
		return err
	}
	var holder InUse
	if json.Unmarshal(data, &holder) != nil {
		holder = InUse{} // it is in use, whatever the file says
	}
	return holder
}

// write puts the holder's name into the file, in place: a rename would take the
// name to a file that is not locked. Its length never shrinks, so that
// SetDraining needs no space on the disk.
func (l *Lock) write() error {
	data, err := json.Marshal(l.holder)
	if err != nil {
		return err
	}
	data = append(data, bytes.Repeat([]byte(" "), max(0, l.length-len(data)-1))...)
	data = append(data, '\n')
	l.length = len(data)
	if _, err := l.disk.WriteAt("store:lock", l.file, data, 0); err != nil {
		return err
	}
	return l.disk.Truncate("store:lock", l.file, int64(len(data)))
}

// SetDraining tells others that they need only wait.
func (l *Lock) SetDraining() error {
	l.holder.Draining = true
	return l.write()
}

// Release gives the store free.
func (l *Lock) Release() error {
	return errors.Join(l.disk.Truncate("store:lock", l.file, 0), l.file.Close())
}

// Holder is who has the store; false: nobody. The moment in which it has the
// lock itself, to see whether a name is that of a process that died, is the only
// thing others can notice.
func Holder(dir Dir) (InUse, bool, error) {
	file, err := os.Open(dir.lock())
	if errors.Is(err, fs.ErrNotExist) {
		return InUse{}, false, nil
	}
	if err != nil {
		return InUse{}, false, err
	}
	defer func() { _ = file.Close() }()                           // and with it the lock, if it was free
	if info, err := file.Stat(); err != nil || info.Size() == 0 { // released
		return InUse{}, false, err
	}
	free, err := tryFlock(file, unix.LOCK_SH)
	if free || err != nil {
		return InUse{}, false, err
	}
	var holder InUse
	if err := readHolder(file); !errors.As(err, &holder) {
		return InUse{}, false, err
	}
	return holder, true, nil
}
