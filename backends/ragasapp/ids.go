package ragasapp

import (
	"math/big"

	"github.com/google/uuid"
)

// newID returns an id as Ragas makes them for columns and rows: the first 12
// base62 digits of a random UUID.
func newID() string {
	const (
		alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		size     = 12
	)
	u := uuid.New()
	n := new(big.Int).SetBytes(u[:])
	base, digit := big.NewInt(int64(len(alphabet))), new(big.Int)
	var digits []byte
	for n.Sign() > 0 {
		n.DivMod(n, base, digit)
		digits = append(digits, alphabet[digit.Int64()])
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 { // the most significant first
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(digits[:size]) // a UUID has 122 bits that may be set, and 4 that are: at least 20 digits
}
