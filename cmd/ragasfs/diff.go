package main

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) diffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff PATH",
		Short: "Show what would be sent",
		Long:  "Shows the row changes of a table, a project or the whole mount that are not in the store.",
		Args:  cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			ctx, stop := interruptible(ctx)
			defer stop()
			t, err := a.locate(args[0])
			if err != nil {
				return err
			}
			return t.client().Diff(ctx, t.inside, a.out)
		}),
	}
}
