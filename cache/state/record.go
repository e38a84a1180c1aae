package state

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is CRC-32C over kind, id and body, each preceded by its length so
// that no byte can move from one to the other.
func checksum(kind, id string, body []byte) uint32 {
	var sum uint32
	var length [4]byte
	add := func(part []byte) {
		binary.LittleEndian.PutUint32(length[:], uint32(len(part)))
		sum = crc32.Update(sum, castagnoli, length[:])
		sum = crc32.Update(sum, castagnoli, part)
	}
	add([]byte(kind))
	add([]byte(id))
	add(body)
	return sum
}

// stored is a record as it was read, not yet believed.
type stored struct {
	id   string
	body []byte
	crc  any // whatever stands in the column
}

func (s stored) good(kind string) bool {
	crc, ok := s.crc.(int64)
	return ok && s.body != nil && crc == int64(checksum(kind, s.id, s.body))
}

// decode answers the JSON of a record that is good.
func decode(key Key, body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("state record %s %q: %w", key.Kind, key.ID, err)
	}
	return nil
}

// meet notes a damaged record, keeps a copy of its bytes (once), and answers the
// error for it.
func (db *DB) meet(kind string, record stored) error {
	key := Key{kind, record.id}
	db.suspect = true
	err := fmt.Errorf("%w: record %s %q", ErrDamaged, key.Kind, key.ID)
	if db.damaged[key] {
		return err
	}
	db.damaged[key] = true
	db.found = append(db.found, key)
	path, saveErr := db.saveDamaged(key, record)
	if saveErr != nil {
		db.log.Error("a damaged record of the state could not be copied to lost+found",
			"kind", kind, "id", record.id, "err", saveErr)
	} else {
		db.log.Error("a record of the state is damaged and left out", "kind", kind, "id", record.id, "copy", path)
	}
	return err
}

// saveDamaged writes the raw record to lost+found. The name says what it holds,
// so the same damage met again makes no second file.
func (db *DB) saveDamaged(key Key, record stored) (string, error) {
	data, err := json.MarshalIndent(struct {
		Kind string
		ID   string
		CRC  any
		Body []byte
	}{key.Kind, key.ID, record.crc, record.body}, "", "  ")
	if err != nil {
		return "", err
	}
	dir := filepath.Join(db.opt.Dir, lostFound)
	if err := db.disk.MkdirAll("state:damaged/mkdir", dir, 0o700); err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("record.%08x.json", crc32.Checksum(data, castagnoli)))
	if _, err := db.disk.ReadFile("state:damaged/look", path); err == nil {
		return path, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return path, db.disk.WriteFile("state:damaged", path, data, 0o600)
}
