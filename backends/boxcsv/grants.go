package boxcsv

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/youmark/pkcs8"

	"github.com/ragasfs/ragasfs/backends"
)

// subject is as whom an application acts.
type subject struct {
	kind string // "enterprise": its own account; or "user"
	id   string
}

func (s subject) String() string { return s.kind + ":" + s.id }

// application is the credentials of an application at Box.
type application struct {
	id, secret string
	subject    subject
}

// clientCredentials asks by client credentials.
func (c *client) clientCredentials(app application) *grant {
	return &grant{now: time.Now, ask: func(ctx context.Context) (string, time.Duration, error) {
		answer, _, err := c.askToken(ctx, url.Values{
			"grant_type": {"client_credentials"}, "client_id": {app.id}, "client_secret": {app.secret},
			"box_subject_type": {app.subject.kind}, "box_subject_id": {app.subject.id},
		})
		return answer.AccessToken, time.Duration(answer.ExpiresIn) * time.Second, err
	}}
}

// errGrant: the token endpoint does not accept the credentials.
var errGrant = errors.New("Box gives no token") //nolint:staticcheck // a name

// askToken asks the token endpoint once, and says what time it is there.
func (c *client) askToken(ctx context.Context, form url.Values) (token, time.Time, error) {
	var t token
	var there time.Time
	response, err := c.resty.R().SetContext(ctx).SetDoNotParseResponse(true).
		SetFormDataFromValues(form).Post(c.hosts.token)
	if err != nil {
		return t, there, fmt.Errorf("%w: ask for a token: %w", backends.ErrUnavailable, withoutAddress(err))
	}
	defer response.RawBody().Close() //nolint:errcheck // only read from: nothing can be lost
	if there, err = http.ParseTime(response.Header().Get("Date")); err != nil {
		there = time.Time{}
	}
	const most = 64 << 10
	body, err := io.ReadAll(io.LimitReader(response.RawBody(), most))
	if err == nil {
		err = json.Unmarshal(body, &t)
	}
	status := response.StatusCode()
	switch {
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests:
		return t, there, fmt.Errorf("ask for a token: %w", failureOf(status, response.Header(), nil, false))
	case status >= http.StatusBadRequest:
		return t, there, fmt.Errorf("%w: %w: %s %s", backends.ErrAuth, errGrant, t.Error, t.Description)
	case err != nil || t.AccessToken == "" || t.ExpiresIn <= 0:
		return t, there, fmt.Errorf("ask for a token: %w", incomplete("the answer is no token"))
	}
	return t, there, nil
}

// appKey is what the JSON file of a JWT application says.
type appKey struct {
	application
	keyID string
	key   *rsa.PrivateKey
}

// readAppKey reads the file that Box's developer console makes. The error wraps
// backends.ErrOption and holds nothing of the file.
func readAppKey(path string) (appKey, error) {
	bad := func(what string, err error) (appKey, error) {
		return appKey{}, fmt.Errorf("config_file %s: %s: %w: %w", path, what, backends.ErrOption, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return bad("it can't be read", err)
	}
	var file struct {
		App struct {
			ClientID     string `json:"clientID"`
			ClientSecret string `json:"clientSecret"`
			Auth         struct {
				KeyID      string `json:"publicKeyID"`
				PrivateKey string `json:"privateKey"`
				Passphrase string `json:"passphrase"`
			} `json:"appAuth"`
		} `json:"boxAppSettings"`
		Enterprise text `json:"enterpriseID"`
		User       text `json:"userID"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		return bad("it is no JSON", errFormat) // the error might quote a secret
	}
	key, err := readKey(file.App.Auth.PrivateKey, file.App.Auth.Passphrase)
	if err != nil {
		return bad("the private key", err)
	}
	app := application{id: file.App.ClientID, secret: file.App.ClientSecret}
	switch {
	case file.User != "":
		app.subject = subject{kind: "user", id: string(file.User)}
	default:
		app.subject = subject{kind: "enterprise", id: string(file.Enterprise)}
	}
	if app.id == "" || app.secret == "" || app.subject.id == "" || file.App.Auth.KeyID == "" {
		return bad("clientID, clientSecret, publicKeyID or enterpriseID is missing", errFormat)
	}
	return appKey{application: app, keyID: file.App.Auth.KeyID, key: key}, nil
}

var errFormat = errors.New("not the form of a JWT application's configuration")

func readKey(text, passphrase string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	switch {
	case block == nil:
		return nil, fmt.Errorf("it is not PEM: %w", errFormat)
	case strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, fmt.Errorf("it is encrypted in the old way; make it PKCS8 with: openssl pkcs8 -topk8 -v2 aes256: %w", errFormat)
	case block.Type == "RSA PRIVATE KEY":
		key, err := jwt.ParseRSAPrivateKeyFromPEM([]byte(text))
		return key, err
	}
	var password []byte
	if strings.Contains(block.Type, "ENCRYPTED") {
		password = []byte(passphrase)
	}
	return pkcs8.ParsePKCS8PrivateKeyRSA(block.Bytes, password)
}

// audience is what assertions are for, whatever the address of the endpoint.
const audience = "https://api.box.com/oauth2/token"

// signed asks by a signed assertion.
func (c *client) signed(app appKey) *grant {
	var (
		mu   sync.Mutex
		skew time.Duration // of Box's clock against ours
	)
	return &grant{now: time.Now, ask: func(ctx context.Context) (string, time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		for corrected := false; ; corrected = true {
			assertion, err := app.assertion(time.Now().Add(skew))
			if err != nil {
				return "", 0, fmt.Errorf("%w: sign the assertion: %w", backends.ErrAuth, err)
			}
			answer, there, err := c.askToken(ctx, url.Values{
				"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
				"client_id":  {app.id}, "client_secret": {app.secret}, "assertion": {assertion},
			})
			if errors.Is(err, errGrant) && strings.Contains(answer.Description, "exp") && !there.IsZero() && !corrected {
				skew = time.Until(there)
				c.log.Warn("the clocks here and at Box differ", "by", skew.Round(time.Second))
				continue
			}
			return answer.AccessToken, time.Duration(answer.ExpiresIn) * time.Second, err
		}
	}}
}

// assertion is good once, and for less than the minute that Box allows.
func (a appKey) assertion(now time.Time) (string, error) {
	const lifetime = 45 * time.Second
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": a.id, "sub": a.subject.id, "box_sub_type": a.subject.kind, "aud": audience,
		"jti": uuid.NewString(), "exp": now.Add(lifetime).Unix(),
	})
	unsigned.Header["kid"] = a.keyID
	return unsigned.SignedString(a.key)
}
