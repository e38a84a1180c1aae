package integration

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
)

// The credentials of the tests: the mount's, and those of another client.
const (
	boxToken  = "test-token"
	peerToken = "peer-token"
)

// boxPeer is another client of Box: plain requests, none of the code under test.
type boxPeer struct {
	*emulator
	t     testing.TB
	token string
	http  *http.Client
}

// startBox starts the emulated Box.
func startBox(t testing.TB, flags ...string) *boxPeer {
	t.Helper()
	flags = append([]string{"--token", boxToken, "--token", peerToken}, flags...)
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	return &boxPeer{emulator: startEmulator(t, "box/csv", "127.0.0.1:0", flags...), t: t, token: peerToken, http: client}
}

// prepareBox prepares a mount of a Box.
func prepareBox(t testing.TB, box *boxPeer, options ...string) *mounted {
	t.Helper()
	m := prepare(t, "box/csv", append([]string{"api_url=http://" + box.Address, "write_back=200ms"}, options...)...)
	m.env = append(m.env, "BOX_DEVELOPER_TOKEN="+boxToken)
	return m
}

// useCredentials replaces the developer token by others.
func (m *mounted) useCredentials(env ...string) {
	m.env = slices.DeleteFunc(m.env, func(e string) bool { return strings.HasPrefix(e, "BOX_") })
	m.env = append(m.env, env...)
}

// jwtConfig makes the configuration of an application with an encrypted key, and
// the file of its public key.
func jwtConfig(t testing.TB) (config, publicKey string) {
	t.Helper()
	const bits = 2048
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte("sesame"), pkcs8.DefaultOpts)
	if err != nil {
		t.Fatal(err)
	}
	content, err := json.Marshal(map[string]any{"enterpriseID": "1", "boxAppSettings": map[string]any{
		"clientID": "test-client", "clientSecret": "test-secret", "appAuth": map[string]any{
			"publicKeyID": "test-key", "passphrase": "sesame",
			"privateKey": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: encrypted})),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ragasfs-jwt-") // t.TempDir may have a comma, which ends an option
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	config, publicKey = filepath.Join(dir, "config.json"), filepath.Join(dir, "public.pem")
	err = errors.Join(os.WriteFile(config, content, 0o600),
		os.WriteFile(publicKey, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return config, publicKey
}

// mountBox starts the emulated Box and mounts it.
func mountBox(t testing.TB, options ...string) (*mounted, *boxPeer) {
	t.Helper()
	box := startBox(t)
	m := prepareBox(t, box, options...)
	m.Mount()
	return m, box
}

// boxItem is a file or folder of the emulator's state.
type boxItem struct {
	Type, ID, Path, Content, SHA1 string
	Etag                          int
	Versions                      []struct {
		ID, SHA1 string
		Size     int
	}
}

// items are the files and folders by path.
func (b *boxPeer) items() map[string]boxItem {
	b.t.Helper()
	var state struct{ Items []boxItem }
	b.call(b.t, "GET", "/_emulator/state", nil, &state)
	items := map[string]boxItem{}
	for _, i := range state.Items {
		items[i.Path] = i
	}
	return items
}

// content is a file's content, and how many versions it has; 0: it is not there.
func (b *boxPeer) content(name string) (content string, versions int) {
	b.t.Helper()
	i := b.items()[name]
	return i.Content, len(i.Versions)
}

// tables are the contents of all files by path. A project without a file is
// PROJECT/.
func (b *boxPeer) tables() map[string]string {
	b.t.Helper()
	tables, items := map[string]string{}, b.items()
	for at, i := range items {
		if i.Type == "file" {
			tables[at] = i.Content
		}
	}
	for at := range items {
		holds := func(name string) bool { return strings.HasPrefix(name, at+"/") }
		if !strings.Contains(at, "/") && !slices.ContainsFunc(slices.Collect(maps.Keys(tables)), holds) {
			tables[at+"/"] = ""
		}
	}
	return tables
}

// seed implements seeder.
func (b *boxPeer) seed(t testing.TB, name, content string) {
	t.Helper()
	b.put(name, content)
}

// held implements seeder.
func (b *boxPeer) held(t testing.TB, name string) string {
	t.Helper()
	content, versions := b.content(name)
	if versions == 0 {
		t.Fatalf("Box has no %s", name)
	}
	return content
}

// demand demands a file with that content and number of versions.
func (b *boxPeer) demand(name, want string, versions int) {
	b.t.Helper()
	got, n := b.content(name)
	if got != want || n != versions {
		b.t.Errorf("Box has %.300q in %d versions, want %.300q in %d", got, n, want, versions)
	}
}

// boxCall is a request in the emulator's journal.
type boxCall struct {
	Method, Path, Query string
	Status              int
	RequestBytes        int64 `json:"request_bytes"`
}

// journal are the calls since it was cleared.
func (b *boxPeer) journal() []boxCall {
	b.t.Helper()
	var made []boxCall
	b.call(b.t, "GET", "/_emulator/calls", nil, &made)
	return made
}

func (b *boxPeer) clearJournal() {
	b.t.Helper()
	b.call(b.t, "DELETE", "/_emulator/calls", nil, nil)
}

// isUpload: it writes a content.
func (c boxCall) isUpload() bool {
	return c.Method == "POST" && (strings.HasSuffix(c.Path, "/content") || strings.HasSuffix(c.Path, "/commit"))
}

// isWaiting: it belongs to waiting for events.
func (c boxCall) isWaiting() bool {
	return strings.HasSuffix(c.Path, "/events") || c.Path == "/subscribe"
}

// uploads counts the uploads in the journal, and those of them that met a newer
// version.
func (b *boxPeer) uploads() (all, stale int) {
	b.t.Helper()
	for _, c := range b.journal() {
		if c.isUpload() {
			all++
			if c.Status == http.StatusPreconditionFailed {
				stale++
			}
		}
	}
	return all, stale
}

// knobs changes how the emulated Box behaves.
func (b *boxPeer) knobs(change map[string]any) {
	b.t.Helper()
	b.call(b.t, "POST", "/_emulator/options", change, nil)
}

// noFaults deletes all rules; what they hold up goes on.
func (b *boxPeer) noFaults() {
	b.t.Helper()
	b.call(b.t, "DELETE", "/_emulator/faults", nil, nil)
}

// advance sets the clock of the emulated Box forward.
func (b *boxPeer) advance(duration string) {
	b.t.Helper()
	b.call(b.t, "POST", "/_emulator/clock", map[string]string{"advance": duration}, nil)
}

// do sends a request of the Box API; header are pairs.
func (b *boxPeer) do(method, at, contentType string, body []byte, header ...string) (status int, answer []byte) {
	b.t.Helper()
	request, err := http.NewRequest(method, "http://"+b.Address+at, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := b.http.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to the end
	if answer, err = io.ReadAll(response.Body); err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, answer
}

// must is do with a JSON body where it must not fail; it returns the id of what
// was answered.
func (b *boxPeer) must(method, at string, body any) string {
	b.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	status, answer := b.do(method, at, "application/json", encoded)
	if status >= 300 {
		b.t.Fatalf("%s %s: %d %s", method, at, status, answer)
	}
	var made struct{ ID string }
	if len(answer) > 0 {
		if err := json.Unmarshal(answer, &made); err != nil {
			b.t.Fatalf("%s %s: %v", method, at, err)
		}
	}
	return made.ID
}

// id is the id of what is at a path.
func (b *boxPeer) id(name string) string {
	b.t.Helper()
	i, found := b.items()[name]
	if !found {
		b.t.Fatalf("Box has no %s", name)
	}
	return i.ID
}

// put gives a file a content: the next version of one that is there, or a new file
// in new folders.
func (b *boxPeer) put(name, content string) {
	b.t.Helper()
	items := b.items()
	if i, found := items[name]; found {
		if status, answer := b.upload("/api/2.0/files/"+i.ID+"/content", map[string]any{"name": path.Base(name)}, content); status >= 300 {
			b.t.Fatalf("new version of %s: %d %s", name, status, answer)
		}
		return
	}
	b.create(b.folder(items, path.Dir(name)), path.Base(name), content)
}

// create makes a file in a folder.
func (b *boxPeer) create(folder, name, content string) {
	b.t.Helper()
	about := map[string]any{"name": name, "parent": map[string]string{"id": folder}}
	if status, answer := b.upload("/api/2.0/files/content", about, content); status >= 300 {
		b.t.Fatalf("create %s: %d %s", name, status, answer)
	}
}

// folder finds or makes a folder.
func (b *boxPeer) folder(items map[string]boxItem, at string) string {
	b.t.Helper()
	if at == "." {
		return "0"
	}
	if i, found := items[at]; found {
		return i.ID
	}
	parent := b.folder(items, path.Dir(at))
	return b.must("POST", "/2.0/folders", map[string]any{"name": path.Base(at), "parent": map[string]string{"id": parent}})
}

func (b *boxPeer) upload(at string, about map[string]any, content string, header ...string) (status int, answer []byte) {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	attributes, err := json.Marshal(about)
	if err == nil {
		err = form.WriteField("attributes", string(attributes))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	file, err := form.CreateFormFile("file", "x")
	if err == nil {
		_, err = io.WriteString(file, content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do("POST", at, form.FormDataContentType(), body.Bytes(), header...)
}

// edit reads a file and writes what change makes of it, on the condition that
// nobody has written meanwhile: again until that succeeds.
func (b *boxPeer) edit(name string, change func(string) string) {
	b.t.Helper()
	for {
		i := b.items()[name]
		status, answer := b.upload("/api/2.0/files/"+i.ID+"/content", map[string]any{"name": path.Base(name)},
			change(i.Content), "If-Match", fmt.Sprint(i.Etag))
		switch {
		case status < 300:
			return
		case status != http.StatusPreconditionFailed:
			b.t.Fatalf("edit %s: %d %s", name, status, answer)
		}
	}
}

// rename renames a file or folder.
func (b *boxPeer) rename(at, name string) {
	b.t.Helper()
	i := b.items()[at]
	b.must("PUT", "/2.0/"+i.Type+"s/"+i.ID, map[string]string{"name": name})
}

// describe changes a file's description, and so its etag.
func (b *boxPeer) describe(at string) {
	b.t.Helper()
	b.must("PUT", "/2.0/files/"+b.id(at), map[string]string{"description": "seen"})
}

// trash deletes a file, or a folder with all that is in it.
func (b *boxPeer) trash(at string) {
	b.t.Helper()
	i := b.items()[at]
	if status, answer := b.do("DELETE", "/2.0/"+i.Type+"s/"+i.ID+"?recursive=true", "", nil); status >= 300 {
		b.t.Fatalf("delete %s: %d %s", at, status, answer)
	}
}

// promote makes the oldest version of a file the current one.
func (b *boxPeer) promote(at string) {
	b.t.Helper()
	i := b.items()[at]
	b.must("POST", "/2.0/files/"+i.ID+"/versions/current", map[string]string{"type": "file_version", "id": i.Versions[0].ID})
}

// someoneElse is a client with the account of the application.
func (b *boxPeer) someoneElse() *boxPeer {
	b.t.Helper()
	form := "grant_type=client_credentials&client_id=test-client&client_secret=test-secret&box_subject_type=enterprise&box_subject_id=1"
	status, answer := b.do("POST", "/oauth2/token", "application/x-www-form-urlencoded", []byte(form))
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &token); err != nil || token.AccessToken == "" {
		b.t.Fatalf("a token for the application: %d %s", status, answer)
	}
	other := *b
	other.token = token.AccessToken
	return &other
}
