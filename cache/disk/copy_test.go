package disk

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// Each way of copying alone: which one Copy takes depends on the file system.
func TestWaysOfCopying(t *testing.T) {
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789\n"), 10_000)
	for name, way := range map[string]func(out, in *os.File, length int64) error{
		"kernel": func(out, in *os.File, length int64) error {
			done, err := copyInKernel(out, in, length)
			if err == nil && done < length {
				return copyByHand(out, in, done, length)
			}
			return err
		},
		"by hand": func(out, in *os.File, length int64) error { return copyByHand(out, in, 0, length) },
		"rest by hand": func(out, in *os.File, length int64) error {
			if err := copyByHand(out, in, 0, 5000); err != nil {
				return err
			}
			return copyByHand(out, in, 5000, length)
		},
		"any": copyBytes,
	} {
		t.Run(name, func(t *testing.T) {
			in, err := os.Create(filepath.Join(dir, "in"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close() }()
			if _, err := in.Write(content); err != nil {
				t.Fatal(err)
			}
			out, err := os.Create(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = out.Close() }()
			if err := way(out, in, 12345); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(out.Name())
			if err != nil || !bytes.Equal(got, content[:12345]) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			// Cut off by somebody meanwhile.
			if err := way(out, in, int64(len(content))+1); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("a short source: %v", err)
			}
		})
	}
}
