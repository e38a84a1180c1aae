package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// logName is the log's name in the directory of a store.
const logName = "ragasfs.log"

// logLimit is the size in bytes from which a log is put aside at the next start.
const logLimit = 10 << 20

// lateLog keeps what is written until it is known where it goes: the store, in
// whose directory the log is, has to be opened first.
type lateLog struct {
	mu   sync.Mutex // guards the rest
	to   io.Writer  // nil: kept
	kept bytes.Buffer
}

func (l *lateLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.to == nil {
		return l.kept.Write(p)
	}
	return l.to.Write(p)
}

// direct sends what was kept, and everything from now on, to w.
func (l *lateLog) direct(w io.Writer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.to = w
	_, err := l.kept.WriteTo(w)
	return err
}

// openLog opens a log to append to. A large one is put aside first, in place of
// the one before.
func openLog(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("log file: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("log file: %w; make its directory with: mkdir -p %s", err, quote(filepath.Dir(path)))
	}
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return file, nil
}
