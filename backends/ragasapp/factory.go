package ragasapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Name is the registry name of the backend.
const Name = "ragas/app"

const (
	defaultURL     = "https://api.ragas.io"
	defaultTimeout = 30 * time.Second
	defaultRetries = 3
	defaultWindow  = 8
)

// Factory opens a Ragas API.
func Factory() backends.Factory {
	return backends.Factory{
		Name: Name,
		Help: "rows behind the Ragas REST API (the hosted service is gone: point api_url at a compatible server)",
		Options: []backends.Option{
			{Name: "api_url", Default: defaultURL, Env: "RAGAS_API_URL", Help: "address of the server, without /api/v1"},
			{Name: "api_key_file", Env: "RAGAS_API_KEY", Help: "file with the API key, read again when it changes (or RAGAS_API_KEY, RAGAS_APP_TOKEN)"},
			{Name: "timeout", Default: defaultTimeout.String(), Help: "how long one request may take"},
			{Name: "max_retries", Default: strconv.Itoa(defaultRetries), Help: "how often a request is repeated at once where that does no harm"},
			{Name: "append_window", Default: strconv.Itoa(defaultWindow), Help: "rows of a table that are written at the same time; 1: strictly in order"},
		},
		Open: open,
	}
}

func open(ctx context.Context, config backends.Config) (backends.Opened, error) {
	base, err := baseURL(config)
	if err != nil {
		return backends.Opened{}, err
	}
	timeout, err := durationOption(config, "timeout", defaultTimeout)
	if err != nil {
		return backends.Opened{}, err
	}
	retries, err := numberOption(config, "max_retries", defaultRetries, 0)
	if err != nil {
		return backends.Opened{}, err
	}
	window, err := numberOption(config, "append_window", defaultWindow, 1)
	if err != nil {
		return backends.Opened{}, err
	}
	keys, err := newKeySource(config)
	if err != nil {
		return backends.Opened{}, err
	}
	c := newClient(clientOptions{base: base, keys: keys, log: config.Log, timeout: timeout, retries: retries})
	if err := c.checkKey(ctx); err != nil {
		return backends.Opened{}, err
	}
	backend := &Backend{client: c, log: config.Log, window: window, known: newMemory(), columnsLast: columnsLast}
	return backends.Opened{
		Backend: backend,
		Properties: backends.Properties{
			Form:          backends.Rows,
			Identity:      Name + ":" + base,
			RenameProject: true,
		},
		Close: func() error {
			c.close()
			return nil
		},
	}, nil
}

// keyCheck is how long opening waits for the server's opinion of the key.
const keyCheck = time.Second

// checkKey answers ErrAuth if the server says at once that it does not take the
// key. A server that is away, or takes its time, is no reason not to open.
func (c *client) checkKey(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, keyCheck)
	defer cancel()
	r := request{method: http.MethodGet, path: projectsPath(), query: url.Values{"limit": {"1"}, "offset": {"0"}}}
	if _, err := c.attempt(ctx, r); errors.Is(err, backends.ErrAuth) {
		return r.said(err)
	}
	return nil
}

// baseURL is the address without the part that all endpoints share.
func baseURL(config backends.Config) (string, error) {
	text := config.Options["api_url"]
	if text == "" {
		text = config.Getenv("RAGAS_API_URL")
	}
	if text == "" {
		text = defaultURL
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("api_url: not an address: %w", backends.ErrOption) // err would repeat what may hold a password
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("api_url: http://HOST or https://HOST is needed: %w", backends.ErrOption)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("api_url: an address without user, query and fragment is needed: %w", backends.ErrOption)
	}
	path := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), apiBase)
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Host) + path, nil
}

func durationOption(config backends.Config, name string, otherwise time.Duration) (time.Duration, error) {
	text := config.Options[name]
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if seconds, numErr := strconv.ParseFloat(text, 64); err != nil && numErr == nil { // as in Ragas: timeout=30
		d, err = time.Duration(seconds*float64(time.Second)), nil
	}
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s=%s: a duration like 30s is needed: %w", name, text, backends.ErrOption)
	}
	return d, nil
}

func numberOption(config backends.Config, name string, otherwise, least int) (int, error) {
	text := config.Options[name]
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return 0, fmt.Errorf("%s=%s: a number not below %d is needed: %w", name, text, least, backends.ErrOption)
	}
	return n, nil
}
