package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/cache/control"
)

func (a *app) confirmCommand() *cobra.Command {
	return a.decision(&cobra.Command{
		Use:   "confirm PATH",
		Short: "Send a table that is held, or your side of its conflicts",
		Long: `Lets a table go out that is held or in conflict: yes, that is what was meant. An
invalid save that can be read as a table is sent with its own header. What this
replaces is kept in history.`,
	}, "confirmed", (*control.Client).Confirm)
}

func (a *app) discardCommand() *cobra.Command {
	return a.decision(&cobra.Command{
		Use:   "discard PATH",
		Short: "Go back from a table that is held, invalid or in conflict",
		Long: `Drops what is held or invalid of a table and shows the store's content again; of a
table in conflict only the cells in conflict, its other edits stay. What this
drops is kept in history.`,
	}, "discarded", (*control.Client).Discard)
}

func (a *app) refreshCommand() *cobra.Command {
	return a.decision(&cobra.Command{
		Use:   "refresh PATH",
		Short: "Take in now what others have changed",
		Long: `Asks the store for changes of a table, a project or the whole mount now, and shows
them. Edits that are not sent stay.`,
	}, "refreshed", (*control.Client).Refresh)
}

// decision completes a command that does one thing to one path.
func (a *app) decision(cmd *cobra.Command, done string, do func(*control.Client, context.Context, string) error) *cobra.Command {
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = a.does(func(ctx context.Context, args []string) error {
		ctx, stop := interruptible(ctx)
		defer stop()
		t, err := a.locate(args[0])
		if err != nil {
			return err
		}
		if err := do(t.client(), ctx, t.inside); err != nil {
			return err
		}
		fmt.Fprintf(a.out, "%s %s\n", done, full(t.Mountpoint, t.inside))
		return nil
	})
	return cmd
}
