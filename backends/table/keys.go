package table

import (
	"slices"
	"sort"
	"strconv"
)

// Keys are the keys of a content's records, one for each record in order,
// run-length encoded: numbered keys ("#7", "#8", ...) in runs, ids one by one.
// The zero value is no record. A Keys value may be read from several goroutines
// while nothing is added. Copies are independent of each other.
type Keys struct {
	runs []keyRun
	ids  []Key
	n    int
	// owner is the value that runs and ids were made for. A copy notices that it
	// is none and clones both before it adds.
	owner *Keys
}

// keyRun is a number of keys in a row; it ends where the next run starts.
type keyRun struct {
	start int // number of the record of its first key
	// first is the number in the first key ("#first"), or, if the run is not
	// numbered, the place of the first key in Keys.ids.
	first    uint64
	numbered bool
}

// Numbered returns n numbered keys from first on.
func Numbered(first uint64, n int) Keys {
	var k Keys
	k.addRun(keyRun{first: first, numbered: true}, n)
	return k
}

// NumberedKey returns the key "#n".
func NumberedKey(n uint64) Key {
	var digits [21]byte
	return Key(strconv.AppendUint(append(digits[:0], '#'), n, 10))
}

// keyNumber returns n for exactly what NumberedKey(n) returns.
func keyNumber(key Key) (n uint64, ok bool) {
	if len(key) < 2 || len(key) > 20 || key[0] != '#' || key[1] == '0' && len(key) > 2 {
		return 0, false
	}
	for _, c := range []byte(key[1:]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0') // 19 digits fit
	}
	return n, true
}

// KeysOf returns the given keys.
func KeysOf(ids ...Key) Keys {
	var k Keys
	for _, id := range ids {
		k.Add(id)
	}
	return k
}

// Len returns the number of keys.
func (k *Keys) Len() int { return k.n }

// At returns key i, in at most logarithmic time.
func (k *Keys) At(i int) Key {
	run := k.runs[k.runOf(i)]
	offset := run.first + uint64(i-run.start)
	if run.numbered {
		return NumberedKey(offset)
	}
	return k.ids[offset]
}

// runOf returns the index of the run that holds key i.
func (k *Keys) runOf(i int) int {
	if i < 0 || i >= k.n {
		panic("table: key " + strconv.Itoa(i) + " of " + strconv.Itoa(k.n))
	}
	return sort.Search(len(k.runs), func(r int) bool { return k.runs[r].start > i }) - 1
}

// runEnd returns the number behind the last key of run r.
func (k *Keys) runEnd(r int) int {
	if r+1 < len(k.runs) {
		return k.runs[r+1].start
	}
	return k.n
}

// Add appends one key.
func (k *Keys) Add(key Key) {
	if number, ok := keyNumber(key); ok {
		k.addRun(keyRun{first: number, numbered: true}, 1)
		return
	}
	k.own()
	k.ids = append(k.ids, key)
	k.addRun(keyRun{first: uint64(len(k.ids) - 1)}, 1)
}

// AddAll appends keys i to j (not included) of other.
func (k *Keys) AddAll(other Keys, i, j int) {
	if i >= j {
		return
	}
	k.own()
	for r := other.runOf(i); i < j; r++ {
		run, end := other.runs[r], min(j, other.runEnd(r))
		first := run.first + uint64(i-run.start)
		if run.numbered {
			k.addRun(keyRun{first: first, numbered: true}, end-i)
		} else {
			at := uint64(len(k.ids))
			k.ids = append(k.ids, other.ids[first:first+uint64(end-i)]...)
			k.addRun(keyRun{first: at}, end-i)
		}
		i = end
	}
}

// Equal reports whether both hold the same keys in the same order.
func (k *Keys) Equal(other *Keys) bool {
	return k.n == other.n && commonKeys(k, 0, other, 0) == k.n
}

// commonKeys returns how many keys are equal, from a's key i and b's key j on.
func commonKeys(a *Keys, i int, b *Keys, j int) int {
	n := min(a.n-i, b.n-j)
	for done := 0; done < n; {
		ra, rb := a.runOf(i+done), b.runOf(j+done)
		runA, runB := a.runs[ra], b.runs[rb]
		part := min(n-done, a.runEnd(ra)-i-done, b.runEnd(rb)-j-done)
		firstA := runA.first + uint64(i+done-runA.start)
		firstB := runB.first + uint64(j+done-runB.start)
		switch {
		case runA.numbered != runB.numbered || runA.numbered && firstA != firstB:
			return done
		case !runA.numbered:
			for k := range uint64(part) {
				if a.ids[firstA+k] != b.ids[firstB+k] {
					return done + int(k)
				}
			}
		}
		done += part
	}
	return max(n, 0)
}

// eachIn calls see for the keys from i to j (not included).
func (k *Keys) eachIn(i, j int, see func(i int, key Key)) {
	for ; i < j; i++ {
		see(i, k.At(i))
	}
}

// find sets at[key] to the number of the record of each key in at that is there.
func (k *Keys) find(at map[Key]int) {
	numbers := make(map[uint64]Key)
	for key := range at {
		if n, ok := keyNumber(key); ok {
			numbers[n] = key
		}
	}
	for r, run := range k.runs {
		n := uint64(k.runEnd(r) - run.start)
		switch {
		case !run.numbered:
			for i, id := range k.ids[run.first : run.first+n] {
				if _, wanted := at[id]; wanted {
					at[id] = run.start + i
				}
			}
		case n <= uint64(len(numbers)):
			for i := range n {
				if key, wanted := numbers[run.first+i]; wanted {
					at[key] = run.start + int(i)
				}
			}
		default: // fewer are wanted than there are in the run
			for number, key := range numbers {
				if number >= run.first && number-run.first < n {
					at[key] = run.start + int(number-run.first)
				}
			}
		}
	}
}

// addRun appends n keys, to the last run if they continue it.
func (k *Keys) addRun(run keyRun, n int) {
	if n <= 0 {
		return
	}
	k.own()
	if len(k.runs) > 0 {
		last := k.runs[len(k.runs)-1]
		if last.numbered == run.numbered && last.first+uint64(k.n-last.start) == run.first {
			k.n += n
			return
		}
	}
	run.start = k.n
	k.runs = append(k.runs, run)
	k.n += n
}

// expect makes room for n more runs at once.
func (k *Keys) expect(n int) {
	k.own()
	k.runs = slices.Grow(k.runs, n)
}

// own makes sure that no copy of k shares what is about to be appended to.
func (k *Keys) own() {
	if k.owner != k {
		k.runs, k.ids = slices.Clone(k.runs), slices.Clone(k.ids)
		k.owner = k
	}
}
