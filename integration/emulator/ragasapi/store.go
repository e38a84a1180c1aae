package ragasapi

import "errors"

// The errors of a store, to be found with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("already exists")
	ErrInvalid  = errors.New("not valid")
)

// Page says which part of a list is wanted. A store may give less than Limit,
// and another order; it says so in Pagination.
type Page struct {
	Offset, Limit    int
	OrderBy, SortDir string // empty: the list's own order
}

// Pagination is what a list says of itself.
type Pagination struct {
	Offset  int    `json:"offset"`
	Limit   int    `json:"limit"`
	Total   int    `json:"total"`
	OrderBy string `json:"order_by"`
	SortDir string `json:"sort_dir"`
}

// List is a part of a list.
type List[T any] struct {
	Items      []T        `json:"items"`
	Pagination Pagination `json:"pagination"`
}

// TableRef names a table. As at the live service, columns and rows are found
// under either kind.
type TableRef struct {
	Project string
	Kind    Kind
	ID      string
}

// Store is everything that a server needs. Its methods may be called at the same
// time from several goroutines. Objects that it returns are not changed later.
type Store interface {
	Projects
	Tables
	Columns
	Rows
}

// Projects are the projects of a workspace. Every method gives ErrNotFound for
// an id that is not there, and ErrInvalid for what it does not take.
type Projects interface {
	// ListProjects lists those with the ids, or all if ids is nil.
	ListProjects(page Page, ids []string) (List[Project], error)
	GetProject(id string) (Project, error)
	CreateProject(named Named) (Project, error)
	UpdateProject(id string, named Named) (Project, error)
	DeleteProject(id string) error // with all that is in it
}

// Tables are the tables of a project. TableRef.ID is empty for the first two.
type Tables interface {
	ListTables(in TableRef, page Page) (List[Table], error)
	CreateTable(in TableRef, named Named) (Table, error)
	GetTable(ref TableRef) (Table, error)
	UpdateTable(ref TableRef, named Named) (Table, error)
	DeleteTable(ref TableRef) error
}

// Columns are the columns of a table. Clients choose the ids.
type Columns interface {
	ListColumns(of TableRef, page Page) (List[Column], error)
	CreateColumn(of TableRef, column NewColumn) (Column, error)
	GetColumn(of TableRef, id string) (Column, error)
	UpdateColumn(of TableRef, id string, patch ColumnPatch) (Column, error)
	DeleteColumn(of TableRef, id string) error
}

// Rows are the rows of a table. Clients choose the ids.
type Rows interface {
	ListRows(of TableRef, page Page) (List[Row], error)
	CreateRow(of TableRef, id string, data Object) (Row, error)
	GetRow(of TableRef, id string) (Row, error)
	UpdateRow(of TableRef, id string, data Object) (Row, error)
	DeleteRow(of TableRef, id string) error
}
