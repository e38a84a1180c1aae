// Command emulator runs services that behave like the stores of ragasfs, in
// memory, for tests and for trying things out. Each has the out-of-band calls of
// package faults.
//
//	go run ./integration/emulator memory --listen unix:PATH
//	go run ./integration/emulator ragas/app --listen 127.0.0.1:8087 --token test-token
//	go run ./integration/emulator box/csv --listen 127.0.0.1:8088 --token test-token
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it ends when ctx is done.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "emulator",
		Short:         "Services in memory that behave like the stores of ragasfs",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(memoryCommand(), ragasAppCommand(), boxCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "emulator:", err)
		return 1
	}
	return 0
}
