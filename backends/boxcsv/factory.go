package boxcsv

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Environment variables with credentials: they stand on no command line.
const (
	envToken      = "BOX_DEVELOPER_TOKEN"
	envClientID   = "BOX_CLIENT_ID"
	envSecret     = "BOX_CLIENT_SECRET"
	envEnterprise = "BOX_ENTERPRISE_ID"
	envUser       = "BOX_USER_ID"
)

// Factory opens Box folders.
func Factory() backends.Factory {
	return backends.Factory{
		Name: Name,
		Help: "CSV files in a Box folder; credentials: config_file, token_file, " + envToken + ", or " + envClientID +
			" with " + envSecret + " and " + envEnterprise + " or " + envUser,
		Options: []backends.Option{
			{Name: "root_folder_id", Default: "0", Help: "id of the folder that holds the projects"},
			{Name: "api_url", Default: "https://api.box.com", Help: "address of the Box API"},
			{Name: "upload_url", Help: "address for uploads, if it is not derived from api_url"},
			{Name: "token_url", Help: "address for access tokens, if it is not derived from api_url"},
			{Name: "config_file", Help: "JSON file of a JWT application, as Box's developer console makes it"},
			{Name: "token_file", Help: "file with a developer token; read again when it changes"},
			{Name: "timeout", Default: defaultTimeout.String(), Help: "how long Box may be silent"},
			{Name: "chunk_above", Default: strconv.Itoa(defaultDirect), Help: "larger tables go up in parts, in bytes (Box takes parts from 20 MB on)"},
			{Name: "as_user", Help: "id of the user as whom everything is done"},
		},
		Open: open,
	}
}

func open(ctx context.Context, config backends.Config) (backends.Opened, error) {
	options := Options{
		RootFolderID: config.Options["root_folder_id"], APIURL: config.Options["api_url"],
		UploadURL: config.Options["upload_url"], TokenURL: config.Options["token_url"],
		AsUser: config.Options["as_user"], Log: config.Log,
	}
	var err error
	if options.Timeout, err = timeoutOption(config.Options["timeout"]); err != nil {
		return backends.Opened{}, err
	}
	if options.Direct, err = sizeOption(config.Options["chunk_above"]); err != nil {
		return backends.Opened{}, err
	}
	for _, name := range []string{"api_url", "upload_url", "token_url"} {
		if err := checkURL(name, config.Options[name]); err != nil {
			return backends.Opened{}, err
		}
	}
	if options.APIURL == "https://api.box.com" {
		options.APIURL = "" // the identity must not depend on whether the default is spelled out
	}
	b, err := withCredentials(options, config)
	if err != nil {
		return backends.Opened{}, err
	}
	b.meet(ctx)
	return b.Opened(), nil
}

func timeoutOption(value string) (time.Duration, error) {
	if value == "" {
		return defaultTimeout, nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("timeout=%s: a duration like 30s is needed: %w", value, backends.ErrOption)
	}
	return d, nil
}

func sizeOption(value string) (int64, error) {
	if value == "" {
		return defaultDirect, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("chunk_above=%s: a number of bytes is needed: %w", value, backends.ErrOption)
	}
	return n, nil
}

func checkURL(name, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return fmt.Errorf("%s: an address like https://api.box.com is needed: %w", name, backends.ErrOption)
	}
	return nil
}

// withCredentials chooses how to authorise: the first that is configured.
func withCredentials(options Options, config backends.Config) (*Backend, error) {
	getenv := config.Getenv
	if getenv == nil {
		getenv = func(string) string { return "" }
	}
	account := func(of string) string {
		if options.AsUser != "" {
			return "user:" + options.AsUser
		}
		return of
	}
	switch {
	case config.Options["config_file"] != "":
		app, err := readAppKey(config.Options["config_file"])
		if err != nil {
			return nil, err
		}
		b := newBackend(options, account(app.subject.String()))
		b.client.tokens = b.client.signed(app)
		return b, nil
	case config.Options["token_file"] != "":
		b := newBackend(options, account(""))
		b.client.tokens = &fileToken{path: config.Options["token_file"]}
		return b, nil
	case getenv(envToken) != "":
		b := newBackend(options, account(""))
		b.client.tokens = fixedToken(getenv(envToken))
		return b, nil
	case getenv(envClientID) != "" && getenv(envSecret) != "":
		app := application{id: getenv(envClientID), secret: getenv(envSecret)}
		switch {
		case getenv(envUser) != "":
			app.subject = subject{kind: "user", id: getenv(envUser)}
		case getenv(envEnterprise) != "":
			app.subject = subject{kind: "enterprise", id: getenv(envEnterprise)}
		default:
			return nil, fmt.Errorf("%s needs %s or %s beside it: %w", envClientID, envEnterprise, envUser, backends.ErrOption)
		}
		b := newBackend(options, account(app.subject.String()))
		b.client.tokens = b.client.clientCredentials(app)
		return b, nil
	}
	return nil, fmt.Errorf("no credentials for Box: set %s, or %s, %s and %s, or give config_file or token_file: %w",
		envToken, envClientID, envSecret, envEnterprise, backends.ErrOption)
}
