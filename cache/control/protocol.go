package control

import (
	"context"
	"io"
	"time"

	"github.com/ragasfs/ragasfs/cache"
)

// SocketName is the name of the socket in the directory of a store.
const SocketName = "sock"

// Op names a request.
type Op string

// The requests.
const (
	OpInfo    Op = "info"    // Info
	OpStatus  Op = "status"  // Path; Status
	OpFlush   Op = "flush"   // Paths, Retry; progress
	OpConfirm Op = "confirm" // Path
	OpDiscard Op = "discard" // Path
	OpRefresh Op = "refresh" // Path
	OpDiff    Op = "diff"    // Path; output
	OpFind    Op = "find"    // Path, Column, Value; output, Count
	OpDrain   Op = "drain"   // progress
	OpEnd     Op = "end"     // Wait
)

// Request is the one line that a client sends.
type Request struct {
	Op     Op       `json:"op"`
	Path   string   `json:"path,omitempty"` // relative to the mount
	Paths  []string `json:"paths,omitempty"`
	Retry  bool     `json:"retry,omitempty"`
	Column string   `json:"column,omitempty"`
	Value  string   `json:"value,omitempty"`
	// Wait is for OpEnd: see Host.End.
	Wait time.Duration `json:"wait,omitempty"`
}

// Info says who answers.
type Info struct {
	PID        int    `json:"pid"`
	Mountpoint string `json:"mountpoint"`
	// Draining: the mount has ended, the daemon sends what is left.
	Draining bool `json:"draining"`
}

// message is one line of an answer. The last one has Done set.
type message struct {
	Progress *cache.Progress `json:"progress,omitempty"`
	Output   []byte          `json:"output,omitempty"` // base64: need not be UTF-8
	Done     bool            `json:"done,omitempty"`
	Info     *Info           `json:"info,omitempty"`
	Status   *cache.Status   `json:"status,omitempty"`
	Count    int             `json:"count,omitempty"`
	Error    *wireError      `json:"error,omitempty"`
}

// Store is what the server asks of the cache; *cache.Cache fulfils it. It is
// two interfaces because the first is what a person looks at and the second what
// changes something.
type Store interface {
	Reader
	Changer
}

// Reader answers questions. Paths are relative to the mount.
type Reader interface {
	Status(path string) (cache.Status, error)
	Diff(ctx context.Context, path string, w io.Writer) error
	Find(ctx context.Context, path, column, value string, w io.Writer) (int, error)
}

// Changer does what a person has decided. Paths are relative to the mount.
type Changer interface {
	Flush(ctx context.Context, paths []string, retry bool, progress func(cache.Progress)) error
	Drain(ctx context.Context, progress func(cache.Progress)) error
	Confirm(ctx context.Context, path string) error
	Discard(ctx context.Context, path string) error
	Refresh(ctx context.Context, path string) error
}

var _ Store = (*cache.Cache)(nil)

// Host is the process around the store.
type Host interface {
	Info() Info
	// End is told that somebody who has drained the store is about to unmount it,
	// or waits to take it over: once the mount has ended the daemon sends what is
	// left for at most wait, then leaves it on disk. A daemon that is already
	// draining does so from now.
	End(wait time.Duration)
}
