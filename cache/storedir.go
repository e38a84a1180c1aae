package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// StoreDir returns the directory of the store with that identity
// (backends.Properties.Identity) under a state directory. It need not exist.
func StoreDir(stateDir, identity string) string {
	hash := sha256.Sum256([]byte(identity))
	return filepath.Join(stateDir, "stores", hex.EncodeToString(hash[:]))
}
