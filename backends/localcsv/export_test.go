package localcsv

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// WithoutExchange makes the file system one that can't exchange names.
func (b *Backend) WithoutExchange() {
	b.calls.renameat2 = func(int, string, string, uint) error { return unix.EINVAL }
}

// BeforeChange runs a step once, between the last look at a file and its change.
func (b *Backend) BeforeChange(step func()) {
	b.calls.beforeChange = func() {
		b.calls.beforeChange = func() {}
		step()
	}
}

// LookNow looks at all replaced files, as if the time had come, and returns how
// many are still kept.
func (b *Backend) LookNow() int {
	b.late.mu.Lock()
	defer b.late.mu.Unlock()
	for _, l := range append([]*lateFile{}, b.late.files...) {
		if b.late.look(l) {
			b.late.remove(l)
		}
	}
	return len(b.late.files)
}

// AfterExchange runs a step once, after the first exchange of names.
func (b *Backend) AfterExchange(step func()) {
	system := b.calls.renameat2
	b.calls.renameat2 = func(dir int, from, to string, flags uint) error {
		err := system(dir, from, to, flags)
		if flags == unix.RENAME_EXCHANGE {
			b.calls.renameat2 = system
			step()
		}
		return err
	}
}

// HiddenName is the name under which a table is put aside as it is now.
func HiddenName(t *testing.T, path string) string {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	return nameAside(filepath.Base(path), &st).String()
}
