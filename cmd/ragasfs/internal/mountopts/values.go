package mountopts

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

var errEmpty = errors.New("the value is empty")

// ParseDuration reads a duration as Go writes it ("1m30s"), or whole days ("7d").
// It is never negative.
func ParseDuration(text string) (time.Duration, error) {
	duration, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n int64
		n, err = strconv.ParseInt(days, 10, 64)
		if err == nil && n > int64(math.MaxInt64/(24*time.Hour)) {
			err = strconv.ErrRange
		}
		duration = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || duration < 0 {
		return 0, fmt.Errorf("%q is no duration such as 500ms, 2s, 5m, 7d", text)
	}
	return duration, nil
}

// setDuration: the zero value of a cache.Config field means its default, so that
// a zero that somebody asks for becomes the shortest time there is.
func setDuration(to *time.Duration, text string) error {
	duration, err := ParseDuration(text)
	if err != nil {
		return err
	}
	*to = max(duration, 1)
	return nil
}

// parseSize reads a number of bytes: digits and K, M, G or T (times 1024), with or
// without "B" or "iB".
func parseSize(text string) (int64, error) {
	digits := strings.TrimRight(text, "KMGTiBkmgtb")
	unit := strings.ToUpper(text[len(digits):])
	shift, ok := map[string]uint{
		"": 0, "B": 0, "K": 10, "KB": 10, "KIB": 10, "M": 20, "MB": 20, "MIB": 20,
		"G": 30, "GB": 30, "GIB": 30, "T": 40, "TB": 40, "TIB": 40,
	}[unit]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is no size such as 500M, 2G", text)
	}
	return n << shift, nil
}

// setSize: as with setDuration, zero becomes the smallest size there is.
func setSize(to *int64, text string) error {
	size, err := parseSize(text)
	if err != nil {
		return err
	}
	*to = max(size, 1)
	return nil
}

func setID(to **uint32, text string) error {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil || n == math.MaxUint32 { // that one means "none" to the kernel
		return fmt.Errorf("%q is no number of a user or group", text)
	}
	id := uint32(n)
	*to = &id
	return nil
}

func setMask(to **uint32, text string) error {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("%q is no octal number up to 777", text)
	}
	mask := uint32(n)
	*to = &mask
	return nil
}
