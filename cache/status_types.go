package cache

import (
	"time"

	"github.com/ragasfs/ragasfs/backends"
)

// Status is `ragasfs status --json`. Its keys are fixed by the contract.
type Status struct {
	Mountpoint string        `json:"mountpoint"`
	Source     string        `json:"source"`
	Backend    string        `json:"backend"`
	PID        int           `json:"pid"`
	State      string        `json:"state"` // online, offline, auth
	Pending    PendingTotal  `json:"pending"`
	Calls      Calls         `json:"calls"`
	Tables     []TableStatus `json:"tables"` // those not clean, or the named one
	// Projects are those of which the store has yet to hear.
	Projects []ProjectStatus `json:"projects,omitempty"`
	// Notices are for people: files that are only on this machine, a store that
	// is not the one recorded, an ETA.
	Notices []string `json:"notices,omitempty"`
	// Warnings say what of the last save of a table that is clean was ignored.
	Warnings []string `json:"warnings,omitempty"`
	// Limits are those of the store, and what is left of them; nil: it has none.
	Limits []backends.Limit `json:"limits,omitempty"`
}

// PendingTotal counts what is not sent.
type PendingTotal struct {
	Tables int `json:"tables"`
	Rows   int `json:"rows"`
}

// Calls counts what was asked of the store since the mount: calls for List and
// Load, rows for the row verbs.
type Calls struct {
	List   int64 `json:"list"`
	Load   int64 `json:"load"`
	Append int64 `json:"append"`
	Update int64 `json:"update"`
	Delete int64 `json:"delete"`
}

// TableStatus is one table.
type TableStatus struct {
	Path    string      `json:"path"`
	State   string      `json:"state"` // clean, dirty, pushing, held, invalid, rejected, conflict
	Rows    int64       `json:"rows"`
	Pending PendingRows `json:"pending"`
	TableOp *string     `json:"table_op"` // create, delete, rename or null
	Reason  string      `json:"reason"`   // why held, in words with the command that settles it
	Error   string      `json:"error"`    // invalid: "line N, column M: ..."; rejected, failed: the store's words
	Since   *time.Time  `json:"since"`
}

// ProjectStatus is one project that the store does not have as it is here.
type ProjectStatus struct {
	Path  string `json:"path"`
	Op    string `json:"op"`    // create, delete or rename
	Error string `json:"error"` // why the last try failed
}

// PendingRows counts what is not sent of one table.
type PendingRows struct {
	Append  int `json:"append"`
	Update  int `json:"update"`
	Delete  int `json:"delete"`
	Columns int `json:"columns"`
}

// OtherStoreNotice is what people are told if Cache.IsOther.
const OtherStoreNotice = "this is not the store that was mounted before: nothing that is pending is sent; mount the right one, or discard what is pending"
