// Package store is the directory of one store on disk: where its parts are, who
// it is, and who holds it.
//
//	STATE/version               the version of this layout
//	STATE/stores/HASH/          one store; HASH is sha256 of its identity
//	    identity.json           the identity in clear and how it was mounted last
//	    lock                    flock; names the holder
//	    sock                    control socket
//	    state.db reserve        see package state
//	    t/TID/                  content of tables
//	    scratch/ history/ lost+found/
//
// What may not live here: what is in those parts.
package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ragasfs/ragasfs/cache/disk"
)

// version is that of the layout above; state.db has its own.
const version = 1

// ErrNewer means that the state directory was written by a newer version.
var ErrNewer = errors.New("state directory written by a newer version")

// Dir is the directory of one store, as a path.
type Dir string

// DirOf is where the store with that identity is, or would be.
func DirOf(stateDir, identity string) Dir {
	sum := sha256.Sum256([]byte(identity))
	return Dir(filepath.Join(stateDir, "stores", hex.EncodeToString(sum[:])))
}

func (d Dir) join(name string) string { return filepath.Join(string(d), name) }

// T is the directory of the content of one table.
func (d Dir) T(tid string) string { return filepath.Join(d.Tables(), tid) }

// Tables is the directory of those of all tables.
func (d Dir) Tables() string { return d.join("t") }

// Scratch is the tree of files that are no tables.
func (d Dir) Scratch() string { return d.join("scratch") }

// History is the tree of contents that were replaced.
func (d Dir) History() string { return d.join("history") }

// LostFound is where damaged things go.
func (d Dir) LostFound() string { return d.join("lost+found") }

// Sock is the control socket.
func (d Dir) Sock() string { return d.join("sock") }

func (d Dir) lock() string     { return d.join("lock") }
func (d Dir) identity() string { return d.join("identity.json") }

// Info is identity.json: enough to say which store this is, and to mount it
// again. No secrets.
type Info struct {
	Identity   string            `json:"identity"`   // of the store, in clear
	Backend    string            `json:"backend"`    // registry name
	Place      string            `json:"place"`      // for people: a directory, a folder, an account
	Options    map[string]string `json:"options"`    // with which it was mounted last, without secrets
	Mountpoint string            `json:"mountpoint"` // where it was mounted last
}

// ReadInfo reads identity.json. fs.ErrNotExist if there is none.
func ReadInfo(dir Dir) (Info, error) {
	data, err := os.ReadFile(dir.identity())
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(data, &info); err != nil {
		return Info{}, fmt.Errorf("%s: %w", dir.identity(), err)
	}
	return info, nil
}

// writeInfo replaces identity.json. One that can't be read, or is of another
// store, goes to lost+found first.
func writeInfo(d *disk.FS, dir Dir, info Info) error {
	old, err := ReadInfo(dir)
	if !errors.Is(err, fs.ErrNotExist) && (err != nil || old.Identity != info.Identity) {
		if _, err := d.Quarantine("store:identity/damaged", dir.identity(), dir.LostFound()); err != nil {
			return err
		}
	}
	data, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	return d.WriteFile("store:identity", dir.identity(), append(data, '\n'), 0o600)
}

// Check refuses a state directory of a newer version (ErrNewer). It changes
// nothing; a directory that is not there, or new, is fine.
func Check(stateDir string) error {
	_, err := readVersion(stateDir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, strconv.ErrSyntax) {
		return nil
	}
	return err
}

// readVersion reads STATE/version: fs.ErrNotExist, strconv.ErrSyntax (damaged),
// ErrNewer.
func readVersion(stateDir string) (int, error) {
	path := filepath.Join(stateDir, "version")
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s: %w", path, strconv.ErrSyntax)
	}
	if n > version {
		return 0, fmt.Errorf("%w: %s says %d, this ragasfs knows %d; use the newer ragasfs", ErrNewer, path, n, version)
	}
	return n, nil
}

// Create makes the state directory (0700) with its version, and that of the
// store in it with all its parts, as far as they are missing. A state directory
// that exists keeps its mode.
func Create(d *disk.FS, stateDir, identity string) (Dir, error) {
	if err := d.MkdirAll("store:create", stateDir, 0o700); err != nil {
		return "", err
	}
	if err := ensureVersion(d, stateDir); err != nil {
		return "", err
	}
	dir := DirOf(stateDir, identity)
	for _, path := range []string{dir.Tables(), dir.History(), dir.LostFound()} {
		if err := d.MkdirAll("store:create", path, 0o700); err != nil {
			return "", err
		}
	}
	// Its mode is what the root of the mount shows; others can't come here by the
	// state directory.
	if err := d.MkdirAll("store:create", dir.Scratch(), 0o755); err != nil {
		return "", err
	}
	for _, path := range []string{string(dir), filepath.Dir(string(dir)), stateDir, filepath.Dir(stateDir)} {
		if err := d.SyncDir("store:create", path); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// ensureVersion writes the version where there is none. A damaged one says
// nothing and goes to lost+found: every state.db has its own.
func ensureVersion(d *disk.FS, stateDir string) error {
	path := filepath.Join(stateDir, "version")
	_, err := readVersion(stateDir)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		if _, err := d.Quarantine("store:version/damaged", path, filepath.Join(stateDir, "lost+found")); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return d.WriteFile("store:version", path, fmt.Appendf(nil, "%d\n", version), 0o600)
}
