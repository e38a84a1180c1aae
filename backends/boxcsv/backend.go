package boxcsv

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/ragasfs/ragasfs/backends"
)

// Name is the registry name of the backend, as in Ragas.
const Name = "box/csv"

// settle is the default of -o write_back: every push is a file version, of
// which Box keeps few.
const settle = 30 * time.Second

const (
	defaultTimeout = 60 * time.Second
	defaultDirect  = 50_000_000 // bytes
)

// Options say which Box folder is meant, and how it is reached. Zero fields
// have defaults.
type Options struct {
	RootFolderID string        // "0"
	APIURL       string        // "https://api.box.com"
	UploadURL    string        // from APIURL; "https://upload.box.com/api/2.0"
	TokenURL     string        // from APIURL; "https://api.box.com/oauth2/token"
	AsUser       string        // id of the user as whom everything is done
	Timeout      time.Duration // longest silence of Box
	Attempts     int           // of a read
	Backoff      time.Duration // before the second attempt
	Direct       int64         // the largest file that goes up in one piece, in bytes
	CallRate     rate.Limit    // calls a second
	UploadRate   rate.Limit    // uploads a second
	Relist       time.Duration // how often everything is looked at although no event came
	Log          *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.RootFolderID == "" {
		o.RootFolderID = "0"
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Attempts == 0 {
		o.Attempts = 4
	}
	if o.Backoff == 0 {
		o.Backoff = 500 * time.Millisecond
	}
	if o.Direct == 0 {
		o.Direct = defaultDirect
	}
	if o.CallRate == 0 {
		o.CallRate = 14 // with the burst less than the 1000 a minute that Box allows a user
	}
	if o.UploadRate == 0 {
		o.UploadRate = 3.5 // the same of 240 a minute
	}
	if o.Relist == 0 {
		o.Relist = time.Hour
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Bursts that the limits allow.
const (
	callBurst   = 100
	uploadBurst = 20
)

// hosts derives the addresses.
func (o Options) hosts() hosts {
	base := strings.TrimSuffix(strings.TrimRight(o.APIURL, "/"), "/2.0")
	h := hosts{
		api: "https://api.box.com/2.0", upload: "https://upload.box.com/api/2.0", token: "https://api.box.com/oauth2/token",
	}
	if base != "" {
		h = hosts{api: base + "/2.0", upload: base + "/api/2.0", token: base + "/oauth2/token"}
	}
	if o.UploadURL != "" {
		upload := strings.TrimSuffix(strings.TrimRight(o.UploadURL, "/"), "/api/2.0")
		h.upload = upload + "/api/2.0"
	}
	if o.TokenURL != "" {
		h.token = o.TokenURL
	}
	return h
}

// Backend is one Box folder. It implements backends.Backend, Renamer, Prober,
// Watcher and Limited.
type Backend struct {
	client  *client
	tree    *tree
	options Options
	account string // part of the identity: what the credentials say without a call
	place   string // account id and root folder; "" if Box was away at the beginning
	log     *slog.Logger
}

// newBackend makes a backend that has not called Box yet.
func newBackend(options Options, account string) *Backend {
	options = options.withDefaults()
	transport := newTransport(options.Timeout)
	return &Backend{
		client: &client{
			resty: newResty(transport), transport: transport, hosts: options.hosts(), asUser: options.AsUser,
			timeout: options.Timeout, attempts: options.Attempts, backoff: options.Backoff, direct: options.Direct,
			calls:   newBudget("calls", options.CallRate, callBurst),
			uploads: newBudget("uploads", options.UploadRate, uploadBurst),
			log:     options.Log,
		},
		tree: newTree(options.RootFolderID), options: options, account: account, log: options.Log,
	}
}

// meet learns which account the credentials belong to. Box may be away: then it
// is not known, and that is no error.
func (b *Backend) meet(ctx context.Context) {
	const patience = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	me, err := b.client.whoami(ctx)
	if err != nil {
		b.log.Warn("Box does not say whose account this is; the mount goes on from the cache", "error", err)
		return
	}
	b.place = fmt.Sprintf("account:%s/folder:%s", me.ID, b.options.RootFolderID)
}

// Opened returns the backend as an open backend.
func (b *Backend) Opened() backends.Opened {
	identity := Name + ":" + b.options.RootFolderID
	if b.account != "" {
		identity += "@" + b.account
	}
	if b.options.APIURL != "" {
		identity += "@" + b.client.hosts.api
	}
	return backends.Opened{
		Backend: b,
		Properties: backends.Properties{
			Form: backends.Documents, Identity: identity, Place: b.place, Settle: settle,
			CompareAndSwap: true, RenameProject: true, Told: true,
		},
		Close: func() error {
			b.client.transport.CloseIdleConnections()
			return nil
		},
	}
}

// versionOf is the version token of a file: of its content, whatever its name.
func versionOf(file item) backends.Version {
	return backends.Version(string(file.FileVersion.ID) + ":" + file.SHA1)
}
