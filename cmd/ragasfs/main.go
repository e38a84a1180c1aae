// Command ragasfs mounts the datasets and experiments of a Ragas backend as CSV
// files, and looks after the mounts.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/ragasfs/ragasfs/backends/all"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
	"github.com/ragasfs/ragasfs/fs"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], stdio{os.Stdin, os.Stdout, os.Stderr}, realEnvironment()))
}

func realEnvironment() environment {
	registry := all.Registry()
	return environment{
		getenv:   os.Getenv,
		backends: &registry,
		mounts:   fs.MountInfo,
		records:  mounts.DirectoryOf,
		alive:    fs.MountEntry.Alive,
		unmount:  fs.Unmount,
		notify:   notify,
	}
}

// notify sends the signals that end the program to c.
func notify(c chan<- os.Signal) (stop func()) {
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return func() { signal.Stop(c) }
}
