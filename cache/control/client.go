package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/ragasfs/ragasfs/cache"
)

// Client asks the daemon behind one socket. Its methods may be called at the
// same time; each uses a connection of its own. A method ends, and its request is
// cancelled in the daemon, when its context is done.
//
// Every method returns ErrNoDaemon if nobody listens, os.ErrPermission if the
// socket belongs to somebody else, else what the daemon answered.
type Client struct {
	path string
}

// NewClient returns a client for the socket at path. It does not connect.
func NewClient(path string) *Client { return &Client{path: path} }

// Info asks who serves the store.
func (c *Client) Info(ctx context.Context) (Info, error) {
	m, err := c.ask(ctx, Request{Op: OpInfo}, nil, nil)
	if err == nil && m.Info == nil {
		err = fmt.Errorf("%w: an answer without info", ErrProtocol)
	}
	if err != nil {
		return Info{}, err
	}
	return *m.Info, nil
}

// Status returns the status of the mount, or of one table in it.
func (c *Client) Status(ctx context.Context, path string) (cache.Status, error) {
	m, err := c.ask(ctx, Request{Op: OpStatus, Path: path}, nil, nil)
	if err == nil && m.Status == nil {
		err = fmt.Errorf("%w: an answer without a status", ErrProtocol)
	}
	if err != nil {
		return cache.Status{}, err
	}
	return *m.Status, nil
}

// Flush sends what is pending under paths. progress may be nil.
func (c *Client) Flush(ctx context.Context, paths []string, retry bool, progress func(cache.Progress)) error {
	_, err := c.ask(ctx, Request{Op: OpFlush, Paths: paths, Retry: retry}, progress, nil)
	return err
}

// Drain sends everything, as an unmount does. progress may be nil.
func (c *Client) Drain(ctx context.Context, progress func(cache.Progress)) error {
	_, err := c.ask(ctx, Request{Op: OpDrain}, progress, nil)
	return err
}

// Confirm lets a held table go out.
func (c *Client) Confirm(ctx context.Context, path string) error {
	_, err := c.ask(ctx, Request{Op: OpConfirm, Path: path}, nil, nil)
	return err
}

// Discard drops the unsent edits of a table.
func (c *Client) Discard(ctx context.Context, path string) error {
	_, err := c.ask(ctx, Request{Op: OpDiscard, Path: path}, nil, nil)
	return err
}

// Refresh takes in what others have changed.
func (c *Client) Refresh(ctx context.Context, path string) error {
	_, err := c.ask(ctx, Request{Op: OpRefresh, Path: path}, nil, nil)
	return err
}

// Diff writes what would be sent to w.
func (c *Client) Diff(ctx context.Context, path string, w io.Writer) error {
	_, err := c.ask(ctx, Request{Op: OpDiff, Path: path}, nil, w)
	return err
}

// Find writes the rows whose column has the value to w, as CSV, and returns
// their number.
func (c *Client) Find(ctx context.Context, path, column, value string, w io.Writer) (int, error) {
	m, err := c.ask(ctx, Request{Op: OpFind, Path: path, Column: column, Value: value}, nil, w)
	return m.Count, err
}

// End tells the daemon that its mount is about to end: see Host.End.
func (c *Client) End(ctx context.Context, wait time.Duration) error {
	_, err := c.ask(ctx, Request{Op: OpEnd, Wait: wait}, nil, nil)
	return err
}

// ask sends a request and returns the last line of its answer.
func (c *Client) ask(ctx context.Context, r Request, progress func(cache.Progress), w io.Writer) (message, error) {
	conn, err := c.dial(ctx)
	if err != nil {
		return message{}, err
	}
	defer func() {
		_ = conn.Close() // the answer is read, or its loss already an error
	}()
	// Closing is how the daemon learns that nobody waits any more.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()

	m, err := converse(conn, r, progress, w)
	if err != nil && ctx.Err() != nil {
		return message{}, fmt.Errorf("%s: %w", r.Op, ctx.Err())
	}
	return m, err
}

func converse(conn net.Conn, r Request, progress func(cache.Progress), w io.Writer) (message, error) {
	if err := json.NewEncoder(conn).Encode(r); err != nil && !errors.Is(err, syscall.EPIPE) {
		return message{}, fmt.Errorf("%w: %w", ErrNoDaemon, unwrapAddress(err))
	} // on EPIPE the server has answered before it read everything
	decoder := json.NewDecoder(conn)
	for {
		var m message
		if err := decoder.Decode(&m); err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				return message{}, fmt.Errorf("%w: it ended before it had answered", ErrNoDaemon)
			}
			return message{}, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if m.Progress != nil && progress != nil {
			progress(*m.Progress)
		}
		if len(m.Output) > 0 && w != nil {
			if _, err := w.Write(m.Output); err != nil {
				return message{}, err
			}
		}
		if m.Done {
			return m, decodeError(m.Error)
		}
	}
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	var conn net.Conn
	err := withAddress(c.path, func(address string) error {
		var dialer net.Dialer
		var err error
		conn, err = dialer.DialContext(ctx, "unix", address)
		return err
	})
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w on %s", ErrNoDaemon, c.path)
	}
	return nil, fmt.Errorf("control socket %s: %w", c.path, unwrapAddress(err))
}
