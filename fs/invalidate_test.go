package fs

import (
	"log/slog"
	"slices"
	"testing"

	gofs "github.com/hanwen/go-fuse/v2/fs"

	"github.com/ragasfs/ragasfs/cache"
)

// The queue holds each notice once, in order, until it is taken; then it counts
// anew.
func TestNoticesAreQueuedOnce(t *testing.T) {
	s := &shared{reporter: reporter{slog.New(slog.DiscardHandler)}}
	n := newNotifier(s, func() *gofs.Inode { return nil })
	f := &loopFile{}
	for range 3 {
		n.Entry("p", "a")
		n.Entry("p", "b")
		n.Attr(f)
	}
	want := []notice{{dir: "p", name: "a"}, {dir: "p", name: "b"}, {file: f}}
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	n.Entry("p", "a")
	if got := n.take(); len(got) != 1 {
		t.Errorf("a notice after the queue was taken: %v", got)
	}
	// Of what the kernel has never heard nothing is told; close ends the goroutine.
	n.Entry("", "x")
	go n.run()
	n.close()
}

// Files of the cache are keys: the same one must be found again.
func TestFilesOfTheCacheAreComparable(t *testing.T) {
	one := &cache.File{}
	node := func(f *cache.File) Node {
		n, err := fromCacheNode(cache.Node{File: f}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if node(one).File != node(one).File {
		t.Error("the same file is two")
	}
	if node(nil).File != nil {
		t.Error("no file is one")
	}
}
