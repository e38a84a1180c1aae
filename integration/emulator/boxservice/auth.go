package boxservice

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

// audience is what every assertion is for, whatever the address of the service.
const audience = "https://api.box.com/oauth2/token"

// tokens are the access tokens that are good, and what was used up.
type tokens struct {
	service *Service
	mu      sync.Mutex
	access  map[string]*access
	refresh map[string]bool
	seen    map[string]bool // jti of assertions
	issued  int
}

// access is one access token. Its time runs from its first use.
type access struct {
	actor   string
	expires time.Time
}

func newTokens(s *Service) *tokens {
	t := &tokens{
		service: s, access: map[string]*access{}, seen: map[string]bool{},
		refresh: map[string]bool{s.options.RefreshToken: true},
	}
	for _, token := range s.options.Tokens {
		t.access[token] = &access{actor: s.options.User}
	}
	return t
}

// AddTokens makes developer tokens good.
func (s *Service) AddTokens(added ...string) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	for _, token := range added {
		s.tokens.access[token] = &access{actor: s.options.User}
	}
}

// RevokeTokens makes access tokens bad; without arguments all of them.
func (s *Service) RevokeTokens(revoked ...string) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	for _, token := range revoked {
		delete(s.tokens.access, token)
	}
	if revoked == nil {
		clear(s.tokens.access)
	}
}

func (t *tokens) clock() time.Time {
	t.service.store.mu.Lock()
	defer t.service.store.mu.Unlock()
	return t.service.store.clock()
}

// check refuses a request without a good token.
func (t *tokens) check(r *http.Request) *failure {
	now := t.clock()
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.access[token]
	if !bearer || known == nil {
		return fail(http.StatusUnauthorized, "unauthorized", "Unauthorized")
	}
	if known.expires.IsZero() {
		known.expires = now.Add(t.service.options.TokenTTL)
	}
	if !now.Before(known.expires) {
		return fail(http.StatusUnauthorized, "unauthorized", "Unauthorized")
	}
	if as := r.Header.Get("As-User"); as != "" && as != t.service.options.User {
		return fail(http.StatusForbidden, "access_denied_insufficient_permissions", "No such user for As-User")
	}
	return nil
}

// actor is the user as whom a request is made.
func (t *tokens) actor(r *http.Request) string {
	if as := r.Header.Get("As-User"); as != "" {
		return as
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if known := t.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]; known != nil {
		return known.actor
	}
	return t.service.options.User
}

func oauthError(w http.ResponseWriter, code, description string) {
	faults.WriteJSON(w, http.StatusBadRequest, map[string]string{"error": code, "error_description": description})
}

// postToken answers all grants.
func (s *Service) postToken(w http.ResponseWriter, r *http.Request) {
	now := s.tokens.clock()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	if err := r.ParseForm(); err != nil {
		oauthError(w, "invalid_request", "the form is not valid")
		return
	}
	form := func(name string) string { return r.PostForm.Get(name) }
	if form("client_id") != s.options.ClientID || form("client_secret") != s.options.ClientSecret {
		oauthError(w, "invalid_client", "The client credentials are invalid")
		return
	}
	actor, refresh, problem := "", "", ""
	switch form("grant_type") {
	case "client_credentials":
		actor, problem = s.subject(form("box_subject_type"), form("box_subject_id"))
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		actor, problem = s.assertion(form("assertion"), now)
	case "refresh_token":
		actor, refresh, problem = s.rotate(form("refresh_token"))
	default:
		oauthError(w, "unsupported_grant_type", "The grant type is unsupported or is missing")
		return
	}
	if problem != "" {
		oauthError(w, "invalid_grant", problem)
		return
	}
	answer := map[string]any{
		"access_token": s.tokens.issue(actor, now), "expires_in": int(s.options.TokenTTL.Seconds()),
		"token_type": "bearer", "restricted_to": []any{},
	}
	if refresh != "" {
		answer["refresh_token"] = refresh
	}
	faults.WriteJSON(w, http.StatusOK, answer)
}

// subject says as whom an application acts: its own account, or a user.
func (s *Service) subject(kind, id string) (actor, problem string) {
	switch {
	case kind == "enterprise" && id == s.options.Enterprise:
		return "service-" + id, ""
	case kind == "user" && id == s.options.User:
		return id, ""
	}
	return "", "Grant credentials are invalid"
}

// rotate uses up a refresh token and makes the next one.
func (s *Service) rotate(old string) (actor, next, problem string) {
	s.tokens.mu.Lock()
	defer s.tokens.mu.Unlock()
	if !s.tokens.refresh[old] {
		return "", "", "Refresh token has expired"
	}
	delete(s.tokens.refresh, old)
	s.tokens.issued++
	next = fmt.Sprintf("refresh-%d", s.tokens.issued)
	s.tokens.refresh[next] = true
	return s.options.User, next, ""
}

func (t *tokens) issue(actor string, now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.issued++
	token := fmt.Sprintf("access-%d", t.issued)
	t.access[token] = &access{actor: actor, expires: now.Add(t.service.options.TokenTTL)}
	return token
}

type claims struct {
	jwt.RegisteredClaims
	SubjectType string `json:"box_sub_type"`
}

// assertion checks a JWT.
func (s *Service) assertion(text string, now time.Time) (actor, problem string) {
	const longest = 60 * time.Second
	var c claims
	parsed, err := jwt.ParseWithClaims(text, &c, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != s.options.KeyID || s.options.PublicKey == nil {
			return nil, fmt.Errorf("kid %v is not known", token.Header["kid"])
		}
		return s.options.PublicKey, nil
	},
		jwt.WithValidMethods([]string{"RS256", "RS384", "RS512"}), jwt.WithAudience(audience),
		jwt.WithIssuer(s.options.ClientID), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	if err != nil || !parsed.Valid {
		return "", fmt.Sprintf("Please check the 'exp', 'aud' and 'kid' claims and the signature: %v", err)
	}
	if c.ExpiresAt.After(now.Add(longest)) {
		return "", "Please check the 'exp' claim: it is more than 60 seconds away"
	}
	const shortest, most = 16, 128
	if len(c.ID) < shortest || len(c.ID) > most {
		return "", "Please check the 'jti' claim"
	}
	s.tokens.mu.Lock()
	used := s.tokens.seen[c.ID]
	s.tokens.seen[c.ID] = true
	s.tokens.mu.Unlock()
	if used {
		return "", "Please check the 'jti' claim: it has been used"
	}
	return s.subject(c.SubjectType, c.Subject)
}

func (s *Service) postRevoke(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("client_id") != s.options.ClientID ||
		r.PostForm.Get("client_secret") != s.options.ClientSecret {
		oauthError(w, "invalid_client", "The client credentials are invalid")
		return
	}
	s.RevokeTokens(r.PostForm.Get("token"))
	w.WriteHeader(http.StatusOK)
}
