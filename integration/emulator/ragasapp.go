package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/integration/emulator/ragasservice"
	"github.com/ragasfs/ragasfs/integration/emulator/ragasstore"
)

// ragasAppCommand is the service of `ragasfs mount ragas/app -o api_url=...`.
func ragasAppCommand() *cobra.Command {
	var (
		address, token, otherToken string
		latency                    time.Duration
		patch, deletes, ids, post  string
		switches                   ragasstore.Switches
	)
	command := &cobra.Command{
		Use:   "ragas/app --listen HOST:PORT --token TOKEN",
		Short: "The Ragas API, for: ragasfs mount ragas/app MOUNTPOINT -o api_url=http://HOST:PORT",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			for _, choice := range []struct {
				flag, value, no, yes string
				into                 *bool
			}{
				{"patch", patch, "merge", "replace", &switches.PatchReplaces},
				{"delete", deletes, "hard", "soft", &switches.SoftDelete},
				{"row-ids", ids, "table", "global", &switches.GlobalIDs},
				{"known-id", post, "error", "upsert", &switches.Upsert},
			} {
				if choice.value != choice.no && choice.value != choice.yes {
					return fmt.Errorf("--%s=%s: %s or %s is needed", choice.flag, choice.value, choice.no, choice.yes)
				}
				*choice.into = choice.value == choice.yes
			}
			store := ragasstore.New(switches)
			workspaces := ragasservice.Workspaces{token: store}
			if otherToken != "" {
				workspaces[otherToken] = ragasstore.New(switches)
			}
			service := ragasservice.New(workspaces, ragasservice.Options{
				Latency: latency, State: func() any { return store.State() },
			})
			return serve(command.Context(), address, service, command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&address, "listen", "", "address to listen on: HOST:PORT (port 0: any) or unix:PATH")
	flags.StringVar(&token, "token", "", "the API key of the workspace that is shown by /_emulator/state")
	flags.StringVar(&otherToken, "other-token", "", "the API key of a second, empty workspace")
	flags.DurationVar(&latency, "latency", 0, "time before every answer")
	flags.IntVar(&switches.MaxPage, "max-page", 100, "the largest page of a list")
	flags.StringVar(&patch, "patch", "merge", "what PATCH of a row does with keys that are not sent: merge or replace")
	flags.StringVar(&deletes, "delete", "hard", "whether the id of a deleted row is free again: hard or soft")
	flags.StringVar(&ids, "row-ids", "table", "where a row id is unique: table or global")
	flags.StringVar(&post, "known-id", "error", "what POST of a known row id does: error or upsert")
	flags.BoolVar(&switches.FixedOrder, "fixed-order", false, "ignore order_by and sort_dir")
	_ = command.MarkFlagRequired("listen") // they exist: see above
	_ = command.MarkFlagRequired("token")
	return command
}
