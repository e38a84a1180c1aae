package boxcsv

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/youmark/pkcs8"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/integration/emulator/boxservice"
	"github.com/ragasfs/ragasfs/integration/emulator/faults"
)

func tokenCalls(service *boxservice.Service) int {
	n := 0
	for _, c := range service.Calls() {
		if strings.HasSuffix(c.Path, "/oauth2/token") {
			n++
		}
	}
	return n
}

func openWith(t *testing.T, address string, options, env map[string]string) (backends.Opened, error) {
	t.Helper()
	options["api_url"] = address
	opened, err := Factory().Open(t.Context(), backends.Config{Options: options, Getenv: func(name string) string { return env[name] }})
	if err == nil {
		t.Cleanup(func() {
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return opened, err
}

func TestDeveloperToken(t *testing.T) {
	_, address := startBox(t, boxservice.Options{})
	opened, err := openWith(t, address, map[string]string{}, map[string]string{envToken: testToken})
	if err != nil || opened.Properties.Place == "" {
		t.Fatalf("place %q, error %v", opened.Properties.Place, err)
	}
	if strings.Contains(opened.Properties.Identity+opened.Properties.Place, testToken) {
		t.Error("the token is in the identity")
	}
	_, err = openWith(t, address, map[string]string{}, map[string]string{})
	if !errors.Is(err, backends.ErrOption) || !strings.Contains(err.Error(), envToken) {
		t.Errorf("without credentials: %v", err)
	}
}

// A token that expires is replaced in its file, while the store is open.
func TestTokenFile(t *testing.T) {
	service, address := startBox(t, boxservice.Options{Tokens: []string{"first", "second"}})
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("first")
	opened, err := openWith(t, address, map[string]string{"token_file": file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	service.RevokeTokens("first")
	if _, err := opened.Backend.List(t.Context(), backends.Ref{}); !errors.Is(err, backends.ErrAuth) {
		t.Errorf("error %v, want not authorised", err)
	}
	write("second")
	if _, err := opened.Backend.List(t.Context(), backends.Ref{}); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}

func credentials() map[string]string {
	return map[string]string{envClientID: "test-client", envSecret: "test-secret", envEnterprise: "1"}
}

// F11: many callers whose token was refused ask for one new one.
func TestClientCredentials(t *testing.T) {
	service, address := startBox(t, boxservice.Options{})
	opened, err := openWith(t, address, map[string]string{}, credentials())
	if err != nil {
		t.Fatal(err)
	}
	if n := tokenCalls(service); n != 1 {
		t.Errorf("%d calls for a token, want 1", n)
	}
	service.RevokeTokens()
	if err := service.Add(faults.Rule{Path: "/oauth2/token", Action: faults.Stall, Delay: faults.Duration(50 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := opened.Backend.List(t.Context(), backends.Ref{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := tokenCalls(service); n > 5 { // one, but for those whose request was under way
		t.Errorf("%d calls for a token", n)
	}
}

// F11: a token that is always refused is asked for twice, not for ever.
func TestAlwaysUnauthorised(t *testing.T) {
	service, address := startBox(t, boxservice.Options{})
	opened, err := openWith(t, address, map[string]string{}, credentials())
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Add(faults.Rule{Path: "/folders/", Action: faults.Status, Status: http.StatusUnauthorized}); err != nil {
		t.Fatal(err)
	}
	if _, err := opened.Backend.List(t.Context(), backends.Ref{}); !errors.Is(err, backends.ErrAuth) {
		t.Errorf("error %v, want not authorised", err)
	}
	if n := tokenCalls(service); n != 2 {
		t.Errorf("%d calls for a token, want 2", n)
	}
}

// A bad secret is said, and is not in the words.
func TestBadClientSecret(t *testing.T) {
	_, address := startBox(t, boxservice.Options{})
	env := credentials()
	env[envSecret] = "wrong-secret"
	opened, err := openWith(t, address, map[string]string{}, env)
	if err != nil {
		t.Fatal(err) // a mount goes on from the cache
	}
	_, err = opened.Backend.List(t.Context(), backends.Ref{})
	if !errors.Is(err, backends.ErrAuth) || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("error %v", err)
	}
}

// F13: assertions are signed with an encrypted key; a clock that is wrong by
// ten minutes is corrected.
func TestJWT(t *testing.T) {
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("sesame"), pkcs8.DefaultOpts)
	if err != nil {
		t.Fatal(err)
	}
	config := map[string]any{"enterpriseID": "1", "boxAppSettings": map[string]any{
		"clientID": "test-client", "clientSecret": "test-secret", "appAuth": map[string]any{
			"publicKeyID": "test-key", "passphrase": "sesame",
			"privateKey": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted})),
		},
	}}
	content, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, ahead := range map[string]time.Duration{"clock right": 0, "clock behind": 10 * time.Minute, "clock ahead": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			service, address := startBox(t, boxservice.Options{PublicKey: &key.PublicKey})
			service.Advance(ahead)
			opened, err := openWith(t, address, map[string]string{"config_file": file}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := opened.Backend.List(t.Context(), backends.Ref{}); err != nil {
				t.Errorf("error %v", err)
			}
			if opened.Properties.Place != "account:service-1/folder:0" {
				t.Errorf("place %q", opened.Properties.Place)
			}
		})
	}
	if err := os.WriteFile(file, []byte(`{"clientSecret": "hidden`), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openWith(t, "http://127.0.0.1:1", map[string]string{"config_file": file}, nil)
	if !errors.Is(err, backends.ErrOption) || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a bad file: %v", err)
	}
}
