package cache

import (
	"fmt"
	"hash/crc32"
	"strings"
	"unicode"
	"unicode/utf8"
)

// longestName is what a name may have in bytes: 255 with ".csv".
const longestName = 255 - len(".csv")

// shorten leaves room for an id, and cuts no character and no %XX in two.
func shorten(shown string) string {
	const room = 100
	shown = shown[:longestName-room]
	for !utf8.ValidString(shown) {
		shown = shown[:len(shown)-1]
	}
	if i := strings.LastIndexByte(shown, '%'); i >= len(shown)-2 && i >= 0 {
		shown = shown[:i]
	}
	return shown
}

// freeName is the shown name of a store's name: encoded where it is no valid
// file name, with the id behind where it is taken (by a table of the store, or by
// one that was renamed here and not yet there).
func freeName(name, id string, taken func(string) bool) string {
	shown := encodeName(name)
	if long := len(shown) > longestName; !long && !taken(shown) {
		return shown
	} else if long {
		shown = shorten(shown)
		if id == "" {
			id = fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(name)))
		}
	}
	if id != "" {
		shown = fmt.Sprintf("%s (%s)", shown, encodeName(id))
	}
	free := shown
	for n := 2; taken(free); n++ {
		free = fmt.Sprintf("%s (%d)", shown, n)
	}
	return free
}

// encodeName percent-encodes what a file name here can't hold.
func encodeName(name string) string {
	var b strings.Builder
	for i, r := range name {
		n := utf8.RuneLen(r)
		bad := r == '/' || r == '\\' || !unicode.IsPrint(r) || r == utf8.RuneError ||
			i == 0 && strings.ContainsRune(".~# ", r) || r == ' ' && i == len(name)-1
		if !bad {
			b.WriteRune(r)
			continue
		}
		if r == utf8.RuneError {
			n = 1
		}
		for _, x := range []byte(name[i : i+max(n, 1)]) {
			fmt.Fprintf(&b, "%%%02X", x)
		}
	}
	if b.Len() == 0 {
		return "%"
	}
	return b.String()
}
