package main

import (
	"crypto/rsa"
	"fmt"
	"os"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/spf13/cobra"

	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
)

// boxCommand is the Box API for `ragasfs mount box/csv -o api_url=...` and for
// other clients of Box.
func boxCommand() *cobra.Command {
	var (
		address, publicKey string
		options            boxservice.Options
	)
	command := &cobra.Command{
		Use:   "box/csv --listen HOST:PORT --token TOKEN",
		Short: "The Box API, for: ragasfs mount box/csv MOUNTPOINT -o api_url=http://HOST:PORT",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if publicKey != "" {
				key, err := readPublicKey(publicKey)
				if err != nil {
					return err
				}
				options.PublicKey = key
			}
			return serve(command.Context(), address, boxservice.New(options), command.OutOrStdout())
		},
	}
	flags := command.Flags()
	flags.StringVar(&address, "listen", "127.0.0.1:8088", "address to listen on: HOST:PORT (port 0: any)")
	flags.StringSliceVar(&options.Tokens, "token", nil, "developer token (may be given more than once)")
	flags.StringVar(&options.ClientID, "client-id", "test-client", "client id of the application")
	flags.StringVar(&options.ClientSecret, "client-secret", "test-secret", "client secret of the application")
	flags.StringVar(&options.Enterprise, "enterprise", "1", "id of the enterprise")
	flags.StringVar(&options.User, "user", "2", "id of the user")
	flags.StringVar(&options.RefreshToken, "refresh-token", "test-refresh", "first refresh token, good once")
	flags.StringVar(&publicKey, "jwt-public-key", "", "PEM file with the public key of JWTs (key id test-key)")
	flags.DurationVar(&options.TokenTTL, "token-ttl", time.Hour, "how long an access token is good")
	flags.Int64Var(&options.PartSize, "part-size", 0, "size of the parts of an upload, in bytes (0: 8 MiB)")
	flags.Int64Var(&options.MinChunked, "min-chunked", 0, "smallest file that may go up in parts, in bytes (0: 20 MB)")
	flags.IntVar(&options.Calls, "calls-per-minute", 0, "calls that a user may make (0: any number; Box allows about 1000)")
	flags.IntVar(&options.Uploads, "uploads-per-minute", 0, "uploads among them (0: any number; Box allows about 240)")
	flags.DurationVar(&options.LongPoll, "long-poll", 0, "how long a wait for events lasts (0: 50s)")
	flags.DurationVar(&options.Latency, "latency", 0, "time before every answer")
	return command
}

func readPublicKey(file string) (*rsa.PublicKey, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("jwt-public-key: %w", err)
	}
	key, err := jwt.ParseRSAPublicKeyFromPEM(pem)
	if err != nil {
		return nil, fmt.Errorf("jwt-public-key %s: %w", file, err)
	}
	return key, nil
}
