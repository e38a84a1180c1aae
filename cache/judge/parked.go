package judge

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/ragasfs/ragasfs/backends/table"
)

// park takes the rows out of send that the store has refused as they are. In a
// document store there are none: a document is taken or refused as a whole.
func (j *judgment) park(send *table.Changes) []table.Change {
	if !j.rowStore() || len(j.in.Parked) == 0 {
		return nil
	}
	var parked, rest []table.Change
	for _, change := range send.Rows {
		if hash, ok := j.in.Parked[change.Key]; ok && hash == hashCells(change.After) {
			parked = append(parked, change)
		} else {
			rest = append(rest, change)
		}
	}
	send.Rows = rest
	return parked
}

func hashCells(cells []string) uint64 {
	hash := sha256.New()
	var length [8]byte
	for _, c := range cells {
		binary.LittleEndian.PutUint64(length[:], uint64(len(c)))
		hash.Write(length[:])
		hash.Write([]byte(c))
	}
	return binary.LittleEndian.Uint64(hash.Sum(nil))
}
