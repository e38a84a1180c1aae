package fs

import (
	"log/slog"
	"strings"
	"sync"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
)

// notice is one thing that the kernel must forget: a name, or the attributes of
// a directory or file. It is comparable: the same notice twice is one.
type notice struct {
	dir, name string // no name: the attributes of dir
	file      File   // set: its attributes
}

// notifier is the Invalidator of a mount: a queue, and a goroutine that holds no
// lock while it talks to the kernel. Handlers and the cache only ever queue; a
// handler that waited for the kernel would wait for itself.
type notifier struct {
	shared *shared
	root   func() *gofs.Inode
	log    *slog.Logger

	mu     sync.Mutex
	queued map[notice]bool
	queue  []notice
	wake   chan struct{} // capacity 1
	stop   chan struct{}
	done   chan struct{}
}

func newNotifier(s *shared, root func() *gofs.Inode) *notifier {
	return &notifier{
		shared: s, root: root, log: s.log,
		queued: map[notice]bool{},
		wake:   make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
}

// Entry implements Invalidator.
func (n *notifier) Entry(dir, name string) { n.put(notice{dir: dir, name: name}) }

// Dir implements Invalidator.
func (n *notifier) Dir(dir string) { n.put(notice{dir: dir}) }

// Attr implements Invalidator.
func (n *notifier) Attr(f File) { n.put(notice{file: f}) }

func (n *notifier) put(what notice) {
	n.mu.Lock()
	if !n.queued[what] {
		n.queued[what] = true
		n.queue = append(n.queue, what)
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default: // it is awake
	}
}

func (n *notifier) take() []notice {
	n.mu.Lock()
	defer n.mu.Unlock()
	queue := n.queue
	n.queue = nil
	clear(n.queued)
	return queue
}

// run works the queue off until close.
func (n *notifier) run() {
	defer close(n.done)
	for {
		select {
		case <-n.stop:
			return
		case <-n.wake:
			for _, what := range n.take() {
				n.tell(what)
			}
		}
	}
}

// close ends run; what is still queued is dropped, for the kernel has no mount
// any more that could believe it.
func (n *notifier) close() {
	close(n.stop)
	<-n.done
}

func (n *notifier) tell(what notice) {
	inode, errno := n.target(what), syscall.Errno(0)
	switch {
	case inode == nil:
		return
	case what.file != nil, what.name == "":
		errno = inode.NotifyContent(-1, 0) // attributes only: content never changes
	default:
		errno = inode.NotifyEntry(what.name)
	}
	if errno != 0 && errno != syscall.ENOENT { // ENOENT: it does not know it (any more)
		n.log.Warn("the kernel was not told of a change; it shows up within a minute",
			"dir", what.dir, "name", what.name, "errno", errno.Error())
	}
}

// target is the inode to notify: that of the file, or of the directory; nil if
// the kernel has never heard of it.
func (n *notifier) target(what notice) *gofs.Inode {
	if what.file != nil {
		if known, ok := n.shared.files.Load(what.file); ok && known.(*fileNode).made.Load() {
			return known.(*fileNode).EmbeddedInode()
		}
		return nil
	}
	inode := n.root()
	for name := range strings.SplitSeq(what.dir, "/") {
		if inode == nil || name == "" {
			break
		}
		inode = inode.GetChild(name)
	}
	return inode
}
