package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// maxRequest is the longest request, in bytes.
const maxRequest = 1 << 20

// requestTime is how long a client may take to send its request.
const requestTime = 10 * time.Second

// Server answers on one socket.
type Server struct {
	store    Store
	host     Host
	log      *slog.Logger
	listener net.Listener
	path     string

	cancel  context.CancelFunc // ends every request
	ctx     context.Context    // of all requests, done on Close
	serving sync.WaitGroup     // the accept loop and every request
}

// Listen makes the socket at path and answers on it until Close. A socket that
// is there already is taken away: the caller holds the lock of the store, so its
// owner is gone.
func Listen(path string, store Store, host Host, log *slog.Logger) (*Server, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	var listener net.Listener
	err := withAddress(path, func(address string) error {
		var config net.ListenConfig
		l, err := config.Listen(context.Background(), "unix", address)
		if err != nil {
			return fmt.Errorf("control socket %s: %w", path, unwrapAddress(err))
		}
		// The address holds for this call only; Close removes the socket by its path.
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		listener = l
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		if listener != nil {
			err = errors.Join(err, listener.Close())
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{store: store, host: host, log: log, listener: listener, path: path, ctx: ctx, cancel: cancel}
	s.serving.Go(s.accept)
	return s, nil
}

// Close takes the socket away, cancels all requests and waits for their end. A
// second call does nothing.
func (s *Server) Close() error {
	if s.ctx.Err() != nil {
		return nil
	}
	err := os.Remove(s.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	s.cancel()
	err = errors.Join(err, s.listener.Close())
	s.serving.Wait()
	return err
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// Out of descriptors, most likely: others will be closed.
			s.log.Error("control socket: accept failed; trying again", "error", err)
			select {
			case <-time.After(time.Second):
			case <-s.ctx.Done():
				return
			}
		default:
			s.serving.Go(func() { s.serve(conn.(*net.UnixConn)) })
		}
	}
}

// serve answers the one request of a connection.
func (s *Server) serve(conn *net.UnixConn) {
	defer func() {
		if err := conn.Close(); err != nil {
			s.log.Debug("control socket: close", "error", err)
		}
	}()
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, func() { s.expire(conn) })()

	out := &answer{encoder: json.NewEncoder(conn), cancel: cancel}
	if err := s.admit(conn); err != nil {
		out.last(message{Error: encodeError(err)})
		return
	}
	reader := bufio.NewReader(io.LimitReader(conn, maxRequest))
	request, err := s.read(conn, reader)
	if err != nil {
		out.last(message{Error: encodeError(err)})
		return
	}
	// A client sends nothing more, so that the end of its side means that it is
	// gone. This goroutine ends at the latest when the connection is closed.
	s.serving.Go(func() {
		_, _ = io.Copy(io.Discard, reader) // any end of the client's side means the same
		cancel()
	})
	out.last(s.handle(ctx, request, out))
}

// admit refuses other users. The mode of the socket does too; root is always let in.
func (s *Server) admit(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, peerErr); err != nil {
		return fmt.Errorf("control socket: who asks? %w", err)
	}
	if uid := int(peer.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("user %d may not control a mount of user %d: %w", uid, os.Geteuid(), os.ErrPermission)
	}
	return nil
}

func (s *Server) read(conn net.Conn, reader *bufio.Reader) (Request, error) {
	if err := conn.SetReadDeadline(time.Now().Add(requestTime)); err != nil {
		return Request{}, err
	}
	line, err := reader.ReadBytes('\n')
	if s.ctx.Err() != nil { // Close wakes whoever reads
		return Request{}, fmt.Errorf("%w: it is ending", ErrNoDaemon)
	}
	if err != nil {
		return Request{}, fmt.Errorf("%w: no whole request: %w", ErrProtocol, err)
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return Request{}, err
	}
	if s.ctx.Err() != nil { // Close came between the two deadlines
		return Request{}, fmt.Errorf("%w: it is ending", ErrNoDaemon)
	}
	var request Request
	if err := json.Unmarshal(line, &request); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return request, nil
}

// expire wakes whoever reads from the connection, and gives a last answer some
// time to leave.
func (s *Server) expire(conn net.Conn) {
	err := errors.Join(conn.SetReadDeadline(time.Unix(1, 0)), conn.SetWriteDeadline(time.Now().Add(time.Second)))
	if err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("control socket: deadline", "error", err)
	}
}

// unwrapAddress drops the made-up address from an error of package net.
func unwrapAddress(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
