package table

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestLawKeys(t *testing.T) {
	key := rapid.OneOf(
		rapid.Map(rapid.Uint64Range(0, 12), NumberedKey),
		rapid.SampledFrom([]Key{"", "#", "#07", "#x", "r1", "=", "\"", "a\nb", "\xff", "é", "#99999999999999999999"}))
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(key).Draw(t, "keys")
		keys := KeysOf(want...)
		if keys.Len() != len(want) {
			t.Fatalf("%d keys, want %d", keys.Len(), len(want))
		}
		for i := range want {
			if keys.At(i) != want[i] {
				t.Fatalf("key %d is %q, want %q", i, keys.At(i), want[i])
			}
		}
		var file bytes.Buffer
		n, err := keys.WriteTo(&file)
		if err != nil || n != int64(file.Len()) {
			t.Fatalf("WriteTo: %d, %v for %d bytes", n, err, file.Len())
		}
		read, err := ReadKeys(bytes.NewReader(file.Bytes()))
		if err != nil || !read.Equal(&keys) {
			t.Fatalf("ReadKeys of\n%s\n%v", file.Bytes(), err)
		}
		checkParts(t, want, keys)
		checkDamage(t, file.Bytes())
	})
}

// checkParts copies a part behind another and back; copies are independent.
func checkParts(t *rapid.T, want []Key, keys Keys) {
	i := rapid.IntRange(0, len(want)).Draw(t, "i")
	j := rapid.IntRange(i, len(want)).Draw(t, "j")
	part := keys
	part.AddAll(keys, i, j)
	other := keys
	other.Add("other")
	part.Add("part")
	wantPart := append(append(slices.Clone(want), want[i:j]...), "part")
	if got := allKeys(part); !slices.EqualFunc(got, wantPart, func(a string, b Key) bool { return a == string(b) }) {
		t.Fatalf("with keys %d to %d behind it: %q, want %q", i, j, got, wantPart)
	}
	if keys.Len() != len(want) || other.Len() != len(want)+1 || other.At(len(want)) != "other" {
		t.Fatal("a copy changed another one")
	}
	// A key is there once only in what find is for.
	first := KeysOf(firstOnes(want)...)
	found := map[Key]int{"#3": -1, "#99": -1, "r1": -1, "#x": -1}
	first.find(found)
	for key := range found {
		if wantAt := slices.Index(firstOnes(want), key); found[key] != wantAt {
			t.Fatalf("%q is found at %d, not at %d", key, found[key], wantAt)
		}
	}
	equal := 0
	for equal < len(want)-i && equal < len(want)-j && want[i+equal] == want[j+equal] {
		equal++
	}
	if got := commonKeys(&keys, i, &keys, j); got != equal {
		t.Fatalf("%d common keys from %d and %d on, want %d", got, i, j, equal)
	}
}

// firstOnes returns the keys without repeats.
func firstOnes(keys []Key) []Key {
	var once []Key
	for _, key := range keys {
		if !slices.Contains(once, key) {
			once = append(once, key)
		}
	}
	return once
}

// checkDamage changes or cuts off one byte of a file.
func checkDamage(t *rapid.T, file []byte) {
	at := rapid.IntRange(0, len(file)-1).Draw(t, "at")
	damaged := slices.Clone(file)
	damaged[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
	for _, bad := range [][]byte{damaged, file[:at], append(slices.Clone(file), '\n')} {
		if _, err := ReadKeys(bytes.NewReader(bad)); !errors.Is(err, ErrDamagedKeys) {
			t.Fatalf("a damaged file was accepted: %v\n%q\n%q", err, bad, file)
		}
	}
}

func TestKeysAreCompact(t *testing.T) {
	keys := Numbered(1, 1_000_000)
	keys.AddAll(Numbered(1_000_001, 5), 0, 5)
	keys.Add("#1000006")
	if len(keys.runs) != 1 || keys.At(1_000_005) != "#1000006" {
		t.Errorf("%d runs for a million numbered keys in a row", len(keys.runs))
	}
}
