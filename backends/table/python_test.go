package table

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// oracle is a Python process that answers what its csv module makes of a case.
type oracle struct {
	mu      sync.Mutex
	in      io.Writer
	answers *bufio.Reader
}

// newOracle starts one, which ends with the test. Where CI is set, Python must be
// there.
func newOracle(t testing.TB) *oracle {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("python3 is needed in CI: %v", err)
		}
		t.Skipf("python3 is not installed: %v", err)
	}
	cmd := exec.CommandContext(context.Background(), python, filepath.Join("testdata", "csv_oracle.py"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
			t.Errorf("python3 ended with %v", err)
		}
	})
	return &oracle{in: in, answers: bufio.NewReader(out)}
}

// ask sends one case and decodes the answer.
func (o *oracle) ask(t rapid.TB, op byte, data []byte, answer any) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	message := append([]byte{op}, binary.BigEndian.AppendUint32(nil, uint32(len(data)))...)
	if _, err := o.in.Write(append(message, data...)); err != nil {
		t.Fatalf("python3 does not listen: %v", err)
	}
	line, err := o.answers.ReadBytes('\n')
	if err != nil {
		t.Fatalf("python3 does not answer: %v", err)
	}
	if err := json.Unmarshal(line, answer); err != nil {
		t.Fatal(err)
	}
}

// read returns the rows that Python reads from a text.
func (o *oracle) read(t rapid.TB, text string) [][]string {
	t.Helper()
	var rows [][]string
	o.ask(t, 'r', []byte(text), &rows)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = bytesOf(cell)
		}
	}
	return rows
}

// write returns the text that Python writes; op is as in csv_oracle.py.
func (o *oracle) write(t rapid.TB, op byte, rows [][]string) string {
	t.Helper()
	characters := make([][]string, len(rows))
	for i, row := range rows {
		characters[i] = make([]string, len(row))
		for j, cell := range row {
			characters[i][j] = charactersOf(cell)
		}
	}
	data, err := json.Marshal(characters)
	if err != nil {
		t.Fatal(err)
	}
	var text string
	o.ask(t, op, data, &text)
	return bytesOf(text)
}

// charactersOf turns every byte into the character of that number.
func charactersOf(bytes string) string {
	var out strings.Builder
	for i := range len(bytes) {
		out.WriteRune(rune(bytes[i]))
	}
	return out.String()
}

// bytesOf turns charactersOf back.
func bytesOf(characters string) string {
	var out strings.Builder
	for _, c := range characters {
		out.WriteByte(byte(c))
	}
	return out.String()
}

// Reader's cells are Python's.
func TestPythonReadsTheSame(t *testing.T) {
	python := newOracle(t)
	check := func(t rapid.TB, text string) {
		equalRows(t, text, parse(t, text, blockSize).rows, python.read(t, text))
	}
	for _, text := range difficultTexts() {
		check(t, text)
	}
	for _, text := range fuzzCorpus(t) {
		check(t, text)
	}
	rapid.Check(t, func(t *rapid.T) { check(t, anyText().Draw(t, "text")) })
	rapid.Check(t, func(t *rapid.T) { check(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))) })
}

// Writer's bytes are Python's.
func TestPythonWritesTheSame(t *testing.T) {
	python := newOracle(t)
	for op, d := range map[byte]Dialect{
		'm': Python,
		'a': {EOL: "\r\n", FinalEOL: true, Quoting: QuoteAll},
	} {
		rapid.Check(t, func(t *rapid.T) {
			rows := anyRows().Draw(t, "rows")
			if len(rows) > 0 && strings.HasPrefix(rows[0][0], byteOrderMark) {
				return // Python would lose it
			}
			if got, want := format(t, rows, d), python.write(t, op, rows); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
		})
	}
}

// fuzzCorpus returns the texts that fuzzing has found worth keeping.
func fuzzCorpus(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "fuzz", "FuzzText", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(data), "\n") {
			quoted, ok := strings.CutPrefix(line, "string(")
			if !ok {
				continue
			}
			text, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			texts = append(texts, text)
		}
	}
	return texts
}
