package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/cmd/ragasfs/internal/mounts"
	"github.com/ragasfs/ragasfs/fs"
)

// The exit codes.
const (
	exitGood    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPending = 3 // unmount, flush, status PATH: something is not in the store
)

// stdio is what the program reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// environment is everything else around the program. Tests put their own in
// place of the real one.
type environment struct {
	getenv   func(string) string
	backends *backends.Registry
	// mounts lists the mounts of ragasfs on this machine.
	mounts mounts.Table
	// records are where the daemons of a user tell about themselves.
	records func(uid int) mounts.Directory
	// alive asks a mount something: syscall.ENOTCONN if its process is gone.
	alive func(fs.MountEntry) error
	// unmount ends a mount; lazily: also a busy one, once its files are closed.
	unmount func(mountpoint string, lazy bool) error
	// notify sends the signals that end the program to c until stop.
	notify func(c chan<- os.Signal) (stop func())
}

// app is one run of the program.
type app struct {
	stdio
	environment
	args []string // as given, for a start in the background
	// began: a command has understood its arguments.
	began bool
}

// codeError is an error with an exit code of its own. A nil err has been told
// already.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *codeError) Unwrap() error { return e.err }

// run runs the program and returns its exit code. Errors are written to
// stdio.err as "ragasfs: what happened; what to do".
func run(ctx context.Context, args []string, streams stdio, env environment) int {
	a := &app{stdio: streams, environment: env, args: args}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	code, text := a.outcome(err)
	if code == exitUsage && text != "" && !a.began {
		text += "; usage: " + cmd.UseLine()
	}
	for line := range strings.Lines(text) { // several errors are several lines
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintln(a.err, "ragasfs: "+line)
		}
	}
	return code
}

// outcome returns the exit code for err and what there is to say about it.
func (a *app) outcome(err error) (code int, text string) {
	var coded *codeError
	switch {
	case err == nil:
		return exitGood, ""
	case errors.As(err, &coded):
		if coded.err == nil {
			return coded.code, ""
		}
		return coded.code, err.Error()
	case errors.Is(err, backends.ErrOption), errors.Is(err, backends.ErrBackendNotFound):
		return exitUsage, err.Error()
	case !a.began:
		return exitUsage, err.Error()
	}
	return exitFailed, err.Error()
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "ragasfs",
		Short:         "Ragas datasets and experiments as CSV files",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs, // for our own words about them
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			cmd.SetOut(a.err)
			return errors.Join(cmd.Help(), &codeError{code: exitUsage})
		},
		Long: `ragasfs mounts the datasets and experiments of a Ragas backend as CSV files:

    MOUNTPOINT/PROJECT/datasets/NAME.csv
    MOUNTPOINT/PROJECT/experiments/NAME.csv

Exit codes: 0 good; 1 failed; 2 wrong usage; 3 (unmount, flush, status PATH)
something is not in the store yet: each is named with the command that helps.`,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.AddCommand(
		a.mountCommand(), a.unmountCommand(),
		a.statusCommand(), a.flushCommand(), a.diffCommand(),
		a.confirmCommand(), a.discardCommand(), a.refreshCommand(),
		a.findCommand(), a.backendsCommand(), a.versionCommand(),
	)
	root.InitDefaultCompletionCmd() // ours to write to: what it prints goes to stdio.out
	knownShell(root)
	return root
}

// knownShell makes a missing or unknown shell of the completion command wrong
// usage: cobra prints its help, as if that were what was asked for.
func knownShell(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		var shells []string
		for _, shell := range cmd.Commands() {
			shells = append(shells, shell.Name())
		}
		cmd.Use, cmd.DisableFlagsInUseLine = "completion SHELL", true
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(_ *cobra.Command, args []string) error {
			given := "no shell given"
			if len(args) > 0 {
				given = fmt.Sprintf("unknown shell %q", args[0])
			}
			return fmt.Errorf("%s; it is one of %s", given, strings.Join(shells, ", "))
		}
	}
}

// does makes a command's action: from here on an error is no wrong usage.
func (a *app) does(action func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.began = true
		return action(cmd.Context(), args)
	}
}
