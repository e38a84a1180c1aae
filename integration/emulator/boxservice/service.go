package boxservice

import (
	"crypto/rsa"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// Options say which credentials the service knows and how it measures. Empty
// fields have the defaults that the emulator's flags have.
type Options struct {
	Tokens       []string // developer tokens
	ClientID     string
	ClientSecret string
	Enterprise   string
	User         string
	RefreshToken string         // good once
	PublicKey    *rsa.PublicKey // of JWTs; nil: none is good
	KeyID        string
	TokenTTL     time.Duration // of every access token, from its first use or issue
	PartSize     int64         // of upload sessions
	MinChunked   int64         // smallest file that may go up in parts
	LongPoll     time.Duration // how long /subscribe waits
	Latency      time.Duration
	Calls        int // that a user may make a minute; 0: any number
	Uploads      int // of them
	Now          func() time.Time
}

func (o Options) withDefaults() Options {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&o.ClientID, "test-client")
	set(&o.ClientSecret, "test-secret")
	set(&o.Enterprise, "1")
	set(&o.User, "2")
	set(&o.RefreshToken, "test-refresh")
	set(&o.KeyID, "test-key")
	if o.TokenTTL == 0 {
		o.TokenTTL = time.Hour
	}
	if o.PartSize == 0 {
		o.PartSize = 8 << 20
	}
	if o.MinChunked == 0 {
		o.MinChunked = 20_000_000
	}
	if o.LongPoll == 0 {
		o.LongPoll = 50 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// Service is the emulated API with its out-of-band calls.
type Service struct {
	*faults.Service

	options Options
	store   *store
	knobs   Knobs // under store.mu
	tokens  *tokens
	limits  limits
	seen    seen
}

// seen is what came to the download host that should not.
type seen struct {
	mu      sync.Mutex
	headers []string
}

// New returns a service with an empty root folder.
func New(options Options) *Service {
	options = options.withDefaults()
	s := &Service{options: options, store: newStore(options.Now)}
	s.tokens = newTokens(s)
	s.Service = faults.Wrap(http.HandlerFunc(s.route), faults.Options{
		Latency: options.Latency, State: s.state, ErrorBody: errorBody,
	})
	return s
}

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET /_emulator/options":
		s.getOptions(w)
	case "POST /_emulator/options":
		s.postOptions(w, r)
	case "POST /_emulator/clock":
		s.postClock(w, r)
	case "POST /_emulator/tokens":
		s.postTokens(w, r)
	default:
		s.Service.ServeHTTP(w, r)
	}
}

func (s *Service) postClock(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Advance faults.Duration `json:"advance"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil {
		s.Advance(time.Duration(body.Advance))
	}
	answerControl(w, err)
}

func (s *Service) postTokens(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Add       []string `json:"add"`
		Revoke    []string `json:"revoke"`
		RevokeAll bool     `json:"revoke_all"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	if err == nil {
		if len(body.Revoke) > 0 { // none would mean all
			s.RevokeTokens(body.Revoke...)
		}
		if body.RevokeAll {
			s.RevokeTokens()
		}
		s.AddTokens(body.Add...)
	}
	answerControl(w, err)
}

func answerControl(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Advance sets the service's clock forward.
func (s *Service) Advance(d time.Duration) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.ahead += d
	s.store.signal()
}

// route sends a request to what it means, by host name or by path.
func (s *Service) route(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Box-Request-Id", "emulated")
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	switch {
	case strings.HasSuffix(path, "/oauth2/token"):
		s.postToken(w, r)
		return
	case strings.HasSuffix(path, "/oauth2/revoke"):
		s.postRevoke(w, r)
		return
	case strings.HasPrefix(path, "/d/1/"):
		s.download(w, r, strings.Split(strings.TrimPrefix(path, "/d/1/"), "/")[0])
		return
	case path == "/subscribe":
		s.subscribe(w, r)
		return
	}
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/api"), "/2.0")
	if f := s.tokens.check(r); f != nil {
		f.write(w)
		return
	}
	f := s.limit(r, path)
	if f == nil {
		f = s.dispatch(w, r, path)
	}
	if f != nil {
		f.write(w)
	}
}

// handler answers one operation; the store is locked meanwhile.
type handler func(http.ResponseWriter, *http.Request) *failure

func (s *Service) dispatch(w http.ResponseWriter, r *http.Request, path string) *failure {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			return badRequest("the path is not valid")
		}
		parts[i] = decoded
	}
	// What has a body reads it before it locks.
	body, f := readBody(r)
	if f != nil {
		return f
	}
	handle := s.operation(r.Method, parts, body)
	if handle == nil {
		return fail(http.StatusMethodNotAllowed, "method_not_allowed", "Method Not Allowed")
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return handle(w, r)
}

// baseURL is the service's own address as the client reached it.
func baseURL(r *http.Request) string { return scheme(r) + "://" + r.Host }

func scheme(r *http.Request) string {
	if r.TLS != nil || strings.HasSuffix(hostOf(r), ".box.com") { // through a proxy that ends TLS
		return "https"
	}
	return "http"
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return r.Host
}

// downloadHost is where Box itself serves contents.
const downloadHost = "dl.boxcloud.com"

// downloadBase is the same service under another host name, so that a client
// that takes its credentials along is found out.
func downloadBase(r *http.Request) string {
	host := hostOf(r)
	other := map[string]string{"127.0.0.1": "localhost", "localhost": "127.0.0.1"}[host]
	switch {
	case strings.HasSuffix(host, ".box.com"):
		return "https://" + downloadHost
	case other == "":
		return baseURL(r)
	}
	return scheme(r) + "://" + other + strings.TrimPrefix(r.Host, host)
}
