package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A developer token that expires: the state is auth, what is cached can be read
// and edited, and a new token in token_file goes on without loss.
func TestBoxTokenExpires(t *testing.T) {
	t.Parallel()
	box := startBox(t, "--token-ttl", "10m")
	box.put(boxTable, faultBase)
	file := filepath.Join(t.TempDir(), "token")
	writeToken := func(token string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	writeToken(boxToken)
	m := prepareBox(t, box, "token_file="+file)
	m.useCredentials()
	m.Mount()
	m.Read(boxTable)
	box.advance("11m")
	m.Write(boxTable, faultOurs)
	eventually(t, "the state is auth", func() bool { return m.Status().State == "auth" })
	if got := m.Read(boxTable); got != faultOurs {
		t.Errorf("the file is %q", got)
	}
	m.Sh("sed -i 's/c,3/c,also/' " + boxTable)
	if r := m.Run("flush", "--timeout", "2s", m.Dir); r.Code != 3 {
		t.Errorf("flush: exit code %d, want 3\n%s", r.Code, r.Err)
	}
	text := m.Run("status", m.Dir).Out + m.Run("status", "--json", m.Dir).Out
	log, err := os.ReadFile(m.Log)
	if err != nil || strings.Contains(text+string(log), boxToken) {
		t.Errorf("the token is in the status or in the log (%v)", err)
	}

	box.call(t, "POST", "/_emulator/tokens", map[string]any{"add": []string{"new-token"}}, nil)
	writeToken("new-token")
	if r := m.Run("refresh", m.Dir); r.Code != 0 {
		t.Errorf("refresh with the new token: exit code %d, %s", r.Code, r.Err)
	}
	eventually(t, "the state is online", func() bool { return m.Status().State == "online" })
	m.Flush()
	box.token = "new-token"
	box.demand(boxTable, strings.Replace(faultOurs, "c,3", "c,also", 1), 2)
	box.put(boxTable, faultBase)
	eventually(t, "what others do is seen again", func() bool { return m.Read(boxTable) == faultBase })
	m.Unmount()
}

// The other ways to authorise: an application with a secret or a key, as itself
// or as a user; tokens that expire are renewed.
func TestBoxGrants(t *testing.T) {
	t.Parallel()
	config, publicKey := jwtConfig(t)
	user := append([]string{"BOX_USER_ID=2"}, grants[:2]...)
	for name, test := range map[string]struct {
		env     []string
		options []string
	}{
		"client credentials":           {env: grants},
		"client credentials of a user": {env: user},
		"as a user":                    {env: grants, options: []string{"as_user=2"}},
		"a signed assertion":           {options: []string{"config_file=" + config}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			box := startBox(t, "--token-ttl", "1h", "--jwt-public-key", publicKey)
			box.put(boxTable, faultBase)
			m := prepareBox(t, box, test.options...)
			m.useCredentials(test.env...)
			m.Mount()
			if got := m.Read(boxTable); got != faultBase {
				t.Errorf("the file is %q", got)
			}
			box.call(t, "POST", "/_emulator/tokens", map[string]any{"revoke_all": true, "add": []string{peerToken}}, nil)
			m.Write(boxTable, faultOurs)
			m.Flush()
			box.demand(boxTable, faultOurs, 2)
			log, err := os.ReadFile(m.Log)
			if err != nil || strings.Contains(string(log), "test-secret") || strings.Contains(string(log), "access-") {
				t.Errorf("a secret is in the log (%v)", err)
			}
			m.Remount()
			if got := m.Read(boxTable); got != faultOurs {
				t.Errorf("the file is %q", got)
			}
		})
	}
}

// Without credentials, or with wrong ones, the mount says what is missing.
func TestBoxNoCredentials(t *testing.T) {
	t.Parallel()
	box := startBox(t)
	m := prepareBox(t, box)
	m.useCredentials()
	if r := m.TryMount(); r.Code == 0 || !strings.Contains(r.Err, "BOX_DEVELOPER_TOKEN") {
		t.Errorf("without credentials: exit code %d, %s", r.Code, r.Err)
	}
	m.useCredentials("BOX_DEVELOPER_TOKEN=wrong-token")
	if r := m.TryMount(); r.Code != 1 || !strings.Contains(r.Err, "not authorised") || strings.Contains(r.Err, "wrong-token") {
		t.Errorf("with a wrong token: exit code %d, %s", r.Code, r.Err)
	}
}

// A Box that is away: the mount goes on from the cache, and nothing looks as if it
// were empty. F23: a Box without an address is said so.
func TestBoxAway(t *testing.T) {
	t.Parallel()
	box := startBox(t)
	box.put(boxTable, faultBase)
	m := prepareBox(t, box, "timeout=2s")
	m.Mount()
	m.Read(boxTable)
	m.Unmount()
	box.Stop()
	m.Mount()
	if got := m.Read(boxTable); got != faultBase {
		t.Errorf("the file is %q", got)
	}
	m.Write(boxTable, faultOurs)
	eventually(t, "the state is offline", func() bool { return m.Status().State == "offline" })

	nowhere := prepare(t, "box/csv", "api_url=http://nowhere.invalid", "timeout=2s")
	nowhere.env = append(nowhere.env, "BOX_DEVELOPER_TOKEN="+boxToken)
	if r := nowhere.TryMount(); r.Code != 1 || !strings.Contains(r.Err, "nowhere.invalid") {
		t.Errorf("a first mount: exit code %d, %s", r.Code, r.Err)
	}
}
