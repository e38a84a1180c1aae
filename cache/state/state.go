// Package state keeps every fact of a store that must survive: SQLite in one
// file, one connection, in the hands of one process. It holds no bytes of
// tables. Facts are records: a kind, an id and a JSON body with a CRC that is
// checked whenever it is read.
//
// Durability: a commit at Normal survives kill -9 of this process (about 10 us),
// one at Full also a power cut. Five seconds after any Normal commit the state
// is made power safe in the background.
package state

// Level says what a commit survives.
type Level uint8

// The levels.
const (
	Normal Level = iota // kill -9
	Full                // a power cut
)

// (To be written:)
//
//	Open(Options{Dir string, Disk *disk.FS, Log *slog.Logger}) (*DB, Report, error)
//	        Dir is the store's directory: state.db, reserve, lost+found. Report says
//	        Clean bool (was closed cleanly), Damaged bool (a damaged database was
//	        moved to lost+found and this one is new), Quarantined []string.
//	(*DB) Update(Level, func(*Tx) error) error   one transaction; never takes a context
//	(*DB) View(func(*Tx) error) error
//	(*Tx) Put(kind, id string, body any) error
//	(*Tx) Get(kind, id string, body any) (found bool, err error)   ErrDamaged: CRC
//	(*Tx) Delete(kind, id string) error
//	(*Tx) DeletePrefix(kind, idPrefix string) error
//	(*Tx) Each(kind, idPrefix string, func(id string, decode func(any) error) error) error   in order of id
//	(*Tx) Next(counter string) (uint64, error)   1, 2, 3, ... never twice, per counter
//	(*DB) Close() error      checkpoint, clean mark
type _ struct{}
