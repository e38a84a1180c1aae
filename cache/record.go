package cache

import (
	"time"

	"github.com/ragasfs/ragasfs/backends"
	"github.com/ragasfs/ragasfs/backends/table"
)

// The kinds of records in state.db.
const (
	kindTable    = "table"    // id: table id; body: record
	kindProject  = "project"  // id: shown name; body: projectRecord
	kindArrival  = "arrival"  // id: table id / number; body: arrivalRecord
	kindWriter   = "writer"   // id: table id / process; body: []knowledge
	kindIntent   = "intent"   // id: table id; body: intent
	kindSent     = "sent"     // id: table id / push /; body: sentHead. id: table id / push / number; body: one table.Change of it
	kindConflict = "conflict" // id: table id / number; body: conflictRecord
	kindParked   = "parked"   // id: table id / number; body: parkedRecord
	kindHistory  = "history"  // id: path of the file below history/; body: historyRecord
	kindOrigin   = "origin"   // id: identity of a scratch file; body: origin
	kindStore    = "store"    // id: "place", ...
)

// content names bytes on disk: the first Len bytes of generation Gen of a
// table, t/TID/gN.csv. The zero value is no content.
type content struct {
	Gen uint64 `json:",omitempty"`
	Len int64  `json:",omitempty"`
	// Keys is the number of the file of its keys, t/TID/kN.ids; 0: not known yet.
	Keys uint64 `json:",omitempty"`
	Rows int64  `json:",omitempty"` // number of records; meaningful with Keys
	// Arrival is the last arrival that is in this content.
	Arrival int64 `json:",omitempty"`
	// Sum is of the bytes; not of those of L, which programs write.
	Sum checksum `json:",omitempty"`
	// Loaded: it is as the store gives it. (A row store has its rows only.)
	Loaded bool `json:",omitempty"`
}

func (c content) none() bool { return c.Gen == 0 }

// same reports whether both name the same bytes.
func (c content) same(d content) bool { return c.Gen == d.Gen && c.Len == d.Len }

// How a save came about.
type saveHow string

const (
	byGrowth  saveHow = "growth"    // bytes were added behind the last agreed ones
	inPlace   saveHow = "in place"  // existing bytes were written
	byRename  saveHow = "rename"    // a file was renamed onto the name
	byMachine saveHow = "recovered" // found after an unclean end: the writer is not known
	byRestore saveHow = "restore"   // confirm, discard, restore: a person's decision
)

// save is what is known of the bytes in L and of who wrote them.
type save struct {
	Seq   uint64 // counts saves of this table; 0: never saved here
	Len   int64
	Mtime int64 // ns; with Ctime and Len this is how a change is noticed
	Ctime int64
	How   saveHow   `json:",omitempty"`
	Time  time.Time // when it was noticed
	// Known is the last arrival that the writer had read. Doubt is the first
	// arrival of which it can't be known (0: none): the writer never opened the
	// table, or opened it both before and after that arrival.
	Known  int64 `json:",omitempty"`
	Doubt  int64 `json:",omitempty"`
	Synced bool  `json:",omitempty"` // an fsync came after its last write
	// Open: it was noted while its writer was still at it; nobody was told yet that
	// it is saved.
	Open bool `json:",omitempty"`
	// Torn: found after an unclean end with a last record that is not complete.
	Torn   bool `json:",omitempty"`
	Killed bool `json:",omitempty"` // the writer died by a signal or saw a write fail
}

// decision is what Judge said of a save that is not sent.
type decision struct {
	State  string // "held", "invalid"
	Seq    uint64 // of the save it was made for
	Rule   string `json:",omitempty"`
	Reason string
	Since  time.Time
	// Known only for held table operations, which have no save.
	Op string `json:",omitempty"` // "create", "delete"
	// Counted: record.Pending is what the save would send.
	Counted bool `json:",omitempty"`
}

// gone says that a table's name is not there at the moment.
type gone struct {
	Since time.Time
	// Renamed: the file was renamed away to a scratch name. Moved: it was
	// unlinked by a process that had read it just before (mv to another disk).
	Renamed bool `json:",omitempty"`
	Moved   bool `json:",omitempty"`
	// Replaced: it was renamed over another table (its id), which has its content now
	// and comes first.
	Replaced bool   `json:",omitempty"`
	Heir     string `json:",omitempty"`
	// Changed: the store has a newer content than the one that was removed.
	Changed bool `json:",omitempty"`
	// Mass: many tables went together; they wait for a person.
	Mass bool `json:",omitempty"`
	// Confirmed: a person has said that the table is to be deleted.
	Confirmed bool `json:",omitempty"`
	// Vanished: it is missing in the store's listing since then.
	Vanished bool `json:",omitempty"`
}

// record is everything about one table that must survive. The states of the
// state machine (cache.md section 4) are derived from it, none is stored.
type record struct {
	ID      string
	Project string // shown name of the project
	Kind    backends.Kind
	Name    string // shown name without ".csv"

	Ref       backends.Ref // the store's names and ids
	InStore   bool         // the store has (or had) it; false: to be created
	Version   backends.Version
	StoreSize int64 // last known from a listing, for stat before the first load
	StoreRows int64
	StoreTime time.Time
	Seen      time.Time      `json:",omitzero"`  // when it was first listed: its time where the store knows none
	Columns   []table.Column `json:",omitempty"` // row stores

	Ino     uint64 // as shown by stat
	LastGen uint64
	LastKey uint64 // numbered keys given so far
	LastSeq uint64 // key files, arrivals and such: one counter for file names

	// L: the bytes under the name. S: what file and store last agreed on. R: what
	// the store was last seen to hold. J: the last judged content, the reference
	// for aligning the next save.
	L, S, R, J content
	// Agreed are generations that were S at some time: they go to history.
	Agreed []uint64 `json:",omitempty"`

	// Kept is what L was before somebody began to write into its bytes, until that
	// save is complete; KeptSave is how it was saved. Rewritten: nothing is kept, and
	// no part of L is known to be complete: it is new, or its own writer has gone
	// back. Neither: L is a complete save, or that and what was added behind it.
	Kept      content
	KeptSave  save `json:",omitzero"`
	Rewritten bool `json:",omitempty"`

	Save     save
	CleanSeq uint64    // the last save of which nothing is left to send
	Decision *decision `json:",omitempty"`
	// Confirmed is the save that a person has confirmed.
	Confirmed uint64 `json:",omitempty"`
	Pending   PendingRows
	Warnings  []string `json:",omitempty"`
	Error     string   `json:",omitempty"` // why the last push failed
	Gone      *gone    `json:",omitempty"`
	// NewName is the store name that a rename here has given it; empty: as Ref.Name.
	NewName string    `json:",omitempty"`
	Renamed time.Time `json:",omitzero"`
	// Unsent: it had unsent changes when it went.
	Unsent   bool  `json:",omitempty"`
	Arrivals int64 // number of the last arrival
	// Replaces is set for a save that was renamed over from another table: it
	// waits for all earlier saves of the store.
	Replaces bool `json:",omitempty"`
	// Vanished is when the table was first missing in a complete listing.
	Vanished *time.Time `json:",omitempty"`
	// Behind: the store holds what L lacks. It is merged into L when nobody writes.
	Behind bool `json:",omitempty"`
	// ShowKeys: L lacks ids that were assigned; the next reload shows them.
	ShowKeys bool `json:",omitempty"`
	// StateLost: the facts were damaged and rebuilt from the bytes.
	StateLost bool `json:",omitempty"`
	// Nonce of a create that may have happened.
	Nonce string `json:",omitempty"`
	// Evicted is set while the content was removed to make room.
	Evicted *evicted `json:",omitempty"`
}

// projectRecord is a project.
type projectRecord struct {
	Name    string // shown
	Ref     backends.Ref
	InStore bool
	Made    time.Time // by mkdir here
	Shown   map[backends.Kind]bool
	Hidden  map[backends.Kind]bool `json:",omitempty"` // removed by rmdir
	Gone    *gone                  `json:",omitempty"`
	Removed bool                   `json:",omitempty"`
	// Fresh: made here within the settle time. Its folders are there as far as they
	// were made too.
	Fresh bool `json:",omitempty"`
	// Stays: it is gone from the store, and is shown because of what it holds that is
	// only on this machine. It is made again with its first table only.
	Stays bool `json:",omitempty"`
	// NewName is the store name that a rename here has given it; empty: as Ref.Project.
	// Error is why the store has not taken it.
	NewName string    `json:",omitempty"`
	Renamed time.Time `json:",omitzero"`
	Error   string    `json:",omitempty"`
	Nonce   string
}

// arrivalRecord is what one load brought in from elsewhere. Its changes are in
// t/TID/aN.json.
type arrivalRecord struct {
	Number int64
	Time   time.Time
	Rows   int
}

// knowledge: at the time of event Seq the process knew arrival Arrival.
type knowledge struct {
	Seq     uint64
	Arrival int64
}

// conflictRecord is a cell that both sides have changed.
type conflictRecord struct {
	table.Conflict
	Since time.Time
	// Decided is what a person has said about just these values: Hold as long as
	// nobody has. It stands here until it is carried out.
	Decided table.Resolution
}

// parkedRecord is a row that the store refuses.
type parkedRecord struct {
	Key    table.Key
	Hash   uint64
	Op     table.Op
	Before []string
	After  []string
	Reason string
	Since  time.Time
}

// intent is a push that is under way: written down before its first byte
// leaves, until the fate of each change is known.
type intent struct {
	Push    string // random
	Time    time.Time
	Base    backends.Version
	Frozen  content // L as it was judged
	SaveSeq uint64
	// Document is what is sent to a document store; its keys are known.
	Document content
	SHA1     string `json:",omitempty"`
	// Agreed is what S becomes when Document has arrived, if that holds what the
	// file has yet to take in (or cells in conflict): S with what is sent.
	Agreed content `json:",omitzero"`
	// Exact: what the store holds afterwards is Frozen itself.
	Exact bool
	// Keys and Rows: of Frozen, in a row store.
	Keys uint64 `json:",omitempty"`
	Rows int64  `json:",omitempty"`
	// Create: the table itself is made, as Ref; Nonce finds it again.
	Create bool         `json:",omitempty"`
	Ref    backends.Ref `json:",omitzero"`
	Nonce  string       `json:",omitempty"`
}

// sentHead is what an intent for a row store holds besides rows.
type sentHead struct {
	OldHeader, NewHeader []string
	Columns              []table.ColumnChange
}

// historyRecord is one kept version.
type historyRecord struct {
	Table, Project string
	Kind           backends.Kind
	Name           string
	Time           time.Time // when it was replaced
	Size           int64
	Why            string        // "push", "refresh", "discard", "delete"
	Mounted        time.Duration // how long the store had been mounted by then
}
