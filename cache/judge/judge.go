// Package judge decides what a save means: nothing, changes to send, something
// to hold, or no table at all. It is a function of what is on disk and what is
// known of the writer; it has no clock, no disk and no network of its own.
//
// The rules are sections 5 (CSV), 6 (what a save means, the guard) and 7
// (conflicts) of the product contract.
package judge

import (
	"io"
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// Arrival is what one load of the store brought in from elsewhere, numbered.
type Arrival struct {
	Number  int64
	Time    time.Time
	Changes table.Changes // from what was known before to what came
}

// Writer is what is known of the program that made a save.
type Writer struct {
	// InPlace: it wrote into existing bytes (not renamed in).
	InPlace bool
	// Synced: an fsync came after its last write.
	Synced bool
	// Killed: it died by a signal, or saw a write fail (guard e).
	Killed bool
}

// Guard is how much is held (-o guard).
type Guard uint8

// The guards. Rule (e) holds always.
const (
	GuardAuto Guard = iota
	GuardEmpty
	GuardOff
)

// Input is everything a verdict depends on.
type Input struct {
	// S, L, R: what file and store last agreed on; the bytes under the name; the
	// last content seen in the store. L.Keys is ignored. If R.Source == S.Source
	// nothing came in. S is nil-Source for a table that is new (L becomes its
	// first content); R likewise if the store has no such table.
	S, L, R table.Content
	// Reference is the last judged content of this table, with its keys, to align
	// L with (cache.md section 5): the same buffer saved twice aligns with itself.
	// Nil Source: align with S. Sources must be comparable (pointers).
	Reference table.Content

	// Later are the arrivals that are in S but that the writer of L did not know,
	// oldest first. A save that shows what they changed as it was before does not
	// undo them.
	Later []Arrival
	// Doubtful are arrivals of the last day of which it can't be known whether the
	// writer had read them (guard f).
	Doubtful []Arrival

	Form    backends.Form
	Columns []table.Column // row stores
	NewKey  func() table.Key
	Foreign func(id string) table.ForeignKey

	Writer    Writer
	Guard     Guard
	Confirmed bool // a person has confirmed this very content: no guard, its header is the table's
	Resolve   func(table.Conflict) table.Resolution
	// Parked are rows the store refused as they are: key -> hash of the cells
	// (HashCells). They are not sent again until they differ.
	Parked map[table.Key]uint64

	// SharedPrefix: S is the first that many bytes of L's file (growth); 0 unknown.
	SharedPrefix int64

	// Temp makes a place for an intermediate content (a base with later arrivals
	// put back). It is removed by the caller after the verdict is used.
	Temp func() (Temp, error)
}

// Temp is a temporary content: written once, then read.
type Temp interface {
	io.Writer
	Source() (table.Source, error) // flushes; no writes afterwards
}

// State is the kind of a verdict.
type State uint8

// The verdicts.
const (
	// Clean: L holds nothing that the store lacks (perhaps in another dialect or
	// order). Merged.Take may still hold what L lacks.
	Clean State = iota + 1
	// Invalid: not a table. Problem says why.
	Invalid
	// Held: readable, but nothing of it is sent until a person or a better save
	// decides. Rule and Reason say why.
	Held
	// Send: there is something to send.
	Send
	// Stuck: nothing to send now, but L holds what the store lacks: cells in
	// conflict, or rows that the store has refused as they are.
	Stuck
)

// Verdict is what a save means.
type Verdict struct {
	State   State
	Problem *table.Problem
	// Rule is 'a' to 'f' for Held; 0 if not the guard holds it but R, which is no
	// table that could be merged.
	Rule byte
	// Reason says to people why it is held: a sentence without the command that
	// settles it, which the caller adds, because it knows the path.
	Reason string

	// Merged holds what goes out (Send), what comes in (Take), what a document
	// store gets (Document) and what is in conflict.
	Merged table.Merged
	// Agreed leads from R to what file and store agree on when R is taken in: S
	// becomes Apply(R, Agreed), L becomes Apply(L, Merged.Take). It is empty but
	// for cells in conflict that are not sent: S must have in them what was there
	// before, or the next verdict would take ours for an edit of theirs and send
	// it. (A push moves S by what was sent, not by what came in: Apply(S, Send);
	// that, too, leaves such cells as they were.)
	Agreed table.Changes
	// Parked are the changes of Merged.Send that were left out because the store
	// has refused them as they are.
	Parked []table.Change
	// Keys of L's records: the reference for the next save.
	Keys table.Keys
	// Dialect of L, in which merged contents are written.
	Dialect table.Dialect
	Header  []string // of L, data columns
	// Exact: what the store holds after Merged.Send is L byte for byte (document
	// store), or row for row (row store): S may then simply become L.
	Exact bool
	// BytesDiffer: L and S (without Later) differ in bytes; with State Clean a document store is
	// sent the document all the same (dialect or order only, no row counted).
	BytesDiffer bool
	Warnings    []string // ignored columns, ...
}

// Judge returns the verdict. The error is a read error, never a verdict.
func Judge(in Input) (*Verdict, error) { return judgeInput(in) }

// HashCells is the hash by which a parked row is known: of Change.After as it
// was sent. It is the same in all versions of this program.
func HashCells(cells []string) uint64 { return hashCells(cells) }
