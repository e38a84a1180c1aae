package cache

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is a program that is running: thread group and start time, in a form
// that can't be confused with a later process of the same number. Empty: not known.
type process string

// pfSignaled is PF_SIGNALED of the kernel: killed by a signal.
const pfSignaled = 0x400

// processOf finds the process of a thread.
func processOf(tid uint32) process {
	if tid == 0 {
		return ""
	}
	status, ok := readProc(fmt.Sprintf("/proc/%d/status", tid))
	if !ok {
		return "" // it has ended meanwhile: it is not known, which is an answer
	}
	_, rest, ok := bytes.Cut(status, []byte("\nTgid:\t"))
	if !ok {
		return ""
	}
	tgid, _, _ := bytes.Cut(rest, []byte("\n"))
	start, ok := statField(string(tgid), 22)
	if !ok {
		return ""
	}
	return process(string(tgid) + "/" + start)
}

// alive reports whether the process still runs.
func (p process) alive() bool {
	tgid, start, ok := strings.Cut(string(p), "/")
	if !ok {
		return false
	}
	now, ok := statField(tgid, 22)
	return ok && now == start
}

// killedBySignal reports whether the thread is dying of a signal: its
// descriptors are being closed by the kernel, not by the program.
func killedBySignal(tid uint32) bool {
	if tid == 0 {
		return false
	}
	field, ok := statField(strconv.FormatUint(uint64(tid), 10), 9)
	if !ok {
		return false
	}
	flags, err := strconv.ParseUint(field, 10, 64)
	return err == nil && flags&pfSignaled != 0
}

// procPatience is how long a look at /proc may take. A process that closes our
// file while it executes another program holds a lock that /proc/PID/stat needs,
// and it waits for our answer to that very close: without a bound both would
// wait for ever. What is not known in time counts as not known.
const procPatience = 20 * time.Millisecond

// readProc reads a file of /proc, with patience. A read that hangs ends by
// itself once the process goes on.
func readProc(path string) ([]byte, bool) {
	type answer struct {
		data []byte
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		data, err := os.ReadFile(path)
		done <- answer{data, err}
	}()
	patience := time.NewTimer(procPatience)
	defer patience.Stop()
	select {
	case a := <-done:
		return a.data, a.err == nil
	case <-patience.C:
		return nil, false
	}
}

// statField returns field n (from 1) of /proc/ID/stat.
func statField(id string, n int) (string, bool) {
	stat, ok := readProc("/proc/" + id + "/stat")
	if !ok {
		return "", false
	}
	// The second field is a name in parentheses that may hold anything.
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return "", false
	}
	fields := bytes.Fields(stat[end+1:])
	if n-3 < 0 || n-3 >= len(fields) {
		return "", false
	}
	return string(fields[n-3]), true
}
