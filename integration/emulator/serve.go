package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// serve answers requests at address ("unix:PATH" or "HOST:PORT") until ctx is
// done. Once it answers it says so on out: "listening on ADDRESS", with the
// real port.
func serve(ctx context.Context, address string, handler http.Handler, out io.Writer) error {
	listener, err := listen(ctx, address)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	if !strings.HasPrefix(address, "unix:") {
		address = listener.Addr().String()
	}
	const headerTimeout = 10 * time.Second
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // stalled requests must not hold it up
	defer stop()
	fmt.Fprintln(out, "listening on", address)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve %s: %w", address, err)
	}
	return nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		return config.Listen(ctx, "tcp", address)
	}
	// A socket that an earlier process left behind is in the way; one at which
	// somebody answers is not ours to remove.
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		var dialer net.Dialer
		if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
			return nil, errors.Join(errors.New("another process answers there"), conn.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return config.Listen(ctx, "unix", path)
}
