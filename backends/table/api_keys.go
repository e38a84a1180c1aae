package table

import "io"

// Keys are the keys of a content's records, one for each record in order,
// run-length encoded: numbered keys ("#7", "#8", ...) in runs, ids one by one.
// The zero value is no record. A Keys value may be read from several goroutines
// while nothing is added.
type Keys struct{ keys }

// Numbered returns n numbered keys from first on.
func Numbered(first uint64, n int) Keys { return numbered(first, n) }

// KeysOf returns the given keys.
func KeysOf(ids ...Key) Keys { return keysOf(ids...) }

// Len returns the number of keys.
func (k *Keys) Len() int { return k.length() }

// At returns key i, in at most logarithmic time.
func (k *Keys) At(i int) Key { return k.at(i) }

// Add appends one key.
func (k *Keys) Add(key Key) { k.add(key) }

// AddAll appends keys i to j of other.
func (k *Keys) AddAll(other Keys, i, j int) { k.addAll(other, i, j) }

// WriteTo writes the keys as text (a gN.ids file); ReadKeys reads it back and
// fails on a damaged one (the last line holds a checksum).
func (k *Keys) WriteTo(w io.Writer) (int64, error) { return k.writeTo(w) }

// ReadKeys reads what WriteTo wrote.
func ReadKeys(r io.Reader) (Keys, error) { return readKeys(r) }
