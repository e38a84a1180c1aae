package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/backends/memory"
	"github.com/ragasfs/ragasfs/integration/emulator/memoryservice"
)

// memoryCommand is the row store of `ragasfs mount memory -o address=...`.
func memoryCommand() *cobra.Command {
	var (
		address string
		latency time.Duration
		options memory.Options
	)
	command := &cobra.Command{
		Use:   "memory --listen unix:PATH|HOST:PORT",
		Short: "A row store, for: ragasfs mount memory MOUNTPOINT -o address=unix:PATH",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return serve(command.Context(), address, memoryservice.New(memory.NewStore(options), latency), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&address, "listen", "", "address to listen on: unix:PATH or HOST:PORT (port 0: any)")
	flags.DurationVar(&latency, "latency", 0, "time before every answer")
	flags.BoolVar(&options.DuplicateNames, "duplicate-names", false, "a name may be given to several tables or projects")
	flags.IntVar(&options.MaxCell, "max-cell", 0, "most bytes in a cell; rows with longer ones are refused (0: no limit)")
	_ = command.MarkFlagRequired("listen") // it exists: see above
	return command
}
