package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// SQLite reads its write-ahead log up to the first frame that fails its check
// and silently forgets the rest. Here the log is only ever emptied
// (conn.checkpoint), so every byte of it belongs to a commit. A kill leaves at
// most one frame cut off at the end, of a commit that had not returned. Anything
// more that is no good frame means that commits may be missing.
//
// The format (https://www.sqlite.org/fileformat2.html#walformat): a header of 32
// bytes {magic, version, page size, checkpoint number, salt 1, salt 2, checksum
// 1, 2}, then frames of 24 bytes {page, size of the database, salt 1, salt 2,
// checksum 1, 2} and one page each. Checksums run on from frame to frame.
const (
	walHeader   = 32
	frameHeader = 24
	walMagic    = 0x377f0682 // the last bit says that the checksum is big-endian
)

// logState is what SQLite will make of its log.
type logState uint8

const (
	logMissing logState = iota
	logGood             // perhaps with one frame cut off at the end
	logDamaged          // there is more that it will not believe
)

func lookAtLog(path string) (logState, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return logMissing, nil
	}
	if err != nil {
		return logMissing, err
	}
	defer func() { _ = file.Close() }() // only read from
	log, err := readLog(file)
	if err != nil {
		return logMissing, err
	}
	if log.size-log.good >= log.next {
		return logDamaged, nil
	}
	return logGood, nil
}

// cutLog removes what stands behind the last commit: left by one that failed or
// was killed. If it stayed, later commits would overwrite only the start of it,
// and the rest would look like damage. SQLite has forgotten about it, and takes
// no lock on its log.
func cutLog(d *disk.FS, path string) (err error) {
	file, err := d.OpenFile("state:cut-log", path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	log, err := readLog(file)
	if err != nil || log.size == log.committed {
		return err
	}
	return d.Truncate("state:cut-log", file, log.committed)
}

// logContent is what a log holds, in bytes.
type logContent struct {
	size      int64
	good      int64 // what passes its checks, from the start
	committed int64 // up to the last commit in that
	next      int64 // the size of what would have to come next
}

func readLog(file *os.File) (logContent, error) {
	info, err := file.Stat()
	if err != nil {
		return logContent{}, err
	}
	content := logContent{size: info.Size(), next: walHeader}
	err = content.read(bufio.NewReaderSize(file, 1<<16))
	return content, err
}

func (c *logContent) read(log io.Reader) error {
	var head [walHeader]byte
	if ok, err := readWhole(log, head[:]); !ok {
		return err
	}
	magic := binary.BigEndian.Uint32(head[:])
	sum := walSum{order: binary.LittleEndian}
	if magic&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	pageSize := binary.BigEndian.Uint32(head[8:])
	if magic&^1 != walMagic || !sum.is(head[24:]) || pageSize < 512 || pageSize > 65536 {
		return nil
	}
	c.good, c.committed = walHeader, walHeader
	frame := make([]byte, frameHeader+pageSize)
	c.next = int64(len(frame))
	for {
		if ok, err := readWhole(log, frame); !ok {
			return err
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeader:])
		if string(frame[8:16]) != string(head[16:24]) || !sum.is(frame[16:24]) {
			return nil
		}
		c.good += c.next
		if binary.BigEndian.Uint32(frame[4:]) != 0 { // the size of the database: a commit
			c.committed = c.good
		}
	}
}

// readWhole fills p; false without an error: the log ends before that.
func readWhole(log io.Reader, p []byte) (bool, error) {
	_, err := io.ReadFull(log, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return err == nil, err
}

// walSum is the checksum of a log.
type walSum struct {
	order  binary.ByteOrder
	s0, s1 uint32
}

func (w *walSum) add(p []byte) {
	for ; len(p) >= 8; p = p[8:] {
		w.s0 += w.order.Uint32(p) + w.s1
		w.s1 += w.order.Uint32(p[4:]) + w.s0
	}
}

func (w *walSum) is(p []byte) bool {
	return w.s0 == binary.BigEndian.Uint32(p) && w.s1 == binary.BigEndian.Uint32(p[4:])
}
