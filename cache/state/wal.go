package state

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

// SQLite reads its write-ahead log up to the first frame that fails its check
// and silently forgets the rest: a torn tail is normal for it. Here the log is
// only ever emptied (conn.checkpoint), so every byte of it belongs to a commit,
// and bytes that are no good frame mean that commits may be missing.
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

// checkLog answers how many bytes at the end of the log SQLite will not believe.
// No log, or an empty one, is 0.
func checkLog(path string) (lost int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // only read from
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	good, err := goodPrefix(bufio.NewReaderSize(file, 1<<16))
	return info.Size() - good, err
}

// goodPrefix is the length of what passes its checks.
func goodPrefix(log io.Reader) (int64, error) {
	var head [walHeader]byte
	if ok, err := readWhole(log, head[:]); !ok {
		return 0, err
	}
	magic := binary.BigEndian.Uint32(head[:])
	if magic&^1 != walMagic {
		return 0, nil
	}
	sum := walSum{order: binary.LittleEndian}
	if magic&1 == 1 {
		sum.order = binary.BigEndian
	}
	sum.add(head[:24])
	pageSize := binary.BigEndian.Uint32(head[8:])
	if !sum.is(head[24:]) || pageSize < 512 || pageSize > 65536 {
		return 0, nil
	}
	good := int64(walHeader)
	frame := make([]byte, frameHeader+pageSize)
	for {
		if ok, err := readWhole(log, frame); !ok {
			return good, err
		}
		sum.add(frame[:8])
		sum.add(frame[frameHeader:])
		if string(frame[8:16]) != string(head[16:24]) || !sum.is(frame[16:24]) {
			return good, nil
		}
		good += int64(len(frame))
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
