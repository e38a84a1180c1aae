package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) findCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "find PATH FIELD=VALUE",
		Short: "Print the rows of a table whose field has a value",
		Long: `Prints, as CSV with a header, the rows of the table PATH whose cell in the column
FIELD is exactly VALUE. Where the store can look rows up the table is not loaded.`,
		Args: cobra.MatchAll(cobra.ExactArgs(2), func(_ *cobra.Command, args []string) error {
			if field, _, ok := strings.Cut(args[1], "="); !ok || field == "" {
				return fmt.Errorf("%q is not of the form FIELD=VALUE", args[1])
			}
			return nil
		}),
		RunE: a.does(func(ctx context.Context, args []string) error {
			ctx, stop := interruptible(ctx)
			defer stop()
			field, value, _ := strings.Cut(args[1], "=")
			t, err := a.locate(args[0])
			if err != nil {
				return err
			}
			_, err = t.client().Find(ctx, t.inside, field, value, a.out)
			return err
		}),
	}
}
