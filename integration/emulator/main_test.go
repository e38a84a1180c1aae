package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/backends/table"
)

// emulate runs the program until the test ends and returns the address that it
// says it listens on.
func emulate(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	reader, writer := io.Pipe()
	var stderr bytes.Buffer
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, args, writer, &stderr)
		_ = writer.Close() // a pipe in memory
	}()
	t.Cleanup(func() {
		cancel()
		if c := <-code; c != 0 {
			t.Errorf("exit code %d: %s", c, stderr.String())
		}
	})
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		t.Fatalf("the program ended: %s", stderr.String())
	}
	address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !found {
		t.Fatalf("the program says %q", line)
	}
	return address
}

// get reads an out-of-band answer.
func get(t *testing.T, address, path string, answer any) {
	t.Helper()
	network, target := "tcp", address
	if socket, unix := strings.CutPrefix(address, "unix:"); unix {
		network, target = "unix", socket
	}
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, target)
		},
		DisableKeepAlives: true,
	}}
	response, err := client.Get("http://emulator" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to the end
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		t.Fatal(err)
	}
}

func TestMemory(t *testing.T) {
	for name, listen := range map[string]string{"unix": "unix:" + filepath.Join(t.TempDir(), "s"), "tcp": "127.0.0.1:0"} {
		t.Run(name, func(t *testing.T) {
			address := emulate(t, "memory", "--listen", listen, "--latency", "1ms")
			fill(t, address)
			var state struct {
				Projects []struct {
					Name   string
					Tables []struct {
						Kind, Name string
						Columns    []struct{ Name, Type string }
						Rows       []struct {
							ID    string
							Cells map[string]*string
						}
					}
				}
			}
			get(t, address, "/_emulator/state", &state)
			qa := state.Projects[0].Tables[0]
			if state.Projects[0].Name != "demo" || qa.Kind != "datasets" || qa.Name != "qa" {
				t.Errorf("state is %+v", state)
			}
			if len(qa.Columns) != 2 || qa.Columns[0].Name != "q" || qa.Columns[1].Type != "number" {
				t.Errorf("columns are %+v", qa.Columns)
			}
			if len(qa.Rows) != 2 || qa.Rows[0].ID != "z" || qa.Rows[1].ID != "a" {
				t.Fatalf("rows are %+v, want z and a in this order", qa.Rows)
			}
			if cells := qa.Rows[0].Cells; *cells["q"] != "hi" || cells["n"] != nil {
				t.Errorf("cells are %+v, want hi and null", cells)
			}
			var calls []map[string]any
			get(t, address, "/_emulator/calls", &calls)
			if len(calls) != 3 || calls[2]["path"] != "/projects/demo/datasets/qa/rows:apply" || calls[2]["status"] != 200.0 {
				t.Errorf("calls are %v", calls)
			}
		})
	}
}

// fill makes demo/datasets/qa with two rows, in three calls.
func fill(t *testing.T, address string) {
	t.Helper()
	client, err := memory.Dial(address, memory.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Opened().Close() //nolint:errcheck // idle connections
	if _, err := client.Create(t.Context(), backends.Create{Ref: backends.Ref{Project: "demo"}}); err != nil {
		t.Fatal(err)
	}
	ref := backends.Ref{Project: "demo", Kind: backends.Datasets, Name: "qa"}
	columns := []table.Column{{Name: "q", Type: table.Text}, {Name: "n", Type: table.Number}}
	if _, err := client.Create(t.Context(), backends.Create{Ref: ref, Columns: columns}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Apply(t.Context(), backends.Batch{Ref: ref, Grows: -1, Changes: table.Changes{
		NewHeader: []string{"q", "n"},
		Rows: []table.Change{
			{Op: table.Append, Key: "z", After: []string{"hi", ""}},
			{Op: table.Append, Key: "a", After: []string{"", "1"}},
		},
	}}); err != nil {
		t.Fatal(err)
	}
}

// A socket that was left behind is in nobody's way, one that answers is.
func TestSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	if err := left.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	emulate(t, "memory", "--listen", "unix:"+path)
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"memory", "--listen", "unix:" + path}, io.Discard, &stderr); code == 0 {
		t.Error("a second emulator took over the socket of the first")
	}
	if !strings.Contains(stderr.String(), path) {
		t.Errorf("the error %q does not name the socket", stderr.String())
	}
}

func TestBadUsage(t *testing.T) {
	for _, args := range [][]string{
		{"memory"}, {"nonsense"}, {"memory", "--listen"}, {"memory", "--listen", "nowhere"}, {"memory", "--nonsense"},
	} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, io.Discard, &stderr); code == 0 || stderr.Len() == 0 {
			t.Errorf("%q: exit code %d, error %q", args, code, stderr.String())
		}
	}
}
