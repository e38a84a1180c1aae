// Package ragasapp is the backend ragas/app: tables behind the Ragas REST API.
//
// # What the API can't do, and what is done about it
//
// There are no versions, no compare-and-swap and no batches; lists come in
// pages. So a load is checked against what the newest row was before it (see
// version.go); a row is read before it is changed or deleted, and what somebody
// else did to the same cell meanwhile is not overwritten (applyrows.go); a write
// whose answer was lost is looked up before it is sent again. Between that
// reading and the write there is one round trip in which a write of the same
// cell by somebody else is overwritten: nothing at this API prevents it.
//
// # What lives where
//
// wire.go has the objects of the API, transport.go how they are asked for,
// failure.go what bad answers mean, pages.go lists, workspace.go what a new key
// opens. The contract of package backends is in projects.go, tables.go,
// columns.go, load.go and apply.go (with applyrows.go and applycells.go). Cells
// are translated in cells.go. Nothing here keeps state on disk; what is
// remembered of tables (remember.go) may be forgotten at any time.
package ragasapp
