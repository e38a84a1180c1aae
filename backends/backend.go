package backends

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/ragasfs/ragasfs/backends/table"
)

// Kind is the folder of a project in which a table stands.
type Kind string

// The two kinds of tables that Ragas knows.
const (
	Datasets    Kind = "datasets"
	Experiments Kind = "experiments"
)

// Kinds are all kinds in the order in which they are shown.
var Kinds = [...]Kind{Datasets, Experiments}

// Ref names something in a store: the store itself (zero Ref), a project
// (Project set) or a table (Project, Kind and Name set).
//
// Names are the store's own, unescaped, without ".csv". IDs are the store's;
// where a store has ids they say which of several equal names is meant, and a
// call with an ID must act on that object even if its name has changed. Empty
// IDs mean: by name.
type Ref struct {
	Project   string
	ProjectID string
	Kind      Kind
	Name      string
	ID        string
}

// IsTable reports whether r names a table.
func (r Ref) IsTable() bool { return r.Name != "" || r.ID != "" }

// String returns "PROJECT/KIND/NAME", for logs and errors.
func (r Ref) String() string {
	switch {
	case r.IsTable():
		return r.Project + "/" + string(r.Kind) + "/" + r.Name
	case r.Project != "":
		return r.Project
	}
	return "(store)"
}

// Version is an opaque token of a table's state in the store: equal tokens mean
// equal content. The empty Version means that the store can't tell.
//
// A version is of the content, not of the name: but where a rename changes the
// token (local/csv), the entry that Rename returns has the new one.
type Version string

// Entry is one line of a listing.
type Entry struct {
	Ref     Ref
	Version Version
	Size    int64     // bytes of the document; -1: not known
	Rows    int64     // -1: not known
	ModTime time.Time // zero: not known
	Created time.Time // zero: not known. Of equal names the oldest keeps the plain name
	Nonce   string    // what Create.Nonce was, where the store keeps it
}

// Form is the form in which a store keeps tables.
type Form uint8

// The two forms.
const (
	// Documents: a table is one CSV document. Load gives Loaded.Document, Apply
	// takes Batch.Document. Rows have no ids.
	Documents Form = iota + 1
	// Rows: a table is rows with ids and typed cells. Load gives Loaded.Columns
	// and Loaded.Rows, Apply takes Batch.Changes.
	Rows
)

// Properties are differences between stores that the cache acts on. They are
// constant while a backend is open.
type Properties struct {
	Form Form
	// Identity names the store for ever: account, workspace, root folder. State
	// on disk is kept by it. It holds no secret and does not change with keys,
	// profiles or mount points. It must not need the network.
	Identity string
	// Place is what Identity pointed to when the backend was opened (device and
	// inode of a directory, account id). If it differs from what was recorded,
	// nothing that is pending is sent. Empty: not known (yet).
	Place string
	// Settle is the default of -o write_back. Zero means 2s.
	Settle time.Duration
	// CompareAndSwap: Apply refuses a stale Batch.Base with ErrConflict by itself.
	CompareAndSwap bool
	// MaxBatch is the most row changes in one Apply call. Zero means 1000.
	MaxBatch int
	// RenameProject: Renamer also renames projects.
	RenameProject bool
	// Told: Watch reports every change that others make. While it runs nothing
	// else is asked to learn of them.
	Told bool
	// Root is a local directory that holds the store, which must neither contain
	// nor be contained in a mount point. Empty for remote stores.
	Root string
}

// Opened is an open backend.
type Opened struct {
	Backend    Backend
	Properties Properties
	Close      func() error // never nil
}

// Backend is the contract that every store fulfils. backendtest checks it.
//
// Methods may be called at the same time from several goroutines, also for the
// same table; the cache never has two Apply calls for one table under way.
// Every method ends soon after ctx is done and then returns an error for which
// errors.Is(err, ctx.Err()) holds or one of the errors below; a change whose
// fate is not known by then is Unknown. Reads (List, Load) may be repeated
// inside the backend a bounded number of times; Create, Delete and Apply are
// repeated only by the caller, except where the backend knows that the store
// has not seen the request.
//
// Each error is one of the sentinels of errors.go, wrapped with what happened
// to which object, in the store's own words where it gave any. No error holds a
// secret.
type Backend interface {
	// List returns all projects (zero scope) or all tables of both kinds of a
	// project. The answer is complete, or an error: never a first page, never an
	// empty list for a failure. Order is not defined. Scratch that the store
	// happens to hold (other files) is not listed.
	//
	// ErrNotFound: the project does not exist. ErrUnavailable, ErrAuth.
	List(ctx context.Context, scope Ref) ([]Entry, error)

	// Create makes a project or a table. A table starts with Request.Columns and
	// no row (row stores), or with Request.Document (document stores). It
	// returns the entry as List would.
	//
	// ErrExists: the name is taken (for stores with unique names), nothing has
	// changed. ErrRefused: the store does not take this name or these columns.
	// ErrUnknown: it may have happened; the caller lists and looks for
	// Request.Nonce or compares content before it repeats.
	// ErrNotFound: the project is not there.
	Create(ctx context.Context, request Create) (Entry, error)

	// Delete removes a table or an empty project. If base is set and the store
	// can tell that the object is no longer at base, ErrConflict and nothing has
	// changed. Deleting what is not there is success: the wish is fulfilled.
	//
	// ErrNotEmpty: the project has tables, or files that are none of ours.
	Delete(ctx context.Context, ref Ref, base Version) error

	// Load returns a table whole. Loaded is a stream: an error may come while it
	// is read (from the reader, or as the last pair of the sequence), and then
	// nothing of what was read before may be believed. A stream that ends
	// without an error was complete. The caller closes it.
	//
	// ErrNotFound, ErrUnavailable, ErrAuth, ErrIncomplete (short or garbled).
	Load(ctx context.Context, ref Ref) (*Loaded, error)

	// Apply makes one batch of changes in one table. The error is for the batch
	// as a whole and then nothing of it has happened, except for ErrUnknown:
	// then Result.Outcomes says which changes are certain. With a nil error
	// Result.Outcomes has one Outcome for each of Batch.Changes.Rows (document
	// stores may leave it nil: the document is there, all are applied).
	//
	// The same batch against the same base a second time changes nothing: rows
	// are known by their ids (an append of an id that is there with equal cells
	// is Applied, with other cells Refused with ErrExists; deleting a missing
	// row is Applied; updating a missing row is Refused with ErrNotFound),
	// documents by the version check. In a row store with versions the repeated
	// batch is a conflict too, unless Base is empty.
	//
	// ErrConflict: the table is not at Batch.Base, nothing has changed.
	// ErrNotFound: the table is not there. ErrRefused, ErrUnavailable, ErrAuth,
	// ErrUnknown.
	Apply(ctx context.Context, batch Batch) (Result, error)
}

// Create is a request to make a project (Ref.Project) or a table.
type Create struct {
	Ref Ref
	// Columns of a new table, in order, with types, without the id column.
	Columns []table.Column
	// Document is the first content of a new table in a document store.
	Document Document
	// Nonce is kept with the object where the store can (a description), so that
	// a create whose answer was lost is found again. At most 64 bytes of
	// [a-z0-9-].
	Nonce string
}

// Document is the bytes of a whole table, opened as often as needed. A store
// takes it only as a whole: where fewer or more bytes come than Size, or others
// than SHA1 says, the call fails with ErrIncomplete and nothing has changed.
type Document struct {
	Size int64                         // bytes
	SHA1 [20]byte                      // of all bytes; all zero: not known, not checked
	Open func() (io.ReadCloser, error) // nil: there is no document
}

// Cell is one value of a row store as it is shown in CSV.
type Cell struct {
	Text string
	Null bool // the store has no value, as opposed to an empty string
}

// Row is one row of a row store. Cells are in the order of Loaded.Columns;
// trailing cells may be missing (Null).
type Row struct {
	ID    string
	Cells []Cell
}

// Loaded is a table on its way in.
type Loaded struct {
	Version Version
	ModTime time.Time // zero: not known
	// Total is the size of Document in bytes, or the number of Rows, for
	// progress; -1 if not known.
	Total int64

	Document io.ReadCloser // document stores; nil in row stores

	// Columns of row stores, without the id column. Their types are final when
	// all rows have been taken: some stores learn them from what the cells hold.
	Columns []table.Column
	Rows    iter.Seq2[Row, error] // row stores; the order is the store's and stable

	Close func() error // releases what Rows uses; never nil
}

// Batch is the changes of one push to one table, in both forms.
type Batch struct {
	Ref Ref
	// Base is the version that the changes lead away from. Empty: no check.
	Base Version
	// Changes are against the content at Base. Row stores: Key is the row id, a
	// row's cells are by column name (Changes.OldHeader, NewHeader); an update
	// sets exactly those cells in which Before and After differ and leaves all
	// others, also unknown ones, as they are; an empty After cell clears the
	// value (null where the store knows null). Column changes come before rows.
	Changes table.Changes
	// Document is the resulting content; document stores only.
	Document Document
	// Grows is the size of the base document if Document only continues it,
	// else -1. A store that can append may then do so, and reads only what comes
	// behind (Document.SHA1 is not checked then).
	Grows int64
}

// Verdict is what became of one change.
type Verdict uint8

// The verdicts.
const (
	Applied Verdict = iota + 1 // the store has it, certainly
	Refused                    // the store does not take it (Outcome.Err says why), certainly not there
	Unknown                    // may or may not have happened
)

// Outcome is what became of one row change.
type Outcome struct {
	Verdict Verdict
	Err     error // for Refused and Unknown: in the store's words
}

// Result is the answer to a batch.
type Result struct {
	// Version is the table's after the batch; empty if not known, also where
	// someone else's change got in between: then the table is to be loaded.
	Version Version
	ModTime time.Time
	// Outcomes has one entry for each of Batch.Changes.Rows, in their order.
	Outcomes []Outcome
	// Columns that the store made or renamed, with their ids; nil if none.
	Columns []table.Column
}

// Limit is one of the limits of a store, kept as a bucket that fills up evenly.
type Limit struct {
	Name      string `json:"name"`       // what is counted, in the plural: "calls"
	PerMinute int    `json:"per_minute"` // how fast it fills up
	Burst     int    `json:"burst"`      // how much it holds
	Left      int    `json:"left"`       // how much is in it; at most Burst, not negative
	Waiting   int    `json:"waiting"`    // calls that wait for it
}

// UnknownResult is what Apply returns beside an error: if the error is an
// ErrUnknown, every change of the batch is Unknown because of it; after any
// other error nothing has happened, and the result is empty.
func UnknownResult(batch Batch, err error) Result {
	if !errors.Is(err, ErrUnknown) {
		return Result{}
	}
	outcomes := make([]Outcome, len(batch.Changes.Rows))
	for i := range outcomes {
		outcomes[i] = Outcome{Verdict: Unknown, Err: err}
	}
	return Result{Outcomes: outcomes}
}

// The optional abilities, found by type assertion on Opened.Backend.
type (
	// Renamer renames tables in place: rows, ids and history stay. Without it the
	// cache makes a new table and deletes the old one when that has arrived: rows get
	// new ids, and the store's own history of the table ends.
	Renamer interface {
		// Rename gives ref the new name within its kind and project. ErrExists if
		// the name is taken. A ref without Kind and Name renames the project.
		Rename(ctx context.Context, ref Ref, name string) (Entry, error)
	}

	// Prober asks cheaply whether a table has changed.
	Prober interface {
		// Probe returns the table's entry without loading it. The version is empty
		// if only a load can tell.
		Probe(ctx context.Context, ref Ref) (Entry, error)
	}

	// Forgetter remembers things to save calls.
	Forgetter interface {
		// Forget has the next look at a table ask for everything.
		Forget(ref Ref)
	}

	// RowGetter reads single rows.
	RowGetter interface {
		// GetRows returns those of the rows that exist, in any order, with cells
		// in the order of columns.
		GetRows(ctx context.Context, ref Ref, columns []table.Column, ids []string) ([]Row, error)
	}

	// Watcher reports changes made elsewhere.
	Watcher interface {
		// Watch calls changed, with a project or table that may have changed (zero
		// Ref: anything), until ctx is done or watching fails. It reports too much
		// rather than too little. nil error only when ctx is done.
		Watch(ctx context.Context, changed func(Ref)) error
	}

	// Limited is a store that allows a limited number of calls. The backend keeps
	// to that by waiting.
	Limited interface {
		// Limits says how much is left, without a call.
		Limits() []Limit
	}

	// Finder looks rows up by the value of a column without a load.
	Finder interface {
		// Find returns all rows whose cell in the named column is exactly value.
		Find(ctx context.Context, ref Ref, column, value string) ([]Row, []table.Column, error)
	}
)
