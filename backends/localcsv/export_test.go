package localcsv

import "golang.org/x/sys/unix"

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
