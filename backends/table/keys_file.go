package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// The text form of Keys, one line each:
//
//	ragasfs keys 1     version
//	#7+120             120 numbered keys from #7 on
//	=r_0a1b            one id, as it is
//	"\x00\n"           one id that is not plain ASCII, as a Go string
//	sum 121 1c291ca3   number of keys, CRC-32C of all lines before
const keysHeader = "ragasfs keys 1\n"

// Bounds of what a run can be, so that a damaged file can't overflow anything.
const (
	maxRun    = 1 << 40
	maxNumber = 1e18
)

// ErrDamagedKeys: what ReadKeys read is not what WriteTo wrote.
var ErrDamagedKeys = errors.New("damaged list of row keys")

// WriteTo writes the keys as text (a gN.ids file); ReadKeys reads it back and
// fails on a damaged one (the last line holds a checksum).
func (k *Keys) WriteTo(w io.Writer) (int64, error) {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	counted := &countingWriter{w: w}
	buf := bufio.NewWriterSize(io.MultiWriter(counted, sum), 64<<10)
	buf.WriteString(keysHeader) // errors stick to buf and come with Flush
	for r, run := range k.runs {
		n := k.runEnd(r) - run.start
		if run.numbered {
			fmt.Fprintf(buf, "#%d+%d\n", run.first, n)
			continue
		}
		for _, id := range k.ids[run.first : run.first+uint64(n)] {
			if plainID(id) {
				buf.WriteString("=" + string(id) + "\n")
			} else {
				buf.WriteString(strconv.Quote(string(id)) + "\n")
			}
		}
	}
	if err := buf.Flush(); err != nil {
		return counted.n, err
	}
	_, err := fmt.Fprintf(counted, "sum %d %08x\n", k.n, sum.Sum32())
	return counted.n, err
}

// plainID reports whether an id can stand on a line as it is.
func plainID(id Key) bool {
	for _, c := range []byte(id) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// ReadKeys reads what WriteTo wrote. The error wraps ErrDamagedKeys or is one of r.
func ReadKeys(r io.Reader) (Keys, error) {
	var k Keys
	text, err := io.ReadAll(r)
	if err != nil {
		return k, err
	}
	body, sum, found := cutLastLine(text)
	if !found {
		return k, fmt.Errorf("%w: no checksum at the end", ErrDamagedKeys)
	}
	lines, ok := strings.CutPrefix(string(body), keysHeader)
	if !ok {
		return k, fmt.Errorf("%w: unknown first line", ErrDamagedKeys)
	}
	number := 1
	for line := range strings.Lines(lines) {
		number++
		if !k.addLine(strings.TrimSuffix(line, "\n")) {
			return Keys{}, fmt.Errorf("%w: line %d: %q", ErrDamagedKeys, number, line)
		}
	}
	want := fmt.Sprintf("sum %d %08x\n", k.n, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	if sum != want {
		return Keys{}, fmt.Errorf("%w: its checksum is %q, not %q", ErrDamagedKeys, strings.TrimSpace(sum), strings.TrimSpace(want))
	}
	return k, nil
}

// addLine adds the keys of one line of the text form.
func (k *Keys) addLine(line string) bool {
	switch {
	case strings.HasPrefix(line, "="):
		k.Add(Key(line[1:]))
	case strings.HasPrefix(line, `"`):
		id, err := strconv.Unquote(line)
		if err != nil {
			return false
		}
		k.Add(Key(id))
	case strings.HasPrefix(line, "#"):
		firstText, countText, _ := strings.Cut(line[1:], "+")
		first, err1 := strconv.ParseUint(firstText, 10, 64)
		count, err2 := strconv.Atoi(countText)
		if err1 != nil || err2 != nil || count < 1 || count > maxRun || first > maxNumber {
			return false
		}
		k.addRun(keyRun{first: first, numbered: true}, count)
	default:
		return false
	}
	return true
}

// cutLastLine splits off the last line; found says that it is a whole one.
func cutLastLine(text []byte) (body []byte, last string, found bool) {
	if !bytes.HasSuffix(text, []byte("\n")) {
		return nil, "", false
	}
	start := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	return text[:start], string(text[start:]), true
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
